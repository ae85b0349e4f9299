"""What an audit says at its end: audit.json for machines, a screenful for people, and report.html at its root."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from overgen.audits.thresholds import Verdict, attack_name, with_interval
from overgen.run.files import directory_md5, write_json, write_text
from overgen.run.results import parts

SCHEMA = "overgen-audit/1"  # of audit.json: another number where a key is renamed, removed, or means something else
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={address}"></head>
<body><p><a href="{address}">{title}</a></p></body></html>
"""


def write(
    *,
    title: str,
    subject: Mapping[str, Any],
    dataset: str,
    model: str,
    budget: Mapping[str, Any],
    notes: Sequence[str],
    cells: Sequence[tuple[str, Mapping[str, str]]],
    numbers: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Verdict],
) -> None:
    """Write audit.json and report.html into the current study folder.

    subject: what is known of the network; budget: the sections of params.yaml; notes: what was left out, and why.
    audit.json: schema, overgen (its version), subject, data (with the SHA-256 of its tensors), budget, not_testable
    (notes), cells (path and MD5), numbers (as `thresholds.numbers`), thresholds and met (null without thresholds).
    """
    tensors = Path("data", dataset, "tensors.safetensors")
    with tensors.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    paths = [Path("reports/cells", i["dataset"], stage, i["model"]) for stage, i in cells if "model" in i]
    write_json(
        Path("audit.json"),
        {
            "schema": SCHEMA,
            "overgen": version("overgen"),
            "title": title,
            "model": model,
            "subject": dict(subject),
            "data": {"name": dataset, "sha256": digest},
            "budget": dict(budget),
            "not_testable": list(notes),
            "cells": [{"path": path.as_posix(), "md5": directory_md5(path)} for path in paths],
            "numbers": list(numbers),
            "thresholds": [verdict_json(verdict) for verdict in verdicts],
            "met": all(verdict.met for verdict in verdicts) if verdicts else None,
        },
    )
    address = f"reports/{dataset}/report.html"
    write_text(Path("report.html"), PAGE.format(title=escape(title), address=address))


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    number = verdict.number or {}
    return {
        "option": verdict.limit.option,
        "limit": verdict.limit.value,
        "at": "least" if verdict.limit.least else "most",
        "met": verdict.met,
        "of": verdict.of,
        **{name: number.get(name) for name in ("stage", "metric", "tau", "value", "low", "high", "n")},
    }


def summary(numbers: Sequence[Mapping[str, Any]], tau: float) -> list[str]:
    """What came out, in at most a dozen lines."""
    lines = []
    for number in numbers:
        name, stage = parts(number["metric"])["metric"], number["stage"]
        if number["value"] is None:
            if (stage, name) == ("fool_smallest", "fooling_rate"):
                lines.append(f"label changed by a small change: {number['note']}")
        elif stage == "adopt" and name in ADOPTED:
            lines.append(f"{ADOPTED[name]}: {with_interval(number)}")
        elif number["metric"] in AUROC:
            lines.append(f"{AUROC[number['metric']]}: {with_interval(number)}")
        elif name == "fooling_rate" and stage == "fool_smallest":
            lines.append(f"label changed by a small change: {with_interval(number)}")
        elif name == "median_distortion":
            lines.append(f"  its median size, RMS of pixels in [0, 1]: {with_interval(number)}")
        elif name == "fooling_rate" and number["tau"] == tau:
            lines.append(f"fooled at τ = {tau:g} by {attack_name(number)}: {with_interval(number)}")
    return lines


def doubts(numbers: Sequence[Mapping[str, Any]], classes: int) -> list[str]:
    """A line where the accuracy is hardly above that of guessing, which a trained network has by a wrong option."""
    return [
        f"accuracy {number['value']:.3g} % is near guessing, {100 / classes:.3g} %: was the network trained on other "
        "pixels (--scale, --mean, --std, --layout, --size), or on the classes in another order (--class-names)?"
        for number in numbers
        if (number["stage"], number["metric"]) == ("adopt", "test_accuracy")
        and number["value"] is not None
        and number["value"] < min(60, 200 / classes)
    ]


AUROC = {
    f"auroc_{kind}@method=softmax": f"known from unknown by its largest score, AUROC, {said}"
    for kind, said in (("mean", "mean over kinds"), ("worst", "worst kind"))
}
ADOPTED = {"test_accuracy": "accuracy", "calibration_error": "expected calibration error"}
