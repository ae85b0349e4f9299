"""The smallest changes of trained networks of any shape in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.findings import Finding, known
from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Metrics, Study
from overgen.report.tables import MODEL, Table, broken, column, n_text, pivot
from overgen.stages.fool_smallest import figures

CHOICES = [
    (
        "Smallest changes of the networks of the tables",
        "of {fool_smallest.DATASET.images} test images that a network labels right, spread over the classes; as target "
        "one other class, drawn; it is reached when y, and so ỹ, is largest for it",
    )
]


def smallest_of(study: Study) -> Table:
    """How small a change makes each network see another class: a row a model."""
    rows = study.rows(experiment="smallest")
    columns = [
        column("succeeded %", "fooling_rate", show=broken),
        column("in 8 bits %", "fooling_rate_in_8_bits", show=broken),
        column("median ‖r‖₂", "median_smallest_change", show=broken),
        column("mean ‖r‖₂", "mean_smallest_change", show=broken),
        column("median RMS", "median_distortion", show=broken),
        column("mean RMS", "mean_distortion", show=broken),
        column("images", "fooling_rate", show=n_text),
    ]
    return pivot(study, "smallest_of", rows, ("model",), MODEL, columns, of={"experiment": "smallest"})


def context(study: Study) -> dict[str, Any]:
    """The networks that were not testable, each with the reason."""
    rows = records(study.rows(experiment="smallest", metric="fooling_rate"))
    return {"smallest_untested": [f"{model_name(row['model'])}: {row['note']}" for row in rows if row["n"] == 0]}


def closest(study: Study) -> Finding | None:
    """How small the change is that makes the network give way which does so first."""
    rows = [row for row in records(study.rows(experiment="smallest", metric="median_distortion")) if known(row)]
    if not rows:
        return None
    row = min(rows, key=lambda row: row["reproduced"])
    found = study.find(experiment="smallest", metric="median_distortion", model=row["model"])
    others = f", the least of {len(rows)} networks" if len(rows) > 1 else ""
    says = f"A small change that is aimed makes {model_name(row['model'])} see another class."
    number = "{number} is its median size (RMS of the pixels, which go from 0 to 1) over {n} images" + others
    return None if found is None else Finding(says, number, found, "smallest_images", "smallest_of")


FINDINGS = (closest,)
METRICS: Metrics = {"smallest_change_rms": ("smallest", "median_distortion", {})}
TABLES = (smallest_of,)
FIGURES = (figures.smallest_curve, figures.smallest_images)
