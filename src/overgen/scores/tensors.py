"""Fitted scores as functions of tensors: the same values, with a gradient in what they judge.

An attack that goes for a score follows this gradient down to the pixels. Candidates (the nearest mean, neighbours,
ranks of logits) are found without a gradient; what is then measured to them has one.

Where a score is flat there is nothing to follow: Weibull-calibrated machines are exactly 0 behind their gates, and 1 up
to rounding amid a class. Such a score has a *guide* beside it, here its log-odds, that falls and rises on where the
score has stopped, and that is a rising function of the score elsewhere. Of all other scores the guide is the score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError
from overgen.measures.neighbours import SPARE
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

STEEP = 30.0  # of log power, beyond which a guide goes on as a straight line: e³⁰ is far from overflow
BEHIND = 1000.0  # beyond the log-odds of every float64 > 0
NEAR = 1e-3  # in scales of a Weibull fit, below which its logarithm goes on as a straight line


class Values(NamedTuple):
    """Of R rows: score (R,) float64; classes: what the score decides on a class by, (R, K), None where it does not;
    guide (R,) and guides (R, K) or None: as these, but nowhere flat."""

    score: Tensor
    classes: Tensor | None
    guide: Tensor
    guides: Tensor | None


class TensorScore(NamedTuple):
    """A fitted score as a function of tensors.

    of: takes (R, D) of what the score judges, of any float type; a row's values do not depend on the rows beside it.
    rise: the guide of a score that is not flat. classes: the number of each column of `Values.classes`, or None.
    """

    of: Callable[[Tensor], Values]
    rise: Callable[[float], float] = float
    classes: np.ndarray | None = None


def tensor_score(fitted: Any, device: Any = "cpu") -> TensorScore:
    """A fitted score's own tensor form. device: where it shall be computed.

    A user's own score has the method `tensor_score(x)`, which takes a tensor (R, D) and gives (R,), larger = more
    in-distribution, as `score` does. Raises OvergenError for a score that has none: no gradient can be followed there.
    """
    made_by = type(fitted)
    if made_by in FORMS:
        return FORMS[made_by](fitted, lambda array: torch.as_tensor(np.asarray(array, float), device=device))
    if callable(own := getattr(fitted, "tensor_score", None)):
        return plain(lambda x: own(x).double())
    raise OvergenError(
        f"{made_by.__name__}: has no form in tensors, so that no gradient of it can be followed; give the class a "
        "method tensor_score(x) that takes a torch tensor (N, D) and gives what score does, or attack it as a black box"
    )


Arrays = Callable[[Any], Tensor]  # of float64, on the device


def plain(score: Callable[[Tensor], Tensor]) -> TensorScore:
    """Of a score that is nowhere flat and decides on no class."""

    def of(x: Tensor) -> Values:
        value = score(x)
        return Values(value, None, value, None)

    return TensorScore(of)


def by_class(classes: np.ndarray, values: Callable[[Tensor], Tensor], score: Any = None) -> TensorScore:
    """Of a score that decides on the class by the largest of `values` (R, K), and is that largest one unless `score`
    makes it of them."""

    def of(x: Tensor) -> Values:
        each = values(x)
        value = each.amax(1) if score is None else score(each)
        return Values(value, each, value, each)

    return TensorScore(of, classes=classes)


def softmax(_: Softmax, arrays: Arrays) -> TensorScore:
    def score(x: Tensor) -> Tensor:
        top = x.double().sort(1).values
        return -torch.log1p((top[:, :-1] - top[:, -1:]).exp().sum(1))

    return plain(score)


def entropy(_: NegativeEntropy, arrays: Arrays) -> TensorScore:
    def score(x: Tensor) -> Tensor:
        log_p = x.double().log_softmax(1)
        return (log_p.exp() * log_p).sum(1)

    return plain(score)


def max_logit(_: MaxLogit, arrays: Arrays) -> TensorScore:
    return plain(lambda x: x.double().amax(1))


def energy(fitted: Energy, arrays: Arrays) -> TensorScore:
    return plain(lambda x: fitted.temperature * (x.double() / fitted.temperature).logsumexp(1))


def openmax(fitted: OpenMax, arrays: Arrays) -> TensorScore:
    columns, means, tails = torch.as_tensor(fitted.classes), arrays(fitted.means), arrays(fitted.tails)
    alpha = min(fitted.alpha, len(fitted.classes))

    def score(x: Tensor) -> Tensor:
        z = x.double()[:, columns.to(x.device)]
        distances = torch.linalg.vector_norm(z[:, None] - means, dim=2)
        rank = torch.argsort(torch.argsort(-z.detach(), dim=1, stable=True), dim=1)
        share = (alpha - rank).clamp(min=0) / alpha
        taken = z * share * chance(distances, tails, fitted.translation)
        unknown, revised = taken.sum(1), z - taken
        if fitted.by == "unknown":
            return revised.logsumexp(1) - unknown
        return revised.amax(1) - torch.cat([unknown[:, None], revised], 1).logsumexp(1)

    return plain(score)


def nearest_neighbours(fitted: NearestNeighbours, arrays: Arrays) -> TensorScore:
    reference, centre = arrays(fitted.x), arrays(fitted.centre)
    centred = (reference - centre).float()
    norms, count = centred.square().sum(1), min(fitted.neighbours + SPARE, len(reference))

    def score(x: Tensor) -> Tensor:
        x = x.double()
        if fitted.normalise:
            lengths = torch.linalg.vector_norm(x, dim=1, keepdim=True)
            x = x / torch.where(lengths > 0, lengths, 1)
        with torch.no_grad():
            ranked = norms - 2 * (x - centre).float() @ centred.T
            places = ranked.topk(count, dim=1, largest=False).indices
        distances = torch.linalg.vector_norm(x[:, None] - reference[places], dim=2)
        return -distances.kthvalue(fitted.neighbours, dim=1).values

    return plain(score)


def k_means(fitted: KMeansDistance, arrays: Arrays) -> TensorScore:
    means = arrays(fitted.means)

    def score(x: Tensor) -> Tensor:
        x = x.double()
        with torch.no_grad():
            nearest = (means.square().sum(1) - 2 * x @ means.T).argmin(1)
        return -torch.linalg.vector_norm(x - means[nearest], dim=1)

    return plain(score)


def mahalanobis(fitted: Mahalanobis, arrays: Arrays) -> TensorScore:
    means, whitening = arrays(fitted.means), arrays(fitted.whitening)
    centre = means.mean(0)
    white_means = (means - centre) @ whitening.T

    def score(x: Tensor) -> Tensor:
        white = (x.double() - centre) @ whitening.T
        return -torch.stack([(white - mean).square().sum(1) for mean in white_means], 1).amin(1)

    return plain(score)


def gaussian_density(fitted: GaussianDensity, arrays: Arrays) -> TensorScore:
    means, whitenings, constants = (arrays(a) for a in (fitted.means, fitted.whitenings, fitted.constants))

    def score(x: Tensor) -> Tensor:
        x = x.double()
        squares = [((x - mean) @ w.T).square().sum(1) for mean, w in zip(means, whitenings, strict=True)]
        return (constants - torch.stack(squares, 1) / 2).logsumexp(1)

    return plain(score)


def pca(fitted: PcaError, arrays: Arrays) -> TensorScore:
    mean, axes = arrays(fitted.mean), arrays(fitted.axes)

    def score(x: Tensor) -> Tensor:
        residuals = x.double() - mean
        return -torch.linalg.vector_norm(residuals - residuals @ axes @ axes.T, dim=1)

    return plain(score)


def autoencoder(fitted: AutoencoderError, arrays: Arrays) -> TensorScore:
    network = frozen(fitted.network, arrays)

    def score(x: Tensor) -> Tensor:
        x = x.double()
        return -torch.linalg.vector_norm(network(x) - x, dim=1)

    return plain(score)


def other_class(fitted: OtherClass, arrays: Arrays) -> TensorScore:
    network = frozen(fitted.network, arrays)

    def odds(x: Tensor) -> Tensor:  # of each class against "other", in log space
        logits = network(x.double())
        return logits[:, :-1] - logits[:, -1:]

    return by_class(fitted.classes, odds, lambda of_classes: of_classes.logsumexp(1))


def one_vs_set(fitted: OneVsSet, arrays: Arrays) -> TensorScore:
    normals, offsets, slabs = (arrays(a) for a in (fitted.normals, fitted.offsets, fitted.slabs))
    low, high = slabs.T

    def depths(x: Tensor) -> Tensor:
        values = x.double() @ normals + offsets
        return torch.minimum(values - low, high - values) / (high - low)

    return by_class(fitted.classes, depths)


def one_class_svm(fitted: OneClassSVMPerClass, arrays: Arrays) -> TensorScore:
    return by_class(fitted.classes, machines(fitted, arrays))


def one_class_svm_of_all(fitted: OneClassSVM, arrays: Arrays) -> TensorScore:
    vectors, weights = arrays(fitted.support_vectors), arrays(fitted.coefficients)

    def score(x: Tensor) -> Tensor:
        return rbf(x.double(), vectors, fitted.gamma) @ weights + fitted.offset

    return plain(score)


def w_svm(fitted: WeibullSVM, arrays: Arrays) -> TensorScore:
    values_of, count = machines(fitted, arrays), len(fitted.classes)
    tails, alone = arrays(fitted.tails), count == 1

    def of(x: Tensor) -> Values:
        values = values_of(x)
        both = torch.cat([values, -values[:, count:]], 1)
        fits, power = chance(both, tails, fitted.translation), log_power(both, tails, fitted.translation)
        single, of_single = fits[:, :count], log_chance(power[:, :count])
        if alone:
            probability, guides = single, of_single + straightened(power)
        else:
            inside, outside = fits[:, count : 2 * count], fits[:, 2 * count :]
            probability = inside * (1 - outside)
            of_inside, of_outside = power.split(count, 1)[1:]
            log_in, log_not_in = log_chance(of_inside), -straightened(of_inside)
            chance_of_both = log_in - straightened(of_outside)
            guides = chance_of_both - torch.logaddexp(log_not_in, log_in + log_chance(of_outside))
        opened = single > fitted.gate
        if fitted.gate and not alone:  # behind a gate, below all that is not: the way to its opening
            guides = torch.where(opened, guides, guides.clamp(max=0) + of_single - math.log(fitted.gate) - BEHIND)
        probability = probability * opened
        return Values(probability.amax(1), probability, guides.amax(1), guides)

    return TensorScore(of, log_odds, fitted.classes)


def log_odds(chance: float) -> float:
    """log p/(1 − p) of p in [0, 1], ±∞ at its ends."""
    if 0 < chance < 1:
        return math.log(chance) - math.log1p(-chance)
    return math.inf if chance > 0 else -math.inf


def machines(fitted: Any, arrays: Arrays) -> Callable[[Tensor], Tensor]:
    """The decision values of kernel machines, as `kernels.decisions`: (R, D) to (R, C)."""
    vectors, weights, offsets = arrays(fitted.vectors), arrays(fitted.weights), arrays(fitted.offsets)

    def values(x: Tensor) -> Tensor:
        return rbf(x.double(), vectors, fitted.fitted_gamma) @ weights + offsets

    return values


def rbf(x: Tensor, y: Tensor, gamma: float) -> Tensor:
    """exp(−γ‖x − y‖²). x: (R, D); y: (M, D). Returns (R, M)."""
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    return (-gamma * squares.relu()).exp()


def chance(values: Tensor, tails: Tensor, translation: float) -> Tensor:
    """F of Weibull fits, as `weibull.Weibull.cdf`. values: (R, G); tails: (3, G)."""
    shape, log_scale, smallest = tails
    x = values - smallest + translation
    log_x = torch.where(x > 0, x, 1.0).log()
    power = (shape * (log_x - log_scale)).clamp(max=709).exp()
    return torch.where(x > 0, -torch.expm1(-power), 0.0)


def log_power(values: Tensor, tails: Tensor, translation: float) -> Tensor:
    """κ·(log x − log λ) of Weibull fits, F = 1 − exp(−exp of it): see `weibull`. values: (R, G); tails: (3, G).

    Below `NEAR` of a scale λ the logarithm goes on as a straight line, so that it falls on where F is 0.
    """
    shape, log_scale, smallest = tails
    x = values - smallest + translation
    near = NEAR * log_scale.exp()
    above = torch.where(x > near, x, near).log()
    return shape * (torch.where(x > near, above, near.log() + (x - near) / near) - log_scale)


def log_chance(log_power: Tensor) -> Tensor:
    """log F = log(1 − exp(−p)) of log p, to the last digit: for small p it is log p − p/2."""
    power = log_power.clamp(max=STEEP).exp()
    small = log_power < -15
    ordinary = torch.log(-torch.expm1(-torch.where(small, 1.0, power)))
    return torch.where(small, log_power - power / 2, ordinary)


def straightened(log_power: Tensor) -> Tensor:
    """p = −log(1 − F) of log p; beyond e³⁰ it goes on as a straight line in log p."""
    return log_power.clamp(max=STEEP).exp() + math.exp(STEEP) * (log_power - STEEP).relu()


def frozen(network: torch.nn.Module, arrays: Arrays) -> torch.nn.Module:
    """A copy on the device of `arrays`, of whose weights no gradient is taken."""
    from copy import deepcopy

    return deepcopy(network).to(arrays(0.0).device).requires_grad_(False)


FORMS: dict[type[Any], Callable[[Any, Arrays], TensorScore]] = {
    **dict.fromkeys((AutoencoderError, ContractiveError, DenoisingError, EnergyGan), autoencoder),
    Energy: energy,
    GaussianDensity: gaussian_density,
    KMeansDistance: k_means,
    Mahalanobis: mahalanobis,
    MaxLogit: max_logit,
    NearestNeighbours: nearest_neighbours,
    NegativeEntropy: entropy,
    OneClassSVM: one_class_svm_of_all,
    OneClassSVMPerClass: one_class_svm,
    OneVsSet: one_vs_set,
    OpenMax: openmax,
    OtherClass: other_class,
    PcaError: pca,
    Softmax: softmax,
    WeibullSVM: w_svm,
}
