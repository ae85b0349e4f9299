"""The section `report_rings` of params.yaml."""

from __future__ import annotations

from overgen.report.params import Report

DYNAMIC = ("overgen.stages.train_rings.params",)  # sections that it declares, too


SECTION = Report
