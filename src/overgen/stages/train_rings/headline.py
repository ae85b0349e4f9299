"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"accuracy": ("rings", "test_accuracy"), "loss": ("rings", "final_classification_loss")}
SAYS = ("test accuracy {accuracy}", "loss {loss:.3g}")
