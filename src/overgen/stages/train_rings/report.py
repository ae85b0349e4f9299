"""Figure 2 of Spigler 2019 in the report of the rings."""

from __future__ import annotations

from typing import Any

import pandas as pd

from overgen.report.budgets import at_paper_budget, budget_text
from overgen.report.findings import Finding, how_often
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import count_text, measured
from overgen.stages.train_rings import figures


def context(study: Study) -> dict[str, Any]:
    """What the section names: the options of train_rings, its numbers and their n by metric, and what was spent."""
    cell = study.cell("train_rings")
    rows = records(study.frame)
    return {key.removeprefix("train_rings."): value for key, value in study.settings.items()} | {
        "numbers": {row["text"]: measured(row) for row in rows},
        "n": {row["text"]: count_text(row["n"]) for row in rows},
        "budget": budget_text(cell.budget, study.budget),
        "reduced": not at_paper_budget(cell.budget, study.budget),
        "cell": cell,
    }


def sure_of_nothing(study: Study) -> Finding | None:
    """How often y is sure of a class where no data are."""
    row = share(study, "y", "far")
    says = f"Far from all data, a softmax is {exactly(row)} sure of a class." if row else ""
    return finding(says, "y", row, study)


def rejects(study: Study) -> Finding | None:
    """How often ỹ is sure there."""
    row = share(study, "scaled", "far")
    says = f"The scaled output ỹ is {exactly(row)} sure there." if row else ""
    return finding(says, "ỹ", row, study)


def costs(study: Study) -> Finding | None:
    """How often ỹ is sure where the data are."""
    row = share(study, "scaled", "rings")
    says = f"On the rings, where the classifier is right to be sure, ỹ is {exactly(row)} sure." if row else ""
    return finding(says, "ỹ", row, study)


def gate(study: Study) -> Finding | None:
    """What Γ adds to the reconstruction error in c̃, far from all data."""
    ungated, scaled = share(study, "ungated", "far"), share(study, "scaled", "far")
    if ungated is None or scaled is None:
        return None
    adds = float(ungated["reproduced"]) - float(scaled["reproduced"])
    says = (
        "The distance of the reconstruction does this alone; Γ adds next to nothing."
        if adds < 1
        else "The distance of the reconstruction does not do this alone: Γ adds to it."
    )
    return finding(says, "ỹ with Γ = 1", ungated, study)


def finding(says: str, output: str, row: Row | None, study: Study) -> Finding | None:
    """What is said of a share of points; None if there is none."""
    if row is None:
        return None
    far, tau = study.settings["train_rings.far"], study.settings["train_rings.tau"]
    where = "fresh points on the rings" if row["on"] == "rings" else f"points further than {far} from every ring"
    return Finding(says, f"{output} is above {tau} on {{number}} of {{n}} {where}", row, "rings", "")


def share(study: Study, output: str, place: str) -> Row | None:
    """The share of a place's points with an output above τ."""
    return next(iter(records(study.rows(metric=f"share_{output}", on=place))), None)


def exactly(row: Row) -> str:
    """`how_often` of a share: one of all points of a grid needs no interval."""
    value = row["reproduced"]
    return how_often({**row, "low": value, "high": value} if pd.isna(row["low"]) else row)


FINDINGS = (sure_of_nothing, rejects, costs, gate)
FIGURES = (figures.rings,)
