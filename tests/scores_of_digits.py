"""What makes each score, and what it is fitted to: for tests on real digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.contractive import ContractiveError
from overgen.scores.denoising import DenoisingError
from overgen.scores.energy import Energy
from overgen.scores.energy_gan import EnergyGan
from overgen.scores.entropy import NegativeEntropy
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.k_means import KMeansDistance
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.max_logit import MaxLogit
from overgen.scores.one_class_svm import OneClassSVM
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.openmax import OpenMax
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax
from overgen.scores.w_svm import WeibullSVM

KNOWN = 6  # of ten digits

# What makes each score, and whether it judges logits rather than pixels.
SCORES: dict[str, tuple[Callable[[], Any], bool]] = {
    "softmax": (Softmax, True),
    "max_logit": (MaxLogit, True),
    "energy": (lambda: Energy(temperature=2.0), True),
    "entropy": (NegativeEntropy, True),
    "openmax": (lambda: OpenMax(alpha=4), True),
    "openmax_max": (lambda: OpenMax(alpha=4, by="max", translation=1.0), True),
    "knn": (lambda: NearestNeighbours(neighbours=3), False),
    "knn_normalised": (lambda: NearestNeighbours(neighbours=3, normalise=True), False),
    "k_means": (lambda: KMeansDistance(clusters=20), False),
    "mahalanobis": (Mahalanobis, False),
    "gaussian_density": (GaussianDensity, False),
    "pca": (lambda: PcaError(components=20), False),
    "one_class_svm": (OneClassSVMPerClass, False),
    "one_class_svm_of_all": (lambda: OneClassSVM(nu=0.1, gamma=1.0), False),
    "w_svm": (WeibullSVM, False),
    "one_vs_set": (OneVsSet, False),
    "autoencoder": (lambda: AutoencoderError(hidden=8, updates=400, batch_size=32), False),
    "denoising": (lambda: DenoisingError(hidden=8, updates=400, batch_size=32), False),
    "contractive": (lambda: ContractiveError(contraction=0.01, hidden=8, updates=400, batch_size=32), False),
    "energy_gan": (lambda: EnergyGan(hidden=8, updates=300, batch_size=32), False),
    "other_class": (lambda: OtherClass(hidden=30, updates=500, batch_size=32, learning_rate=0.01), False),
    "other_class_linear": (lambda: OtherClass(hidden=0, updates=500, batch_size=32, learning_rate=0.01), False),
}


def fit(score: Any, x: np.ndarray, labels: np.ndarray) -> Any:
    """A score fitted; one that needs negatives gets x turned round, each row in another order."""
    if isinstance(score, OtherClass):
        return score.fit(x, labels, negatives=np.random.default_rng(0).permuted(1 - x, axis=1))
    return score.fit(x, labels)
