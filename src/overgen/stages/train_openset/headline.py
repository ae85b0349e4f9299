"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"known_accuracy": ("train_openset", "known_accuracy@known=4")}
SAYS = ("accuracy {known_accuracy} on 4 known classes, a mean over {known_accuracy.n} networks",)
