"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"test_error": ("lbfgs", "test_error")}  # of the last network
SAYS = ("test error {test_error} of the last network",)
