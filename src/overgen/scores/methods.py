"""Open-set scores made by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.energy import Energy
from overgen.scores.entropy import NegativeEntropy
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.k_means import KMeansDistance
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.max_logit import MaxLogit
from overgen.scores.names import FITTED
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.openmax import OpenMax
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax
from overgen.scores.w_svm import WeibullSVM

CLASSES: dict[str, type[Any]] = {
    made.__name__: made
    for made in (
        *(AutoencoderError, Energy, GaussianDensity, KMeansDistance, Mahalanobis, MaxLogit, NearestNeighbours),
        *(NegativeEntropy, OneClassSVMPerClass, OneVsSet, OpenMax, OtherClass, PcaError, Softmax, WeibullSVM),
    )
}  # fmt: skip


def make(name: str, options: Mapping[str, Any]) -> Any:
    """A score that is not fitted yet. name: of `names.FITTED`; options: as `options_on` gives them."""
    score = FITTED[name]
    return CLASSES[score.made_by](**{option: options[option] for option in score.takes}, **score.fixed)


def options_on(dataset: str, option: Callable[[str], Any]) -> dict[str, Any]:
    """The options that scores take on a data set, by name. option: gives one of evaluate_scores in params.yaml."""
    updates = option("network_updates")
    named = {name: option(name) for name in ("neighbours", "clusters", "components", "tail")}
    return named | {"updates": updates.get(dataset, updates["other"])}
