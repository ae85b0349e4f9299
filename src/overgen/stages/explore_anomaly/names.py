"""How measures of strangeness are written in reports."""

MEASURE_NAMES = {
    "mse": "mean squared error",
    "rmse": "RMS error of the reconstruction",
    "mae": "mean absolute error",
    "bce": "cross-entropy of the reconstruction",
    "mahalanobis": "Mahalanobis distance of the code",
    "gaussian_density": "Gaussian density of the code",
    "knn": "nearest neighbours of the code",
}
SHORT = {"rmse": "error, RMS", "bce": "error, cross-entropy", "mahalanobis": "code, Mahalanobis",
         "gaussian_density": "code, density", "knn": "code, neighbours"}  # fmt: skip
# Of the curves, apart for colour-blind readers; dashed: of the code.
COLOURS = {
    "rmse": "#0173b2",
    "bce": "#56b4e9",
    "mahalanobis": "#d55e00",
    "gaussian_density": "#de8f05",
    "knn": "#029e73",
}
