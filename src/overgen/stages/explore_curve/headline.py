"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"gain": ("curve", "smallest_ratio"), "needed": ("other", "needed_ratio")}
SAYS = (
    "the smallest change is {gain:.3g} times as long in the most dimensions as in the plane",
    "{needed:.3g} times as many negatives are needed",
)
