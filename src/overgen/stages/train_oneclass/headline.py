"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"loss": ("train_oneclass", "final_loss")}
SAYS = ("final loss {loss:.3g}, a mean over {loss.n} classes",)
