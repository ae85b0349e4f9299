"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"changed": ("smallest", "fooling_rate"), "distortion": ("smallest", "mean_distortion")}
SAYS = ("changed the label of {changed.hits} of {changed.n}", "by a mean of {distortion:.4f} (RMS) a pixel")
