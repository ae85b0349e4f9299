"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"known_accuracy": ("train_controls", "known_accuracy@known=*")}
SAYS = ("accuracy {known_accuracy} on the known classes, a mean over {known_accuracy.n} networks",)
