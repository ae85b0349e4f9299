"""What `evaluate_calibration` makes of logits, stored images and new trials: temperatures, and the rows of its cell.

Numbers are given before and after: `temperature=1` and `temperature=fitted`, where each half of the test images is
judged at the temperature of the other; at `temperature=top_score`, fitted likewise, but to the top score as the chance
that its class is right; a few at `temperature=training` as well, that of training images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from overgen import OvergenError
from overgen.measures import calibration, metrics
from overgen.measures.calibration import Temperature
from overgen.measures.intervals import mean_interval
from overgen.measures.outputs import scaled_scores
from overgen.measures.separation import fpr_at_tpr
from overgen.measures.steps import steps_row
from overgen.run import results
from overgen.run.streams import generator
from overgen.stages.attack_scores.summary import rate

EXPERIMENT = "calibration"
BEFORE, AFTER, TOP, TRAINING = "1", "fitted", "top_score", "training"  # temperatures that numbers are given at
OF_C = ("distance", "gamma", "pixels")  # what c̃ needs to know of an image, as `image_outputs` gives it
LOSSES = {"negative_log_likelihood": ("nats", math.inf), "brier_score": ("fraction", 2.0)}  # unit, largest value
TRIAL = ["tau", "alpha", "start", "target", "trial"]  # columns that tell the trials of a network apart
KEPT = {("fool_fgn", "y"): "fgn", ("fool_fgn", "scaled"): "fgn_scaled"}  # of images that fooled: how rows call them

Arrays = Mapping[str, np.ndarray]  # of N images: logits (N, C·ω), and where there is a c̃ those of `OF_C`
Pair = tuple[float, float]  # (τ, α)


class Temperatures(NamedTuple):
    """halves: (N,) 0 or 1, the half of each test image; of_halves: fitted on each; test: on all; training: on training
    images. top_of_halves, top: as of_halves and test, by the top score."""

    halves: np.ndarray
    of_halves: tuple[Temperature, Temperature]
    test: Temperature
    training: Temperature
    top_of_halves: tuple[Temperature, Temperature]
    top: Temperature

    def judging(self, name: str) -> tuple[float, float]:
        """The temperatures at which images of the two halves are judged. name: of those that numbers are given at."""
        return {
            BEFORE: (1.0, 1.0),
            AFTER: (self.of_halves[1].value, self.of_halves[0].value),
            TOP: (self.top_of_halves[1].value, self.top_of_halves[0].value),
            TRAINING: (self.training.value, self.training.value),
        }[name]


def temperatures(test: Arrays, training: Arrays, classes: int, *, key: Sequence[str]) -> Temperatures:
    """All that are fitted. test, training: with labels (N,); key: of the random stream that makes the halves."""
    count = len(test["labels"])
    halves = np.zeros(count, int)
    halves[torch.randperm(count, generator=generator("calibration", *key, "halves"))[: count // 2].numpy()] = 1
    logits, labels = test["logits"], test["labels"]

    def by_half(fit: Callable[..., Temperature]) -> tuple[Temperature, Temperature]:
        first, second = (fit(logits[halves == half], labels[halves == half], classes) for half in (0, 1))
        return first, second

    return Temperatures(
        halves=halves,
        of_halves=by_half(calibration.fit),
        test=calibration.fit(logits, labels, classes),
        training=calibration.fit(training["logits"], training["labels"], classes),
        top_of_halves=by_half(calibration.fit_top_score),
        top=calibration.fit_top_score(logits, labels, classes),
    )


def cell(
    test: Arrays,
    kinds: Mapping[str, Arrays],
    found: Temperatures,
    pairs: Sequence[Pair],
    beta: float,
    *,
    classes: int,
    bins: int,
    resamples: int,
    key: Sequence[str],
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """The rows of temperatures, test images and unknown images; and the reliability diagrams, a row a bin.

    test: with labels (N,); kinds: of unknown images by kind, which are in two halves as well, in turn; pairs: each τ
    with its α, rising, the last of which has a say in what is accepted without a fixed τ; beta: β of Γ; bins: of the
    diagrams; resamples: of the images; key: of the random streams.
    """
    rows, diagrams = temperature_rows(found), []
    for name in (BEFORE, AFTER, TOP, TRAINING):
        log_y = judged(test, found.halves, found.judging(name), classes)
        scores, right = np.exp(log_y.max(1)), log_y.argmax(1) == test["labels"]
        diagram = metrics.reliability(scores, right, bins)
        diagrams.append(pd.DataFrame({"temperature": name} | diagram._asdict()))
        rows += quality_rows(log_y, test["labels"], diagram, bins, resamples, name=name, key=key)
        if name != TRAINING:
            rows += threshold_rows(test, kinds, found, pairs, beta, classes=classes, name=name)
    return rows, pd.concat(diagrams, ignore_index=True)


def refused(why: str) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """As `cell`, of a network that has no temperature, and why."""
    columns = ["temperature", *metrics.Reliability._fields]
    metric, note = "temperature@fitted_on=test", f"not testable: {why}"
    return [results.row(EXPERIMENT, metric, None, unit="temperature", n=0, note=note)], pd.DataFrame(columns=columns)


def judged(images: Arrays, halves: np.ndarray, temperatures: tuple[float, float], classes: int) -> np.ndarray:
    """log y (N, C) of images, each at the temperature of its half. halves: (N,) 0 or 1."""
    first, second = (calibration.log_scores(images["logits"], each, classes) for each in temperatures)
    return np.where(halves[:, None] == 0, first, second)


def scaled(images: Arrays, log_y: np.ndarray, *, alpha: float, beta: float) -> np.ndarray:
    """log ỹ (N, C) = log c̃ + log y of images, of which c̃ is what it was. log_y: (N, C) at their temperatures."""
    own = {name: images[name][None] for name in OF_C if name in images}
    return scaled_scores(own | {"log_y": log_y[None]}, 0, alpha=alpha, beta=beta)


def temperature_rows(found: Temperatures) -> list[dict[str, Any]]:
    """The temperatures, by what they were fitted on."""
    fitted = {"first_half": found.of_halves[0], "second_half": found.of_halves[1], "test": found.test}
    rows = []
    for name, each in (fitted | {"training": found.training, "top_score": found.top}).items():
        images = "training images" if name == "training" else "test images"
        low, high = calibration.RANGE
        note = "" if each.interval else f"at an end of the range {low:g} to {high:g}: no best temperature inside"
        kind = f"95 % sandwich interval over {each.images} {images}"
        row = results.row(EXPERIMENT, f"temperature@fitted_on={name}", each.value, unit="temperature", n=each.images,
                          interval=each.interval, kind=kind, note=note)  # fmt: skip
        rows.append(row)
    return rows


def quality_rows(
    log_y: np.ndarray,
    labels: np.ndarray,
    diagram: metrics.Reliability,
    bins: int,
    resamples: int,
    *,
    name: str,
    key: Sequence[str],
) -> list[dict[str, Any]]:
    """How right and how well calibrated y is, without a threshold. log_y: (N, C) at the temperatures of that name."""
    n, scores, right = len(labels), np.exp(log_y.max(1)), log_y.argmax(1) == labels
    suffix = f"@temperature={name}"
    rows = [results.rate_row(EXPERIMENT, f"accuracy{suffix}", [int(right.sum())], n, of="test images")]
    means = {loss: (values, *LOSSES[loss]) for loss, values in calibration.losses(log_y, labels).items()}
    means["mean_top_score"] = (scores, "fraction", 1.0)
    for metric, (values, unit, most) in means.items():
        interval = mean_interval(values, bounds=(0.0, most)) if n > 1 else None
        kind = f"95 % t interval of the mean over {n} test images"
        value = float(values.mean())
        rows.append(results.row(EXPERIMENT, metric + suffix, value, unit=unit, n=n, interval=interval, kind=kind))
    draws = [generator("calibration", *key, name, what) for what in ("resampled", "chance")]
    error = metrics.calibration_error(diagram)
    spread = calibration.resampled_error(scores, right, bins, resamples, draws[0])
    chance, by_chance = calibration.error_by_chance(scores, bins, resamples, draws[1])
    for metric, value, interval, kind in (
        ("calibration_error", error, spread, f"95 % percentile bootstrap over {n} test images"),
        ("calibration_error_by_chance", chance, by_chance, f"95 % of {resamples} draws of {n} calibrated scores"),
    ):
        rows.append(results.row(EXPERIMENT, metric + suffix, value, unit="fraction", n=n, interval=interval, kind=kind))
    return rows


def threshold_rows(
    test: Arrays,
    kinds: Mapping[str, Arrays],
    found: Temperatures,
    pairs: Sequence[Pair],
    beta: float,
    *,
    classes: int,
    name: str,
) -> list[dict[str, Any]]:
    """What is accepted at each τ; and of unknown images where 95 % of the test images are, with the α of the last τ."""
    labels, suffix = test["labels"], f"@temperature={name}"
    at = found.judging(name)
    log_y = judged(test, found.halves, at, classes)
    of_kinds = {kind: judged(images, np.arange(len(images["logits"])) % 2, at, classes)
                for kind, images in kinds.items()}  # fmt: skip
    rows, known = [], np.zeros(0)
    for tau, alpha in pairs:
        scores = scaled(test, log_y, alpha=alpha, beta=beta)
        known, right = scores.max(1), scores.argmax(1) == labels
        above = known > math.log(tau)
        hits, n = int(above.sum()), len(labels)
        both = int((right & above).sum())
        rows += [
            results.rate_row(EXPERIMENT, f"accepted{suffix}", [hits], n, of="test images", tau=tau),
            results.rate_row(EXPERIMENT, f"accepted_accuracy{suffix}", [both], n, of="test images", tau=tau),
            results.rate_row(EXPERIMENT, f"right_of_accepted{suffix}", [both], hits, of="test images above τ", tau=tau)
            if hits else nothing(f"right_of_accepted{suffix}", tau, "no test image is above τ"),
        ]  # fmt: skip
        for kind, images in kinds.items():
            unknown = scaled(images, of_kinds[kind], alpha=alpha, beta=beta).max(1)
            above_tau = [int((unknown > math.log(tau)).sum())]
            metric = f"accepted@kind={kind}{suffix}"
            rows.append(results.rate_row(EXPERIMENT, metric, above_tau, len(unknown), of="images", tau=tau))
    for kind, images in kinds.items():
        unknown = scaled(images, of_kinds[kind], alpha=pairs[-1][1], beta=beta).max(1)
        estimate = fpr_at_tpr(known, unknown)
        interval = estimate.interval and (100 * estimate.interval[0], 100 * estimate.interval[1])
        kind_of = f"95 % interval over {len(unknown)} images, and over the {len(known)} test images of the threshold"
        row = results.row(EXPERIMENT, f"fpr_at_95_tpr@kind={kind}{suffix}", 100 * estimate.value, unit="percent",
                          n=len(unknown), interval=interval, kind=kind_of)  # fmt: skip
        rows.append(row)
    return rows


def nothing(metric: str, tau: float, why: str) -> dict[str, Any]:
    """A row of a rate of nothing."""
    return results.row(EXPERIMENT, metric, None, unit="percent", n=0, tau=tau, note=f"not testable: {why}")


def kept_rows(kept: pd.DataFrame) -> list[dict[str, Any]]:
    """Of the images that fooled before, how many pass τ as they are kept, before and after, by attack.

    kept: a row an image, with attack, variant, tau, and the scores `plain` and `calibrated` of its target.
    """
    rows = []
    pairs = zip(kept["attack"], kept["variant"], strict=True)
    names = [KEPT.get(pair, pair[0].removeprefix("fool_")) for pair in pairs]
    groups: Any = kept.groupby([pd.Series(names, kept.index, str), "tau"], sort=False)
    for (attack, tau), images in groups:
        for name, column in ((BEFORE, "plain"), (AFTER, "calibrated")):
            metric = f"fooling_rate_of_kept@attack={attack}@temperature={name}"
            hits = [int((images[column] > tau).sum())]
            rows.append(results.rate_row(EXPERIMENT, metric, hits, len(images), of="images that fooled", tau=tau))
    return rows


def with_steps_before(table: pd.DataFrame, earlier: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """New trials with the column step_before, that of the same trial in the cell of `fool_gradient`.

    table: of one network; earlier: the trials.csv of the cell, of all networks; folder: of the cell. Raises
    OvergenError where it lacks a trial.
    """
    same = earlier.rename(columns={"step": "step_before"})[["seed", *TRIAL, "step_before"]]
    joined = table.merge(same, how="left", on=["seed", *TRIAL], indicator=True, validate="one_to_one")
    if (lacking := joined["_merge"] != "both").any():
        trial = joined.loc[lacking, TRIAL].iloc[0].to_dict()
        address = "-".join(folder.parts[index] for index in (-3, -1))
        raise OvergenError(f"{folder}/trials.csv: has no trial {trial}; `dvc repro fool_gradient@{address}` makes it")
    return joined.drop(columns="_merge").astype({"step_before": "Int64"})


def trial_rows(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """How many trials fool, before and after, and how soon, by start. trials: of `with_steps_before`."""
    rows = []
    groups: Any = trials.groupby(["tau", "start"], sort=False)
    for (tau, start), some in groups:
        for name, column in ((BEFORE, "step_before"), (AFTER, "step")):
            suffix = f"@start={start}@temperature={name}"
            hits = some[column].notna()
            rows.append(rate(f"fooling_rate{suffix}", hits, some["target"]) | {"experiment": EXPERIMENT, "tau": tau})
            fooled = some[hits]
            metric = f"mean_steps_to_fool{suffix}"
            rows.append(steps_row(EXPERIMENT, metric, fooled[column], fooled["target"], tau=tau))
    return rows
