"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"fooled": ("lbfgs", "fooling_rate"), "distortion": ("lbfgs", "mean_distortion")}
SAYS = ("fooled {fooled.hits} of {fooled.n}", "by a mean change of {distortion:.3f} (RMS) a pixel")
