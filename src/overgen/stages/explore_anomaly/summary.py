"""What `explore_anomaly` makes of errors: its tables, and the rows of its cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import metrics
from overgen.measures.histograms import histograms
from overgen.measures.intervals import mean_interval
from overgen.measures.means import mean_row, seeds_row
from overgen.measures.outputs import part
from overgen.run import results
from overgen.stages.explore_anomaly import tutorial

EXPERIMENT = "anomaly"
RECONSTRUCTION = ("mse", "rmse", "mae", "bce")
JUDGED = ("rmse", "bce", "mahalanobis", "gaussian_density", "knn")  # mse has the order of rmse
UNITS = {"mse": "squared, pixels in [0,1]", "rmse": "rms pixel in [0,1]", "mae": "pixels in [0,1]",
         "bce": "nats per pixel", "gaussian_density": "nats"}  # fmt: skip
OF_CODES = "in the code"
REPORTED_MEAN, REPORTED_DEVIATION = 0.105, 0.036  # of the slides, in nats per pixel if their network is the tutorial's
REPORTED_KNOWN, REPORTED_UNKNOWN = 0.141, 0.269  # errors of an image that passes and of one that does not
LARGEST_CODE = 64  # units of a code whose covariance a cell keeps
POINTS = np.linspace(0, 1, 51)  # false positive rates of the ROC curves
BINS = 60

Arrays = Mapping[str, np.ndarray]  # `<measure>.<part>`, (N,) each, larger = stranger


def cell(
    errors: Mapping[str, Arrays], labels: np.ndarray, curves: pd.DataFrame, deviations: Sequence[int]
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame]]:
    """The rows and the tables of the cell.

    errors: by network; labels: (N,) of the known images; curves: of `tutorial.curve`, with their `seed`.
    deviations: k of the thresholds mean + k·deviation.
    """
    rows, classes, rocs, rejected, bins = [], [], [], [], []
    for model, arrays in errors.items():
        for measure in dict.fromkeys(name.partition(".")[0] for name in arrays):
            by_part = part(arrays, measure)
            held_out, known = by_part.pop("held_out"), by_part.pop("known")
            rows += statistics(model, measure, held_out)
            if measure not in JUDGED:
                continue
            areas = pd.DataFrame(by_class(known, labels, by_part)).assign(model=model, measure=measure)
            classes.append(areas)
            rows += area_rows(model, measure, areas)
            rocs.append(roc(known, labels, by_part).assign(model=model, measure=measure))
            for k in deviations:
                limit = threshold(held_out, k)
                shares = [(kind, int((values > limit).sum()), len(values))
                          for kind, values in {"known": known, **by_part}.items()]  # fmt: skip
                rejected += [(model, measure, k, limit, *share) for share in shares]
                rows += rejected_rows(model, measure, k, shares, kinds=k == max(deviations))
        kinds = part(arrays, "rmse")
        kinds = {"test images": kinds["known"]} | {k: v for k, v in kinds.items() if k not in ("known", "held_out")}
        bins.append(histograms(kinds, BINS).assign(model=model))
    rows += tutorial_rows(curves, len(labels))
    columns = ["model", "measure", "k", "threshold", "kind", "rejected", "images"]
    return rows, {
        "classes": pd.concat(classes, ignore_index=True),
        "roc": pd.concat(rocs, ignore_index=True),
        "thresholds": pd.DataFrame(rejected, columns=columns),
        "errors": pd.concat(bins, ignore_index=True),
        "tutorial": curves,
    }


def threshold(held_out: np.ndarray, k: float) -> float:
    """Mean + k·deviation of the errors of known images; an error above it is an anomaly."""
    return float(held_out.mean() + k * held_out.std(ddof=1))


def statistics(model: str, measure: str, held_out: np.ndarray) -> list[dict[str, Any]]:
    """Mean and deviation of the errors of known images that set thresholds."""
    unit = UNITS.get(measure, OF_CODES)
    spread = float(held_out.std(ddof=1))
    return [
        results.row(
            EXPERIMENT, results.metric("error_mean", measure=measure), float(held_out.mean()), unit=unit,
            n=len(held_out), interval=mean_interval(held_out), kind="95 % t interval of the mean over test images",
            model=model,
        ),
        results.row(
            EXPERIMENT, results.metric("error_deviation", measure=measure), spread, unit=unit, n=len(held_out),
            model=model,
        ),
    ]  # fmt: skip


def by_class(known: np.ndarray, labels: np.ndarray, unknown: Arrays) -> Iterator[dict[str, Any]]:
    """AUROC of the images of each class against each kind. known: (N,) errors; labels: (N,)."""
    for kind, values in unknown.items():
        for label in np.unique(labels[labels >= 0]).tolist():
            yield {"kind": kind, "class": label, "auroc": metrics.auroc(-known[labels == label], -values)}


def area_rows(model: str, measure: str, areas: pd.DataFrame) -> list[dict[str, Any]]:
    """AUROC on each kind, a mean over the classes of the known images, and the mean over the kinds."""
    means, rows = [], []
    for kind, of_kind in areas.groupby("kind", sort=False):
        values = of_kind["auroc"].to_numpy()
        name = results.metric("auroc", kind=str(kind), measure=measure)
        over = "classes of known images"
        rows.append(mean_row(EXPERIMENT, name, values, unit="fraction", over=over, bounds=(0, 1)) | {"model": model})
        means.append(float(values.mean()))
    name = results.metric("auroc_mean", measure=measure)
    over = "kinds of unknown images"
    of_all = mean_row(EXPERIMENT, name, np.array(means), unit="fraction", over=over, bounds=(0, 1))
    return [*rows, of_all | {"model": model}]


def roc(known: np.ndarray, labels: np.ndarray, unknown: Arrays) -> pd.DataFrame:
    """The mean ROC over kinds, with the 95 % t interval of its mean over the classes of the known images.

    Returns a row for each of `POINTS`: share of known images rejected (fpr), of unknown ones (tpr, low, high).
    """
    curves = []
    for label in np.unique(labels[labels >= 0]):
        highest = np.r_[np.sort(known[labels == label])[::-1], -np.inf]
        limits = highest[np.floor(POINTS * (len(highest) - 1) + 1e-9).astype(int)]  # so many lie above each
        of_kinds = [[float(np.mean(values > limit)) for limit in limits] for values in unknown.values()]
        curves.append(np.mean(of_kinds, axis=0))
    by_point = np.array(curves).T
    ends = [mean_interval(values, bounds=(0, 1)) or (np.nan, np.nan) for values in by_point]
    low, high = np.array(ends).T
    return pd.DataFrame({"fpr": POINTS, "tpr": by_point.mean(1), "low": low, "high": high})


def rejected_rows(
    model: str, measure: str, k: int, shares: Sequence[tuple[str, int, int]], *, kinds: bool
) -> list[dict[str, Any]]:
    """How many known images lie beyond a threshold, and if `kinds` of each kind of unknown ones."""
    rows = []
    for kind, hits, n in shares:
        if kind == "known":
            name, of = results.metric("known_rejected", measure=measure, k=k), "test images"
        elif kinds:
            name, of = results.metric("unknown_rejected", kind=kind, measure=measure, k=k), "images"
        else:
            continue
        rows.append(results.rate_row(EXPERIMENT, name, [hits], n, of=of, model=model))
    return rows


def tutorial_rows(curves: pd.DataFrame, images: int) -> list[dict[str, Any]]:
    """Mean and deviation of the tutorial's network after its last epoch, and where its mean is that of the slides."""
    last = curves[curves["epoch"] == curves["epoch"].max()]
    near = tutorial.nearest(curves, REPORTED_MEAN)
    numbers = (
        ("tutorial_mean", last["mean"]),
        ("tutorial_deviation", last["deviation"]),
        ("tutorial_mean_near_reported", near["mean"]),
        ("tutorial_deviation_near_reported", near["deviation"]),
    )
    rows = [seeds_row(EXPERIMENT, name, values.tolist(), unit="nats per pixel", n=images) for name, values in numbers]
    epochs = seeds_row(EXPERIMENT, "tutorial_epoch_near_reported", near["epoch"].tolist(), unit="epochs", n=images)
    return [row | {"model": "tutorial"} for row in (*rows, epochs)]
