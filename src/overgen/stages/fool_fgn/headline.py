"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"fooled": ("fgn", "fooling_rate"), "updates": ("fgn", "mean_steps_to_fool")}
SAYS = ("fooled {fooled.hits} of {fooled.n} at τ {fooled.tau:g}", "in a mean of {updates:.0f} updates")
