"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"accuracy": ("train", "test_accuracy")}
SAYS = ("test accuracy {accuracy} on {accuracy.n} images",)
