"""What `adopt` makes of a network's answers: accuracy and calibration, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures import metrics
from overgen.measures.calibration import losses, resampled_error
from overgen.measures.intervals import mean_interval
from overgen.measures.outputs import scaled_scores
from overgen.models.adopted import Adopted
from overgen.run import results
from overgen.run.streams import generator

NO_LABELS = "not testable: no labels"
Row = dict[str, Any]


def cell(
    outputs: dict[str, np.ndarray],
    pairs: Sequence[tuple[float, float]],
    bins: int,
    resamples: int,
    *,
    key: Sequence[str],
) -> tuple[list[Row], pd.DataFrame]:
    """The rows of the cell and the reliability diagram, a row a bin.

    outputs: log_y (1, N, K) of the test images, labels (N,), −1 for none; pairs: (τ, α), of which α has no part.
    bins: of the diagram; resamples: of the images, for the interval of its calibration error; key: of their stream.
    Images without a label count nowhere; where none has one, no number can be had, and the rows say so.
    """
    known = outputs["labels"] >= 0
    labels, n = outputs["labels"][known], int(known.sum())
    taus = [0.0, *(tau for tau, _ in pairs)]
    if not n:
        names: list[tuple[str, str, str, float | None]] = [("train", "test_accuracy", "percent", None)]
        names += [("adopt", "accepted_accuracy", "percent", tau) for tau in taus[1:]]
        names += [("adopt", name, unit, None) for name, unit in CALIBRATION.items()]
        rows = [results.row(of, name, None, unit=unit, n=0, tau=tau, note=NO_LABELS) for of, name, unit, tau in names]
        return rows, pd.DataFrame(columns=list(metrics.Reliability._fields))
    scores = scaled_scores({"log_y": outputs["log_y"][:, known]}, 0, alpha=0, beta=0)
    right = scores.argmax(1) == labels
    rows = [results.rate_row("train", "test_accuracy", [int(right.sum())], n, of="test images")]
    for tau in taus[1:]:
        hits = round(n * metrics.thresholded_accuracy(scores, labels, tau))
        rows.append(results.rate_row("adopt", "accepted_accuracy", [hits], n, of="test images", tau=tau))
    sure = np.exp(scores.max(1))
    diagram = metrics.reliability(sure, right, bins)
    interval = resampled_error(sure, right, bins, resamples, generator("adopt", "calibration", *key))
    kind = f"95 % percentile bootstrap over {n} test images"
    error = metrics.calibration_error(diagram)
    rows.append(results.row("adopt", "calibration_error", error, unit="fraction", n=n, interval=interval, kind=kind))
    for name, values in losses(scores, labels).items():
        bounds = (0.0, np.inf) if name == "negative_log_likelihood" else (0.0, 2.0)
        mean, spread = float(values.mean()), mean_interval(values, bounds=bounds) if n > 1 else None
        kind = f"95 % t interval of the mean over {n} test images"
        rows.append(results.row("adopt", name, mean, unit=CALIBRATION[name], n=n, interval=spread, kind=kind))
    return rows, pd.DataFrame(diagram._asdict())


CALIBRATION = {"calibration_error": "fraction", "negative_log_likelihood": "nats", "brier_score": "fraction"}  # units


def about(network: Adopted) -> pd.DataFrame:
    """What the network is, a row a fact: what, and its value as text."""
    known, taken = network.metadata, network.input
    facts = {"kind": known["kind"]} | {f"SHA-256 of {name}": digest for name, digest in known["files"].items()}
    facts |= {"class": known["module"]} if known["module"] else {}
    facts |= {
        "parameters": "unknown: a black box" if known["parameters"] is None else f"{known['parameters']:,}",
        "classes": str(network.classes),
        "outputs": known["outputs"].replace("_", " "),
        "gradient": "yes" if network.differentiable else "no: a black box",
        "images": " × ".join(map(str, network.shape)),
        "what it gets": " × ".join(map(str, taken.of(network.shape))) + f", {taken.layout}, {taken.dtype}",
    }
    for name in ("scale", "mean", "std"):
        value = getattr(taken, name)
        numbers = value if isinstance(value, tuple) else (value,)
        if value is not None and not (name == "scale" and value == 1):
            facts[name] = ", ".join(f"{number:g}" for number in numbers)
    return pd.DataFrame({"what": list(facts), "value": list(facts.values())})
