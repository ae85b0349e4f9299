"""The open-set scores by name, as params.yaml lists them. It imports no score, so that checking a name costs nothing.

A user's own score is named by its file and class, "src/own/<file>.py:<Class>", and stands in no list here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from overgen.run.own import PATTERN


class Score(NamedTuple):
    """How a name's score is made.

    made_by: a class of `methods.CLASSES`.
    view: what of an image it judges, see `views.views`.
    takes: options of the section `evaluate_scores` that the class takes under the same name.
    fixed: further arguments of the class.
    costly: its cost to fit grows with the square of the number of images.
    pool: of the negatives that it is fitted on as well, see `views.negatives`; "" for none.
    learns: it is fitted to images; else its `fit` takes nothing from them but their width.
    """

    made_by: str
    view: str
    takes: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = {}
    costly: bool = False
    pool: str = ""
    learns: bool = True


# λ of contractive autoencoders, the last three powers of 10 from 0.001 to 10. Held-out images of MNIST are restored
# with 0.95, 1.31 and 1.82 times the squared error of the autoencoder without contraction, after 500 updates of each.
WEAK, MIDDLE, STRONG = 0.1, 1.0, 10.0
OF_OUTPUTS = ("scaled_output", "confidence")  # ỹ and c̃, which follow from a network's outputs: nothing is fitted
FITTED: dict[str, Score] = {
    "softmax": Score("Softmax", "logits", learns=False),
    "entropy": Score("NegativeEntropy", "logits", learns=False),
    "max_logit": Score("MaxLogit", "logits", learns=False),
    "energy": Score("Energy", "logits", learns=False),
    "openmax": Score("OpenMax", "logits", ("tail",)),
    "openmax_max": Score("OpenMax", "logits", ("tail",), {"by": "max"}),
    "knn": Score("NearestNeighbours", "features", ("neighbours",)),
    "knn_normalised": Score("NearestNeighbours", "features", ("neighbours",), {"normalise": True}),
    "k_means": Score("KMeansDistance", "features", ("clusters",)),
    "mahalanobis": Score("Mahalanobis", "features"),
    "gaussian_density": Score("GaussianDensity", "features"),
    "pca": Score("PcaError", "features", ("components",)),
    "one_class_svm": Score("OneClassSVMPerClass", "features", costly=True),
    "w_svm": Score("WeibullSVM", "features", ("tail",), costly=True),
    "one_vs_set": Score("OneVsSet", "features", costly=True),
    "knn_pixels": Score("NearestNeighbours", "pixels", ("neighbours",)),
    "k_means_pixels": Score("KMeansDistance", "pixels", ("clusters",)),
    "pca_pixels": Score("PcaError", "pixels", ("components",)),
    "one_class_svm_pixels": Score("OneClassSVMPerClass", "pixels", costly=True),
    "w_svm_pixels": Score("WeibullSVM", "pixels", ("tail",), costly=True),
    "one_vs_set_pixels": Score("OneVsSet", "pixels", costly=True),
    "autoencoder_pixels": Score("AutoencoderError", "pixels", ("updates",)),
    "denoising_pixels": Score("DenoisingError", "pixels", ("updates",)),
    "contractive_weak_pixels": Score("ContractiveError", "pixels", ("updates",), {"contraction": WEAK}),
    "contractive_pixels": Score("ContractiveError", "pixels", ("updates",), {"contraction": MIDDLE}),
    "contractive_strong_pixels": Score("ContractiveError", "pixels", ("updates",), {"contraction": STRONG}),
    "energy_gan_pixels": Score("EnergyGan", "pixels", ("updates",)),
    "other_uniform": Score("OtherClass", "features", ("updates",), {"hidden": 0}, pool="uniform"),
    "other_shuffled": Score("OtherClass", "features", ("updates",), {"hidden": 0}, pool="shuffled"),
    "other_uniform_pixels": Score("OtherClass", "pixels", ("updates",), pool="uniform"),
    "other_shuffled_pixels": Score("OtherClass", "pixels", ("updates",), pool="shuffled"),
}
OF_SIZE = ("max_logit", "energy")  # for which the size of logits counts: log y, whose size says nothing, will not do
NAMES = (*OF_OUTPUTS, *FITTED)
OF_ONE_CLASS = tuple(name for name, score in FITTED.items() if score.view == "pixels" and not score.costly)


def name_of_score(name: str) -> str:
    """The name itself, of a score here or of a user's own. Raises ValueError for one that no score has."""
    return name if PATTERN.fullmatch(name) else _one_of(NAMES, name, "; or src/own/<file>.py:<Class> for yours")


def label(name: str) -> str:
    """How a score is called in tables and metrics: by its name, a user's own as "<file>:<Class>"."""
    own = PATTERN.fullmatch(name)
    return f"{own[1]}:{own[2]}" if own else name


def name_of_pixel_score(name: str) -> str:
    """The name itself. Raises ValueError unless its score needs no network, and can be fitted on a whole class."""
    return _one_of(OF_ONE_CLASS, name)


def _one_of(names: tuple[str, ...], name: str, more: str = "") -> str:
    if name not in names:
        raise ValueError(f"must be one of {', '.join(names)}{more}")
    return name
