"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "auroc_mahalanobis": ("scores", "auroc@method=mahalanobis"),
    "auroc_scaled": ("scores", "auroc@method=scaled_output*"),
}
SAYS = ("AUROC of the Mahalanobis distance {auroc_mahalanobis:.3f}", "of ỹ {auroc_scaled:.3f}")
