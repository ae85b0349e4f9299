"""The numbers of an audit, and the limits that a user sets for some of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overgen.run.results import Cell, parts

ATTACKS = ("fool_fgn", "fool_gradient", "fool_evolution")  # stages whose trials fool or do not
Number = Mapping[str, Any]  # a row of a cell's metrics.json, with its stage


@dataclass(frozen=True)
class Limit:
    """A limit for a number: at most `value`, or at least with `least`."""

    option: str  # of the command line, without dashes
    value: float
    least: bool

    def met(self, value: float) -> bool:
        return value >= self.value if self.least else value <= self.value


@dataclass(frozen=True)
class Verdict:
    """What came of a limit. number: what it is judged by; None where the audit has no such number, which is not met."""

    limit: Limit
    number: Number | None
    of: str

    @property
    def met(self) -> bool:
        return self.number is not None and self.limit.met(float(self.number["value"]))

    def __str__(self) -> str:
        sign = "≥" if self.limit.least else "≤"
        if self.number is None:
            return f"--{self.limit.option} {self.limit.value:g}: NOT MET: {self.of}"
        said = f"{self.of} {with_interval(self.number)}, limit {sign} {self.limit.value:g}"
        return f"--{self.limit.option} {self.limit.value:g}: {'met' if self.met else 'NOT MET'}: {said}"


def with_interval(number: Number) -> str:
    """ "34.5 % [28.3–41.3], n = 200"; of an AUROC both its sides: "n = 100 known and 500 unknown images"."""
    unit = " %" if number["unit"] == "percent" else ""
    text = f"{number['value']:.4g}{unit}"
    if number["low"] is not None:
        text += f" [{number['low']:.4g}–{number['high']:.4g}]"
    if (known := number.get("known")) is None:
        return f"{text}, n = {number['n']}"
    kinds = f" of {number['n']} kinds" if number["unknown"] != number["n"] else ""
    return f"{text}, n = {known} known and {number['unknown']} unknown images{kinds}"


def numbers(cells: Iterable[tuple[str, Mapping[str, str]]]) -> list[dict[str, Any]]:
    """Every number of some cells, (stage, item), in their order: rows of metrics.json, `value` what was measured.

    Those that tell known from unknown images say how many of each: `known` and `unknown`; their n counts the unknown
    ones, or in a mean their kinds. An interval of no width is none.
    """
    found = []
    for stage, item in cells:
        if "model" not in item:
            continue
        cell = Cell(item["dataset"], stage, item["model"], Path("reports/cells", item["dataset"], stage, item["model"]))
        sides = cell.table("trials") if stage == "evaluate_unknowns" else None
        for row in cell.summary["metrics"]:
            kept = {
                name: row[name]
                for name in ("experiment", "metric", "tau", "unit", "low", "high", "n", "interval", "note")
            }
            if kept["low"] is not None and kept["low"] == kept["high"]:  # all that it is over are alike
                kept |= {"low": None, "high": None, "interval": "none"}
            if sides is not None and row["reproduced"] is not None and row["metric"].startswith(("auroc", "fpr95")):
                of, known = parts(row["metric"]), int(sides["known"].iloc[0])
                every = int(sides.loc[sides["method"] == of["method"], "unknown"].sum())
                kept |= {"known": known, "unknown": every if of["metric"].endswith("_mean") else row["n"]}
            found.append({"stage": stage, "value": row["reproduced"], **kept})
    return found


def judged(limits: Sequence[Limit], found: Sequence[Number], tau: float) -> list[Verdict]:
    """What came of every limit. tau: the threshold that an image must pass to fool."""
    return [JUDGES[limit.option](limit, found, tau) for limit in limits]


def there(found: Iterable[Number]) -> list[Number]:
    return [number for number in found if number["value"] is not None and math.isfinite(number["value"])]


def most_fooled(limit: Limit, found: Sequence[Number], tau: float) -> Verdict:
    """The attack that fools most often at τ, whatever it starts from."""
    rates = [
        number for number in there(found)
        if number["stage"] in ATTACKS and parts(number["metric"])["metric"] == "fooling_rate" and number["tau"] == tau
    ]  # fmt: skip
    if not rates:
        return Verdict(limit, None, f"no attack was judged at τ = {tau:g}")
    worst = max(rates, key=lambda number: (number["value"], number["low"] or 0))
    return Verdict(limit, worst, f"fooled at τ = {tau:g} by {attack_name(worst)}:")


def attack_name(number: Number) -> str:
    """An attack in words: "gradients from noise"."""
    start = parts(number["metric"]).get("start", "").replace("_", " ")
    names = {"fool_fgn": "the fooling generator", "fool_gradient": f"gradients from {start}"}
    kind = number["experiment"].rpartition("_")[2]
    return names.get(number["stage"], f"evolution ({'CPPN' if kind == 'cppn' else kind})")


def by_metric(stage: str, metric: str, of: str) -> Any:
    """A judge by one number, the first of a stage with this metric."""

    def judge(limit: Limit, found: Sequence[Number], tau: float) -> Verdict:
        for number in there(found):
            if number["stage"] == stage and metric in (number["metric"], parts(number["metric"])["metric"]):
                return Verdict(limit, number, of)
        return Verdict(limit, None, f"{of} was not testable: no labels, or the stage was left out")

    return judge


def unknown_told(limit: Limit, found: Sequence[Number], tau: float) -> Verdict:
    """How well the largest score tells unknown images: the user's own if there are such, else a mean over kinds."""
    own, of = "auroc@kind=own@method=softmax", "AUROC of the largest score on your own unknown images"
    if any(number["metric"] == own for number in there(found)):
        return by_metric("evaluate_unknowns", own, of)(limit, found, tau)
    mean, of = "auroc_mean@method=softmax", "AUROC of the largest score, a mean over kinds of unknown images"
    return by_metric("evaluate_unknowns", mean, of)(limit, found, tau)


JUDGES = {
    "max-fooled": most_fooled,
    "min-accuracy": by_metric("adopt", "test_accuracy", "accuracy"),
    "min-auroc": unknown_told,
    "max-ece": by_metric("adopt", "calibration_error", "expected calibration error"),
}
