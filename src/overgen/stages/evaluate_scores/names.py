"""How methods that score are written in reports."""

SCORE_NAMES = {
    "scaled_output": "ỹ",
    "confidence": "c̃",
    "softmax": "softmax",
    "entropy": "entropy",
    "max_logit": "largest logit",
    "energy": "energy",
    "openmax": "OpenMax, P₀",
    "openmax_max": "OpenMax, 1 − max",
    "knn": "nearest neighbours",
    "knn_normalised": "nearest neighbours, normalised",
    "k_means": "k-means",
    "mahalanobis": "Mahalanobis",
    "gaussian_density": "Gaussian for each class",
    "pca": "PCA error",
    "one_class_svm": "one-class SVMs",
    "w_svm": "W-SVM",
    "one_vs_set": "1-vs-Set",
    "autoencoder": "autoencoder error",
    "denoising": "denoising autoencoder",
    "contractive_weak": "weakly contractive autoencoder",
    "contractive": "contractive autoencoder",
    "contractive_strong": "strongly contractive autoencoder",
    "energy_gan": "energy-based GAN",
    "other_uniform": "an “other” class, noise",
    "other_shuffled": "an “other” class, shuffled",
}


def method_name(method: str) -> str:
    """A method of evaluate_scores as it is written in reports: "scaled_output_alpha20" is "ỹ, α = 20"."""
    if ":" in method:  # a user's own
        return "{1} (src/own/{0}.py)".format(*method.split(":"))
    name, _, alpha = method.partition("_alpha")
    pixels = name.endswith("_pixels")
    name = name.removesuffix("_pixels")
    return SCORE_NAMES.get(name, name) + (f", α = {alpha}" if alpha else "") + (" on pixels" if pixels else "")
