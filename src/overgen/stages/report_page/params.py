"""The section `report_page` of params.yaml."""

from __future__ import annotations

from overgen.report.params import Report

DYNAMIC = (
    "overgen.models.imagenet",
    "overgen.stages.evolve_classes.params",
    "overgen.stages.explore_curve.params",
    "overgen.stages.fool_photographs.params",
    "overgen.stages.synthesise_classes.params",
    "overgen.stages.train_rings.params",
    "overgen.stages.visualise_units.params",
)  # sections that it declares, too


SECTION = Report
