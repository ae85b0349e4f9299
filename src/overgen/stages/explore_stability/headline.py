"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"epsilon": ("power_law", "epsilon"), "gap": ("power_law", "largest_gap")}
SAYS = ("ε = {epsilon:.2g} a pixel", "(1 − ε)ⁿ is off by up to {gap:.0f} percentage points")
