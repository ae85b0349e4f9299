"""Draw the report of the rings, Figure 2 of Spigler 2019, from its cell: report.md, report.html and figures/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overgen.report import budgets, style, tables
from overgen.report.build import write
from overgen.report.grid import Cell
from overgen.report.html import ENVIRONMENT, html
from overgen.run.files import replace_directory
from overgen.run.stage import Stage
from overgen.stages.train_rings import figures as train_rings_figures

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write reports/<dataset>. Raises OvergenError naming the missing cell and the command that makes it."""
    dataset = stage.item["dataset"]
    cell = Cell(dataset, "train_rings", "dae", Path("reports/cells", dataset, "train_rings", "dae"))
    paper = budgets.paper_budget()
    build_report(
        cell,
        Path("reports", dataset),
        settings=stage.params("train_rings").model_dump(),
        paper=paper,
        dpi=stage.params("report_rings").dpi,
    )


def build_report(cell: Cell, output: Path, *, settings: Mapping[str, Any], paper: Mapping[str, int], dpi: int) -> None:
    """Write the report of a cell of train_rings, whole or not at all. Equal cells give equal bytes.

    settings: the section `train_rings` of params.yaml; paper: the papers' budgets; dpi: of the PNG figure.
    """
    rows = {row["metric"]: row | {"verdict": ""} for row in cell.summary["metrics"]}
    text = ENVIRONMENT.get_template("rings.md.j2").render(
        settings,
        numbers={metric: tables.measured(row) for metric, row in rows.items()},
        n={metric: f"{row['n']:,}" for metric, row in rows.items()},
        budget=budgets.budget_text(cell.budget, paper),
        reduced=not budgets.at_paper_budget(cell.budget, paper),
        cell=cell,
    )
    with replace_directory(output) as folder:
        (folder / "figures").mkdir()
        style.save(train_rings_figures.rings(cell), folder / "figures", "rings", dpi=dpi)
        text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
        write(folder / "report.md", text)
        write(folder / "report.html", html(text, folder))
