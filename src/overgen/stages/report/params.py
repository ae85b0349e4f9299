"""The section `report` of params.yaml."""

from __future__ import annotations

from overgen.report.params import StudyReport

DYNAMIC = (
    "overgen.*.params",
    "overgen.run.engine",
    "overgen.measures.thresholds",
    "overgen.stages.*.params",
)  # sections that it declares, too


SECTION = StudyReport
