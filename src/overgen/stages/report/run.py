"""Draw the report of a data set from its cells."""

from __future__ import annotations

from pathlib import Path

from overgen.report.build import build_report
from overgen.report.index import write_index
from overgen.report.study import read_study
from overgen.run.plans import plans
from overgen.run.stage import Stage

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write reports/<dataset> and reports/index.html.

    Raises OvergenError naming a missing cell and the command that makes it.
    """
    dataset, settings, known = stage.item["dataset"], stage.params("report"), plans()
    study = read_study(known[dataset], dataset, bands=settings.bands)
    build_report(study, Path("reports", dataset), dpi=settings.dpi, audit=settings.audit)
    write_index(Path("reports"), known)
