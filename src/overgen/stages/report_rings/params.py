"""The section `report_rings` of params.yaml."""

from __future__ import annotations

from overgen.report.params import Report

SECTION = Report
