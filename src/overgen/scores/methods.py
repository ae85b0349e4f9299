"""Open-set scores by name, as evaluate_scores.methods lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.energy import Energy
from overgen.scores.entropy import NegativeEntropy
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.k_means import KMeansDistance
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.max_logit import MaxLogit
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.openmax import OpenMax
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax
from overgen.scores.w_svm import WeibullSVM
from overgen.stages.evaluate_scores.params import EvaluateScores


class Options(NamedTuple):
    """What the methods take of the section evaluate_scores; updates: network_updates of one data set."""

    neighbours: int
    clusters: int
    components: int
    tail: int
    updates: int

    @classmethod
    def on(cls, dataset: str, section: EvaluateScores) -> Options:
        updates = section.network_updates.get(dataset, section.network_updates["other"])
        return cls(section.neighbours, section.clusters, section.components, section.tail, updates)


class Method(NamedTuple):
    """view: what of an image it judges, see `views`; make: the score, by the options; costly: N² to fit.

    pool: of the negatives that it is fitted on as well, see `negatives`; "" for none.
    """

    view: str
    make: Callable[[Options], Any]
    costly: bool = False
    pool: str = ""


# The methods of params.yaml that are fitted; ỹ and c̃ come from the network's outputs (`confidence.scaled_scores`).
METHODS: dict[str, Method] = {
    "softmax": Method("logits", lambda o: Softmax()),
    "entropy": Method("logits", lambda o: NegativeEntropy()),
    "max_logit": Method("logits", lambda o: MaxLogit()),
    "energy": Method("logits", lambda o: Energy()),
    "openmax": Method("logits", lambda o: OpenMax(tail=o.tail)),
    "openmax_max": Method("logits", lambda o: OpenMax(tail=o.tail, by="max")),
    "knn": Method("features", lambda o: NearestNeighbours(neighbours=o.neighbours)),
    "knn_normalised": Method("features", lambda o: NearestNeighbours(neighbours=o.neighbours, normalise=True)),
    "k_means": Method("features", lambda o: KMeansDistance(clusters=o.clusters)),
    "mahalanobis": Method("features", lambda o: Mahalanobis()),
    "gaussian_density": Method("features", lambda o: GaussianDensity()),
    "pca": Method("features", lambda o: PcaError(components=o.components)),
    "one_class_svm": Method("features", lambda o: OneClassSVMPerClass(), costly=True),
    "w_svm": Method("features", lambda o: WeibullSVM(tail=o.tail), costly=True),
    "one_vs_set": Method("features", lambda o: OneVsSet(), costly=True),
    "knn_pixels": Method("pixels", lambda o: NearestNeighbours(neighbours=o.neighbours)),
    "k_means_pixels": Method("pixels", lambda o: KMeansDistance(clusters=o.clusters)),
    "pca_pixels": Method("pixels", lambda o: PcaError(components=o.components)),
    "one_class_svm_pixels": Method("pixels", lambda o: OneClassSVMPerClass(), costly=True),
    "w_svm_pixels": Method("pixels", lambda o: WeibullSVM(tail=o.tail), costly=True),
    "one_vs_set_pixels": Method("pixels", lambda o: OneVsSet(), costly=True),
    "autoencoder_pixels": Method("pixels", lambda o: AutoencoderError(updates=o.updates)),
    "other_uniform": Method("features", lambda o: OtherClass(hidden=0, updates=o.updates), pool="uniform"),
    "other_shuffled": Method("features", lambda o: OtherClass(hidden=0, updates=o.updates), pool="shuffled"),
    "other_uniform_pixels": Method("pixels", lambda o: OtherClass(updates=o.updates), pool="uniform"),
    "other_shuffled_pixels": Method("pixels", lambda o: OtherClass(updates=o.updates), pool="shuffled"),
}
