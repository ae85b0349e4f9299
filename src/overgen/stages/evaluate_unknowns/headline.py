"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "auroc_softmax": ("unknowns", "auroc_mean@method=softmax"),
    "auroc_knn": ("unknowns", "auroc_mean@method=knn"),
    "auroc_mahalanobis": ("unknowns", "auroc_mean@method=mahalanobis"),
}
SAYS = (
    "AUROC against images of no class: softmax {auroc_softmax:.3f}",
    "nearest neighbours {auroc_knn:.3f}",
    "Mahalanobis {auroc_mahalanobis:.3f}",
)
