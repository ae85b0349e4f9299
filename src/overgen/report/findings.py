"""What a report says first: findings, each a sentence, the number behind it, and the picture that shows it.

A stage's FINDINGS are functions of a Study that give a Finding, or None where its cells cannot support one. What is
said follows from the numbers, so that on other data nothing false is said.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from overgen.report.addresses import places
from overgen.report.seeds import seed_0
from overgen.report.shown import folded
from overgen.report.study import Row, Study
from overgen.report.tables import count_text, measured, reported

MARKER = "<!-- findings -->"  # of the template: where they stand
FIRST = 8  # stand open; further ones are folded


class Finding(NamedTuple):
    """says: a sentence without a number; number: what the row's number is of, "{number} of {n} trials at τ = 0.99".

    row: the number, of the study's frame; figure, table: names of those that show it, in whose section more is said.
    """

    says: str
    number: str
    row: Row
    figure: str
    table: str


def findings(study: Study) -> list[Finding]:
    """What the stages found, in the order of dvc.yaml."""
    functions = [function for module in study.modules.values() for function in getattr(module, "FINDINGS", ())]
    return [finding for function in functions if (finding := function(study))]


def number_text(finding: Finding) -> str:
    """The number of a finding with its interval, n, and what is reported: "100.0 % [98.1–100.0] of 200 trials"."""
    row = finding.row
    unit = "\u00a0%" if row["unit"] == "percent" else ""
    text = finding.number.format(number=measured({**row, "verdict": ""}, unit), n=count_text(row["n"]))
    return text + (f"; reported: {reported(row, unit)}" if reported(row) != "–" else "")


def placed(text: str, study: Study) -> str:
    """A page with the study's findings in place of `MARKER`, each with a link to the section that shows it.

    A picture stands with the first finding that it shows.
    """
    found = findings(study)
    if MARKER not in text:
        return text
    shown = places(text)
    items, pictures = [], set[str]()
    for i, finding in enumerate(found, 1):
        head, name, said = shown.get(finding.figure) or shown.get(finding.table) or ("", "", "")
        more = f" [{head}](#{name})" if name else ""
        indent = " " * len(f"{i}. ")
        items.append(f"{i}. **{finding.says}** {number_text(finding)}{seed_0(study, finding.row)}.{more}")
        if finding.figure in shown and finding.figure not in pictures:
            pictures.add(finding.figure)
            items[-1] += f"\n\n{indent}[![{said}](figures/{finding.figure}.png)](#{name})"
    further = folded(f"{len(items) - FIRST} further findings", "\n\n".join(items[FIRST:])) if items[FIRST:] else ""
    listed = "\n\n".join([*items[:FIRST], further]).strip()
    return text.replace(MARKER, listed or "No finding: the cells that one rests on are not there.")


def known(row: Row | None) -> bool:
    """Whether a number is there, with an interval."""
    return row is not None and not any(pd.isna(row[name]) for name in ("reproduced", "low", "high"))


def how_often(row: Row) -> str:
    """A rate in words, from its whole interval: "nearly always", "mostly", "seldom", "hardly ever" or "sometimes".

    Where too few were tried to say more: "at most sometimes" of none, "at least sometimes" of all.
    """
    low, high = float(row["low"]), float(row["high"])
    if math.isnan(low) or math.isnan(high):
        return "sometimes"
    if low >= 90:
        return "nearly always"
    if low > 50:
        return "mostly"
    if high < 50:
        return "hardly ever" if high < 10 else "seldom"
    value = float(row["reproduced"])
    return "at most sometimes" if value == 0 else "at least sometimes" if value == 100 else "sometimes"


def compared(first: Row, second: Row) -> int:
    """1 where a number lies above another beyond both intervals, −1 below, 0 where the intervals meet.

    It asks more than `differs`, of which two intervals may meet a little: a finding names the best of several.
    """
    return int(first["low"] > second["high"]) - int(first["high"] < second["low"])
