"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"auroc": ("one_class", "auroc"), "aupr": ("one_class", "aupr")}
SAYS = ("AUROC {auroc:.3f}, a mean over {auroc.n} classes",)
