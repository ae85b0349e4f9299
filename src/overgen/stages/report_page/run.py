"""Draw the page of a data set whose stages say all themselves, from its cells: report.md, report.html and figures/.

Such are the rings of Figure 2 of Spigler 2019, and the lecture's demonstrations on a network of ImageNet.
"""

from __future__ import annotations

from pathlib import Path

from overgen.report.build import build_page
from overgen.report.index import write_index
from overgen.report.study import read_study
from overgen.run.plans import plans
from overgen.run.stage import Stage

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write reports/<dataset> and reports/index.html.

    Raises OvergenError naming the missing cell and the command that makes it.
    """
    dataset, known = stage.item["dataset"], plans()
    build_page(read_study(known[dataset], dataset), Path("reports", dataset), dpi=stage.params("report_page").dpi)
    write_index(Path("reports"), known)
