"""Retraining on fooling images in the report."""

from __future__ import annotations

from overgen.report.names import ENCODING_NAMES
from overgen.report.study import Study
from overgen.report.tables import Labels, Table, bold, column, grouped, pivot
from overgen.stages.retrain_on_fooling import figures

COLUMNS = {
    "fooling_images": "fooling images in training",
    "recognised_rate": "of these recognised, %",
    "test_error": "test error, %",
    "median_confidence": "median confidence of new ones, %",
}


def retraining(study: Study) -> Table:
    """What becomes of evolution when fooling images are a class of their own: one row a model, encoding and round."""
    encodings = {f"retraining_{encoding}": name for encoding, name in ENCODING_NAMES.items()}
    rows = study.rows(experiment=encodings, model=study.cells("retrain_on_fooling"))
    ordered = grouped(rows, model=(), experiment=(), round=sorted(set(rows["round"]), key=int))
    labels: Labels = {
        "": lambda row: bold(row["model"]) if row["round"] == "0" else "",
        "encoding": lambda row: encodings[row["experiment"]] if row["round"] == "0" else "",
        "round": lambda row: row["round"],
    }
    columns = [column(head, metric) for metric, head in COLUMNS.items()]
    return pivot(study, "retraining", ordered, ("model", "experiment", "round"), labels, columns, once=0, whole=True)


TABLES = (retraining,)
FIGURES = (figures.retraining,)
