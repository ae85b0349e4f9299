"""The section `report` of params.yaml."""

from __future__ import annotations

from overgen.report.params import Report

SECTION = Report
