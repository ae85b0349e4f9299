"""Figure 2 of Spigler 2019 in the report of the rings."""

from __future__ import annotations

from typing import Any

from overgen.report.budgets import at_paper_budget, budget_text
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.tables import count_text, measured
from overgen.stages.train_rings import figures


def context(study: Study) -> dict[str, Any]:
    """What the section names: the options of train_rings, its numbers and their n by metric, and what was spent."""
    (cell,) = study.cells("train_rings").values()
    rows = records(study.frame)
    return {key.removeprefix("train_rings."): value for key, value in study.settings.items()} | {
        "numbers": {row["text"]: measured(row) for row in rows},
        "n": {row["text"]: count_text(row["n"]) for row in rows},
        "budget": budget_text(cell.budget, study.budget),
        "reduced": not at_paper_budget(cell.budget, study.budget),
        "cell": cell,
    }


FIGURES = (figures.rings,)
