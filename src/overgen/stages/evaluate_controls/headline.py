"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"auroc_mahalanobis": ("control_scores", "auroc@method=mahalanobis")}
SAYS = ("AUROC of the Mahalanobis distance {auroc_mahalanobis:.3f}",)
