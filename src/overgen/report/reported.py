"""The papers' numbers (`reported.csv`), the measured ones (cells), and what these say about the former."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from overgen import OvergenError

FILE = Path(__file__).with_name("reported.csv")
COLUMNS = ("source", "where", "experiment", "dataset", "model", "metric", "tau", "value", "unit", "note")
KEY = ["experiment", "dataset", "model", "metric", "tau"]  # what a number is of
UNITS = ("percent", "fraction", "updates", "generations", "nats per pixel", "rms pixel in [0,1]")
TEST_IMAGES = 10_000  # of MNIST and of Fashion-MNIST
FGN_TRIALS = 200  # 20 for each of 10 classes, Spigler 2019, Section 4.2
SUBSETS = 10  # for each number of known classes, Spigler 2019, Section 4.3
ONE_CLASS_PROBLEMS = 10  # a class each, Spigler 2019, Figure 5
# Numbers of the papers that are shown but not compared: by columns of reported.csv, and why.
NOT_COMPARABLE: tuple[tuple[Mapping[str, tuple[str, ...]], str], ...] = (
    (
        {"source": ("kardan2017",)},
        "sigmoid units, early stopping and fewer filters, unlike the network here",
    ),
    (
        {
            "source": ("spigler2019",),
            "experiment": ("fgn", "fgn_lr_1e-3", "fgn_sigmoid_units"),
            "model": ("cool",),
            "metric": ("fooling_rate", "mean_steps_to_fool"),
        },
        "what y is (the paper's y and ỹ of COOL are two, here they are one, the product over a class's units)",
    ),
)
# Numbers of the papers, by experiment and model, that are measured as another experiment of that model, and why.
SAME_AS = {("fgn_on_scaled_output", "cool"): ("fgn", "ỹ = y of COOL here, so that the attack on y is the one on ỹ")}


def not_comparable(source: Mapping[str, Any]) -> str:
    """Why a number of the papers, a row of reported.csv, is not compared; "" for one that is."""
    for of, why in NOT_COMPARABLE:
        if all(source[name].split("@")[0] in values for name, values in of.items()):
            return why
    return ""


def load(path: Path = FILE) -> pd.DataFrame:
    """The papers' numbers, checked; one row each.

    Returns the columns of the file, `tau` and `value` as numbers (tau NaN where there is none), and three
    more: `text` (the value as printed), `rounding` (half a unit of its last digit) and `n` (what is behind
    it, NaN where not stated: trials of a fooling rate, fooled trials of mean steps, test images, class
    subsets, one-class problems). Raises OvergenError naming the line of an unknown column or unit, a number that is
    none or out of range, an empty name, or a number given twice.
    """
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[str, ...], int] = {}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            wrong = next(pair for pair in zip_longest(header, COLUMNS, fillvalue="") if pair[0] != pair[1])
            raise OvergenError(f"{path}, line 1: column {wrong[0]!r} for {wrong[1]!r}; they are {','.join(COLUMNS)}")
        try:
            for fields in reader:
                rows.append(_parse(fields, f"{path}, line {reader.line_num}"))
                key = tuple(fields[COLUMNS.index(name)] for name in ("source", "where", *KEY))
                if key in seen:
                    raise OvergenError(f"{path}, line {reader.line_num}: the number of line {seen[key]} again")
                seen[key] = reader.line_num
        except csv.Error as error:
            raise OvergenError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    frame = pd.DataFrame(rows)
    if len(frame):
        frame["n"] = [count_text(row, frame) for row in rows]
    return frame


def _parse(fields: list[str], place: str) -> dict[str, Any]:
    if len(fields) != len(COLUMNS):
        raise OvergenError(f"{place}: {len(fields)} fields, must be {len(COLUMNS)} ({','.join(COLUMNS)})")
    row: dict[str, Any] = dict(zip(COLUMNS, fields, strict=True))
    for name in COLUMNS:
        if name not in ("tau", "note") and not row[name]:
            raise OvergenError(f"{place}, {name}: empty")
    if row["unit"] not in UNITS:
        raise OvergenError(f"{place}, unit: {row['unit']!r} is unknown; there are {', '.join(UNITS)}")
    top = {"percent": 100.0, "fraction": 1.0}.get(row["unit"], math.inf)
    value = _number(row["value"], f"{place}, value", top)
    decimals = len(row["value"].partition(".")[2])
    tau = _number(row["tau"], f"{place}, tau", 1.0) if row["tau"] else math.nan
    return row | {"tau": tau, "value": value, "text": row["value"], "rounding": 0.5 * 10**-decimals}


def _number(text: str, place: str, top: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise OvergenError(f"{place}: {text!r} is not a number") from None
    if not math.isfinite(value) or not 0 <= value <= top:
        raise OvergenError(f"{place}: {text} must lie in 0..{top:g}")
    return value


def count_text(row: Mapping[str, Any], frame: pd.DataFrame) -> float:
    """Trials, images or subsets behind a reported number; NaN where the paper does not say."""
    metric = row["metric"].split("@")[0]
    if metric in ("thresholded_accuracy", "test_accuracy", "test_error"):
        return TEST_IMAGES
    if row["source"] != "spigler2019":
        return math.nan
    if metric == "fooling_rate":
        return FGN_TRIALS
    if metric in ("f_measure", "f_measure_deviation"):
        return SUBSETS
    if row["experiment"] == "one_class":
        return ONE_CLASS_PROBLEMS
    if metric == "mean_steps_to_fool":  # a mean over fooled trials: as many as the rate beside it says
        same = (frame["metric"] == "fooling_rate") & (frame["tau"] == row["tau"])
        for name in ("source", "where", "experiment", "dataset", "model"):
            same &= frame[name] == row[name]
        return float(round(frame.loc[same, "value"].iloc[0] / 100 * FGN_TRIALS)) if same.any() else math.nan
    return math.nan


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
