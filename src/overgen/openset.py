"""Open-set scores on the members of train_openset: what each method sees, and how good its scores are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor, nn

from overgen import data, metrics
from overgen.artifacts import OvergenError
from overgen.params import EvaluateScores
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
MEASURES = ["auroc", "aupr", "fpr_at_95_tpr", "oscr", "f_measure", "balanced_accuracy"]
# What unknown images are besides those of other classes: noise; images of the known classes, the pixels of each in an
# order of its own; images of another data set; images that fooled the study's networks.
KINDS = ("uniform", "normal", "shuffled", "other_data", "fooling")


def views(network: nn.Module, images: Tensor, wanted: set[str], *, chunk: int) -> dict[str, np.ndarray]:
    """What methods see of images, each computed once. images: (N, 28, 28) uint8; wanted: of the names below.

    pixels: (N, 784) in [0, 1]; features: the top hidden layer, (N, H); logits: what its last layer `fc2` makes of
    them before the softmax, (N, C), or (N, C·ω) for COOL. float32.
    Raises OvergenError if the network has no such layer.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in sorted(wanted)}
    for block in images.split(chunk):
        x = data.floats(block)
        if "pixels" in wanted:
            found["pixels"].append(x.flatten(1))
        if wanted - {"pixels"}:
            if not hasattr(network, "encode") or ("logits" in wanted and not hasattr(network, "fc2")):
                raise OvergenError(
                    f"params.yaml, evaluate_scores.methods: {type(network).__name__} has no `encode` (for features) or "
                    "`fc2` (for logits); name methods of pixels, scaled_output or confidence for it"
                )
            with torch.no_grad():
                h = network.encode(x)  # type: ignore[operator]
                if "features" in wanted:
                    found["features"].append(h)
                if "logits" in wanted:
                    found["logits"].append(network.fc2(h))  # type: ignore[operator]
    return {name: torch.cat(parts).cpu().numpy() for name, parts in found.items()}


