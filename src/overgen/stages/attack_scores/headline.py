"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "fooled_softmax": ("attacked_scores", "fooled@method=softmax"),
    "fooled_knn": ("attacked_scores", "fooled@method=knn"),
    "fooled_mahalanobis": ("attacked_scores", "fooled@method=mahalanobis"),
}
SAYS = (
    "attacked, fooled: softmax {fooled_softmax:.1f} %",
    "nearest neighbours {fooled_knn:.1f} %",
    "Mahalanobis {fooled_mahalanobis:.1f} %",
)
