"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "auroc_knn": ("one_class", "auroc@score=knn_pixels"),
    "auroc_pca": ("one_class", "auroc@score=pca_pixels"),
}
SAYS = ("AUROC of nearest neighbours {auroc_knn:.3f}", "of principal components {auroc_pca:.3f}")