def held_out(labels: Tensor, known: Sequence[int], draws: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Training images of the known classes, in random order: those to fit on, and those to choose a threshold on.

    count: of the latter, at most a fifth of all. Returns indices into labels.
    """
    mine = torch.isin(labels, torch.tensor(list(known))).nonzero()[:, 0]
    mine = mine[torch.randperm(len(mine), generator=draws)]
    count = min(count, len(mine) // 5)
    return mine[count:], mine[:count]


def uniform_images(count: int, draws: torch.Generator) -> Tensor:
    """Images of uniform noise, (count, 28, 28) uint8."""
    return torch.randint(0, 256, (count, data.SIDE, data.SIDE), generator=draws).byte()


def shuffled(images: Tensor, draws: torch.Generator) -> Tensor:
    """Images with the pixels of each in a random order of its own. images: (N, 28, 28) uint8. Returns another such."""
    flat = images.flatten(1)
    order = torch.rand(flat.shape, generator=draws).argsort(1)
    return flat.gather(1, order).view_as(images)


def negatives(pool: str, images: Tensor, draws: torch.Generator) -> Tensor:
    """As many negatives of a pool as there are images that a method is fitted on. images: (N, 28, 28) uint8."""
    return uniform_images(len(images), draws) if pool == "uniform" else shuffled(images, draws)


def threshold(scores: np.ndarray, keep: float) -> float:
    """The highest threshold that keeps at least a share `keep` of scores (N,), where "keep" is score ≥ threshold."""
    return float(np.sort(scores)[len(scores) - math.ceil(keep * len(scores) - 1e-9)])


def decisions(predicted: np.ndarray, accepted: np.ndarray, classes: int) -> np.ndarray:
    """Classes and acceptances as the log scores that `metrics` judges at τ = ½. Returns (N, classes)."""
    found = np.full((len(predicted), classes), -np.inf)
    found[np.arange(len(predicted)), predicted] = np.where(accepted, 0.0, -1.0)
    return found


def trial(
    scores: Mapping[str, np.ndarray], labels: np.ndarray, known: np.ndarray, keep: float, classes: int
) -> dict[str, float]:
    """One method on one member.

    scores: of `held_out`, `test`, and those of KINDS that there are, (N,) each, and `predicted` classes (N,) of the
    test images; labels: (N,); known: the known classes. What tells known from unknown is NaN where all classes are
    known, and of a kind of which there is no image.
    """
    mine, found = np.isin(labels, known), scores["test"]
    at = threshold(scores["held_out"], keep)
    result: dict[str, float] = dict.fromkeys(MEASURES, np.nan)
    if not mine.all():
        right = scores["predicted"][mine] == labels[mine]
        result["auroc"] = metrics.auroc(found[mine], found[~mine])
        result["aupr"] = metrics.aupr(found[mine], found[~mine])
        result["fpr_at_95_tpr"] = metrics.fpr_at_tpr(found[mine], found[~mine], 0.95)
        result["oscr"] = metrics.oscr(found[mine], right, found[~mine])
    answers = decisions(scores["predicted"], found >= at, classes)
    result["f_measure"] = metrics.f_measure(answers, labels, known.tolist(), 0.5)
    result["balanced_accuracy"] = metrics.balanced_accuracy(answers, labels, known.tolist(), 0.5)
    for kind in KINDS:
        result[f"auroc_{kind}"] = metrics.auroc(found[mine], scores[kind]) if kind in scores else np.nan
    return result | {"threshold": at, "known_accepted": float(np.mean(found[mine] >= at))}


def confusion(scores: Mapping[str, np.ndarray], labels: np.ndarray, known: np.ndarray, at: float) -> pd.DataFrame:
    """How often an image of a class (−1: unknown) gets which answer at a threshold: truth, answer, count."""
    answer = np.where((scores["test"] >= at) & np.isin(scores["predicted"], known), scores["predicted"], -1)
    truth = np.where(np.isin(labels, known), labels, -1)
    names = [*known.tolist(), -1]
    counts = [(t, a, int(np.sum((truth == t) & (answer == a)))) for t in names for a in names]
    return pd.DataFrame(counts, columns=["truth", "answer", "count"])


def histogram(kinds: Mapping[str, np.ndarray], bins: int, *, span: Sequence[str]) -> pd.DataFrame:
    """How often scores fall into equal bins; what lies beyond the first and the last counts to these.

    kinds: (N,) scores by kind; span: the kinds between whose 0.5 % and 99.5 % quantiles the bins lie. Returns a row for
    each kind and bin: kind, low, high, count.
    """
    low, high = np.quantile(np.concatenate([kinds[kind] for kind in span]), [0.005, 0.995])
    edges = np.array([float(f"{edge:.6g}") for edge in np.linspace(low, high, bins + 1)])
    if not (np.diff(edges) > 0).all():  # scores that are all alike
        edges = np.linspace(low - 1, low + 1, bins + 1)
    parts = [
        pd.DataFrame({"kind": kind, "low": edges[:-1], "high": edges[1:],
                      "count": np.histogram(values.clip(edges[0], edges[-1]), edges)[0]})
        for kind, values in kinds.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def stratified_mean(groups: Sequence[np.ndarray], bounds: tuple[float, float]) -> tuple[float, Any]:
    """The mean of the groups' means, and its 95 % t interval within bounds, None if no group has two values.

    Variances are pooled as Σ s²/n over the groups, with Satterthwaite's degrees of freedom; a group of one value says
    nothing of its spread and is taken to have the others' mean variance.
    """
    means = np.array([group.mean() for group in groups])
    spread = np.array([group.var(ddof=1) if len(group) > 1 else np.nan for group in groups])
    value = float(means.mean())
    if np.isnan(spread).all():
        return value, None
    counts = np.array([len(group) for group in groups])
    parts = np.where(np.isnan(spread), np.nanmean(spread), spread) / counts
    several = counts > 1
    weight = (parts[several] ** 2 / (counts[several] - 1)).sum()
    freedom = parts[several].sum() ** 2 / weight if weight > 0 else float((counts[several] - 1).sum())
    half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(parts.sum()) / len(groups)
    return value, (max(value - half, bounds[0]), min(value + half, bounds[1]))
