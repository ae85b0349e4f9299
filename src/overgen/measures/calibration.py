"""Temperature scaling, and how far scores are from calibrated (Guo et al. 2017, arXiv:1706.04599).

One temperature T > 0 divides all logits of a network before its softmax. T > 1 makes scores more modest, T < 1 surer,
and the class with the highest score stays what it is. T minimises the mean negative log-likelihood of images that the
network was not trained on; that is convex in 1/T.

COOL has ω units for each class, one softmax p over all of them, and the score Π ω·p over the units of a class: T
divides the logits of the units. With ω = 1 its score is a softmax, so that all networks are treated by one formula.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special

from overgen.measures import metrics
from overgen.measures.intervals import Interval

if TYPE_CHECKING:
    import torch

RANGE = (0.01, 100.0)  # in which T is looked for
Z = float(special.ndtri(0.975))  # of a two-sided 95 % interval
CLOSE = 1e-6  # of log T, to which it is found
GRID = 47  # places of log T that are looked at first, a fifth apart
STEP = 1e-3  # of log T, over which differences are taken
ROUNDING = 1e-15  # by which log s lies below 0 at least, so that a mistake costs 34.5 nats at most


class Temperature(NamedTuple):
    """A temperature that was fitted, its 95 % interval, and of how many images.

    interval: None at an end of `RANGE`, where the likelihood has no maximum inside: where every image is labelled right
    it grows without end as T falls.
    """

    value: float
    interval: Interval | None
    images: int


def log_scores(logits: np.ndarray, temperature: float, classes: int) -> np.ndarray:
    """log y of images with all logits divided by a temperature.

    logits: (N, C·ω) of the units before the softmax, those of a class beside each other, up to a constant for each
    image, so that log y of a softmax does as well; classes: C.
    Returns (N, C) float64, ≤ 0. Raises ValueError unless the temperature is above 0 and the units are as many for each
    class.
    """
    units = _units(logits, classes)
    if not temperature > 0:
        raise ValueError(f"temperature {temperature}: must be above 0")
    omega = units.shape[2]
    scaled = units / temperature
    log_p = scaled - special.logsumexp(scaled, axis=(1, 2), keepdims=True)
    return log_p.sum(2) + omega * math.log(omega)


def _units(logits: np.ndarray, classes: int) -> np.ndarray:
    """(N, C, ω) float64."""
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 2 or not classes or not logits.shape[1] or logits.shape[1] % classes:
        raise ValueError(f"logits {logits.shape}: must be (N, C·ω), of {classes} classes")
    return logits.reshape(len(logits), classes, logits.shape[1] // classes)


def fit(logits: np.ndarray, labels: np.ndarray, classes: int) -> Temperature:
    """The temperature at which the mean negative log-likelihood −log y of the labels is least.

    logits, classes: as of `log_scores`; labels: (N,) integers in 0..C−1.
    The interval is the sandwich of an M-estimator (Huber 1967) in 1/T, laid on log T; it treats images as independent.
    Raises ValueError for no image, or a label that is no class.
    """
    labels = np.asarray(labels)
    units = _units(logits, classes)
    if not len(units) or labels.shape != (len(units),) or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels {labels.shape}: must be one of 0..{classes - 1} for each of {len(units)} images")
    omega = units.shape[2]
    units = units - units.max(axis=(1, 2), keepdims=True)
    of_label = units[np.arange(len(units)), labels].sum(1)

    def loss(log_temperature: float) -> float:
        scaled = units / math.exp(log_temperature)
        return float((omega * special.logsumexp(scaled, axis=(1, 2)) - of_label / math.exp(log_temperature)).mean())

    ends = tuple(map(math.log, RANGE))
    found = optimize.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": CLOSE, "maxiter": 500})
    log_temperature = float(found.x)
    value = math.exp(log_temperature)
    if min(log_temperature - ends[0], ends[1] - log_temperature) < 1e-3:
        return Temperature(value, None, len(units))
    scaled = units / value
    p = np.exp(scaled - special.logsumexp(scaled, axis=(1, 2), keepdims=True))
    mean = (p * units).sum((1, 2))
    slope = omega * mean - of_label  # of each image's loss, in 1/T
    bend = omega * ((p * units**2).sum((1, 2)) - mean**2)
    half = Z * math.sqrt((slope**2).mean() / len(units)) / bend.mean() * value
    return Temperature(value, (value * math.exp(-half), value * math.exp(half)), len(units))


def fit_top_score(logits: np.ndarray, labels: np.ndarray, classes: int) -> Temperature:
    """The temperature at which the top score is the best chance of its class being right, by the log-loss of that.

    The mean of −log s where the class with the highest score s is right, and of −log (1 − s) where it is not, is least.
    A softmax gets much the same temperature from `fit`. The scores of COOL do not sum to 1 over the classes: the
    likelihood of a label calibrates its units, which need not calibrate the score.
    logits, classes: as of `log_scores`; labels: (N,) integers. The interval is the sandwich as of `fit`, by differences
    over a thousandth of log T. Raises ValueError for no image.
    """
    labels, ends = np.asarray(labels), (math.log(RANGE[0]), math.log(RANGE[1]))
    if not len(labels) or labels.shape != (len(logits),):
        raise ValueError(f"labels {labels.shape}: must be one for each of {len(logits)} images")
    right = log_scores(logits, 1.0, classes).argmax(1) == labels  # at every temperature
    if right.all() or not right.any():
        return Temperature(RANGE[0] if right.all() else RANGE[1], None, len(labels))

    def of_images(log_temperature: float) -> np.ndarray:
        log_s = np.minimum(log_scores(logits, math.exp(log_temperature), classes).max(1), -ROUNDING)
        return np.where(right, -log_s, -np.log(-np.expm1(log_s)))

    grid = np.linspace(*ends, GRID)  # it may have several minima
    place = int(np.argmin([of_images(each).mean() for each in grid]))
    bounds = grid[max(place - 1, 0)], grid[min(place + 1, GRID - 1)]
    found = optimize.minimize_scalar(lambda each: float(of_images(each).mean()), bounds=bounds, method="bounded",
                                     options={"xatol": CLOSE, "maxiter": 500})  # fmt: skip
    log_temperature = float(found.x)
    value = math.exp(log_temperature)
    if min(log_temperature - ends[0], ends[1] - log_temperature) < 1e-3:
        return Temperature(value, None, len(labels))
    below, at, above = (of_images(log_temperature + step) for step in (-STEP, 0.0, STEP))
    bend = float((above - 2 * at + below).mean()) / STEP**2
    if bend <= 0:
        return Temperature(value, None, len(labels))
    half = Z * math.sqrt(float((((above - below) / (2 * STEP)) ** 2).mean()) / len(labels)) / bend
    return Temperature(value, (value * math.exp(-half), value * math.exp(half)), len(labels))


def losses(log_y: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The proper scores of each image, (N,) each, of which less is better.

    negative_log_likelihood: −log y of the label, in nats. brier_score: Σ (y_c − [c is the label])² over the classes
    (Brier 1950), 0 to 2; what COOL leaves to no class has no part in it.
    log_y: (N, C); labels: (N,) integers.
    """
    of_label = log_y[np.arange(len(labels)), labels]
    brier = (np.exp(log_y) ** 2).sum(1) - 2 * np.exp(of_label) + 1
    return {"negative_log_likelihood": -of_label, "brier_score": brier}


