"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"accuracy": ("train", "test_accuracy"), "distance": ("train", "mean_reconstruction_distance")}
SAYS = ("test accuracy {accuracy}", "mean distance to the reconstruction {distance:.3g}")
