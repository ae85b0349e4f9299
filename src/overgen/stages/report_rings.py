"""Draw the report of the rings, Figure 2 of Spigler 2019, from its cell: report.md, report.html and figures/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overgen import figures, reported, runtime, tables
from overgen.artifacts import replace_directory
from overgen.stages.report import ENVIRONMENT, html, write


def main(dataset: str) -> None:
    """Write reports/<dataset>. Raises OvergenError naming the missing cell and the command that makes it."""
    with runtime.stage("report_rings", compute=False, dataset=dataset) as stage:
        cell = reported.Cell(dataset, "train_rings", "dae", Path("reports/cells", dataset, "train_rings", "dae"))
        paper = reported.paper_budget()
        build_report(
            cell,
            Path("reports", dataset),
            settings=stage.params("train_rings").model_dump(),
            paper=paper,
            dpi=stage.params("report_rings").dpi,
        )


def build_report(
    cell: reported.Cell, output: Path, *, settings: Mapping[str, Any], paper: Mapping[str, int], dpi: int
) -> None:
    """Write the report of a cell of train_rings, whole or not at all. Equal cells give equal bytes.

    settings: the section `train_rings` of params.yaml; paper: the papers' budgets; dpi: of the PNG figure.
    """
    rows = {row["metric"]: row | {"verdict": ""} for row in cell.summary["metrics"]}
    text = ENVIRONMENT.get_template("rings.md.j2").render(
        settings,
        numbers={metric: tables.measured(row) for metric, row in rows.items()},
        n={metric: f"{row['n']:,}" for metric, row in rows.items()},
        budget=reported.budget_text(cell.budget, paper),
        reduced=not reported.at_paper_budget(cell.budget, paper),
        cell=cell,
    )
    with replace_directory(output) as folder:
        (folder / "figures").mkdir()
        figures.save(figures.rings(cell), folder / "figures", "rings", dpi=dpi)
        text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
        write(folder / "report.md", text)
        write(folder / "report.html", html(text, folder))


if __name__ == "__main__":
    runtime.command(main)