def resampled_error(
    scores: np.ndarray, right: np.ndarray, bins: int, resamples: int, draws: torch.Generator
) -> Interval:
    """The 95 % percentile interval of the expected calibration error over images drawn with replacement.

    scores: (N,) of the predicted class; right: (N,) bool; draws: the random stream. The error of a finite sample is too
    large on average, and that of its resamples more so: the interval of a well calibrated network lies high.
    """
    import torch

    errors = []
    for _ in range(resamples):
        chosen = torch.randint(len(scores), (len(scores),), generator=draws).numpy()
        errors.append(metrics.calibration_error(metrics.reliability(scores[chosen], right[chosen], bins)))
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(low), float(high)


def error_by_chance(scores: np.ndarray, bins: int, resamples: int, draws: torch.Generator) -> tuple[float, Interval]:
    """What the expected calibration error of so many images would be if each score were right as often as it says.

    scores: (N,) of the predicted class, in [0, 1]; draws: the random stream, from which it is drawn which are right
    (Bröcker & Smith 2007). Returns the mean and the 2.5 and 97.5 % points: an error among them says nothing against a
    network.
    """
    import torch

    chances = torch.from_numpy(np.ascontiguousarray(scores, np.float64))
    errors = []
    for _ in range(resamples):
        right = (torch.rand(len(chances), generator=draws, dtype=torch.float64) < chances).numpy()
        errors.append(metrics.calibration_error(metrics.reliability(scores, right, bins)))
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(np.mean(errors)), (float(low), float(high))
