"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "reconstruction": ("anomaly", "auroc_mean@measure=rmse"),
    "code": ("anomaly", "auroc_mean@measure=mahalanobis"),
}
SAYS = ("AUROC by reconstruction {reconstruction:.3f}", "by the code {code:.3f}")
