"""Claims and what became of them: each with a test that was written down before the run or says when, and its verdict.

A stage's CLAIMS are functions of a Study that give a Claim, or None where its cells cannot test one. A stage places
them in its section by the functions' names, `{{ claims.get("noise_is_no_class", "") }}`; the report lists those of all
stages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from overgen.measures.intervals import differs
from overgen.report.study import Row, Study
from overgen.report.tables import Table, count_text, measured, table

VERDICTS = ("holds", "contradicted", "cannot tell")
LECTURES, QUESTIONS = "lectures", "questions"  # who says it: the lecture material, or docs/questions.md
MARKS = {"holds": "✓", "contradicted": "✗", "cannot tell": "○"}


class Claim(NamedTuple):
    """says: the claim in our words, without a number; test: what decides it; before: whether it was set before the run,
    else it says when.

    verdict: of VERDICTS; number: what the row's number is of, "{number} of {n} images"; row: the number that decides,
    of the study's frame; figure: the name of the one that shows it. source: who says it.
    """

    says: str
    test: str
    verdict: str
    number: str
    row: Row
    figure: str
    source: str = LECTURES
    before: bool = True


def verdict(row: Row, *, above: float | None = None, below: float | None = None) -> str:
    """What a number's whole 95 % interval says of a claim that it lies above, or below, a limit: one of VERDICTS.

    A number without an interval cannot tell. Raises ValueError unless exactly one limit is given.
    """
    if (above is None) == (below is None):
        raise ValueError(f"above {above}, below {below}: a claim has exactly one limit")
    low, high = row["low"], row["high"]
    if pd.isna(row["reproduced"]) or pd.isna(low) or pd.isna(high):
        return "cannot tell"
    if above is not None:
        return "holds" if low > above else "contradicted" if high < above else "cannot tell"
    return "holds" if high < below else "contradicted" if low > below else "cannot tell"


def lower(first: Row, second: Row) -> str:
    """What two numbers say of a claim that the first is lower: one of VERDICTS, by the interval of their difference."""
    intervals = [(row["low"], row["high"]) for row in (first, second)]
    sign = differs(first["reproduced"], intervals[0], second["reproduced"], intervals[1])
    return {-1: "holds", 1: "contradicted"}.get(sign, "cannot tell")


def of_all(verdicts: Sequence[str]) -> str:
    """The verdict that several numbers share on a claim about all of them, else "cannot tell"."""
    return verdicts[0] if len(set(verdicts)) == 1 else "cannot tell"


def of_stage(study: Study, stage: str) -> dict[str, Claim]:
    """A stage's claims by the names of their functions, those that its cells can test."""
    functions = getattr(study.modules.get(stage), "CLAIMS", ())
    return {function.__name__: claim for function in functions if (claim := function(study))}


def number_text(claim: Claim) -> str:
    """The number that decides a claim, with its interval and n: "1.2 % [0.6–2.3] of 1,000 images".

    An interval without a width is not shown, so that all the values behind it are alike is said.
    """
    unit = "\u00a0%" if claim.row["unit"] == "percent" else ""
    text = claim.number.format(number=measured(claim.row, unit), n=count_text(claim.row["n"]))
    alike = ", all alike" if claim.row["low"] == claim.row["high"] else ""
    return re.sub(r"(?<![\d,.])1 (seed|run|draw|image|network|pair)s\b", r"1 \1", text) + alike


def block(claim: Claim) -> str:
    """A claim in a section: what is said, the verdict with its number, and the test."""
    head = f"> **{claim.says}**\n>\n> {MARKS[claim.verdict]} **{claim.verdict}**: {number_text(claim)}."
    return f"{head}\n>\n> *Test{', set before the run' if claim.before else ''}:* {claim.test}"


def claims(study: Study, shown: Mapping[str, str]) -> Table:
    """All claims of a study with their verdicts, in the order of dvc.yaml.

    shown: the address of the screen that shows a figure, by the figure's name.
    """
    tested = [claim for stage in study.grid for claim in of_stage(study, stage).values()]
    lines = [
        [claim.says, f"{MARKS[claim.verdict]} {claim.verdict}", number_text(claim), claim.test,
         f"[figure]({shown[claim.figure]})" if claim.figure in shown else ""]
        for claim in tested
    ]  # fmt: skip
    header = ["claim", "verdict", "measured", "test, set before the run or as it says", ""]
    return table("claims", lines, header, study.frame.iloc[[claim.row["place"] for claim in tested]])


def listed(study: Study) -> list[dict[str, str]]:
    """The claims of a study as texts, for `claims.json`: stage, name, claim, verdict, measured, test, source, page."""
    return [
        {
            "stage": stage,
            "name": name,
            "claim": claim.says,
            "verdict": claim.verdict,
            "measured": number_text(claim),
            "test": claim.test,
            "source": claim.source,
            "page": getattr(study.modules[stage], "PAGE", ""),
        }
        for stage in study.grid
        for name, claim in of_stage(study, stage).items()
    ]
