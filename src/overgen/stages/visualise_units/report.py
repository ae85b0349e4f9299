"""What units and layers like, in the page of the demonstrations."""

from __future__ import annotations

from typing import Any

from overgen.report.findings import Finding, how_often, known
from overgen.report.study import Study
from overgen.report.tables import measured
from overgen.stages.visualise_units import figures


def better_than_photographs(study: Study) -> Finding | None:
    """How often a unit likes its synthesised image better than every photograph."""
    row = study.first(experiment="units", metric="likes_its_image_best", layer="")
    if row is None or not known(row):
        return None
    says = f"What a unit likes best is {how_often(row)} no photograph: textures, then parts, of nothing there is."
    photographs = len(study.settings["imagenet.photographs"])
    number = f"{{number}} of {{n}} units like their image better than each of {photographs} photographs"
    return Finding(says, number, row, "units", "")


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    rows = {row["text"]: measured(row) for row in study.select(experiment=("units", "dreams"))}
    return {"numbers": rows, "settings": study.section("visualise_units")}


FIGURES = (figures.units, figures.dreams)
FINDINGS = (better_than_photographs,)
