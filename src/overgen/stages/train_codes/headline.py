"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"error": ("codes", "test_error*")}  # of the last kind
SAYS = ("mean squared error {error:.4g} of the last kind",)
