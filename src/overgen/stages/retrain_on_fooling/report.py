"""Retraining on fooling images in the report."""

from __future__ import annotations

from overgen.report.findings import Finding, compared, known
from overgen.report.names import ENCODING_NAMES, model_name
from overgen.report.reported import records
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


def after_retraining(study: Study) -> Finding | None:
    """How sure the network is of new images after the last round, in the encoding of which it is surest."""
    experiments = [f"retraining_{encoding}" for encoding in ENCODING_NAMES]
    rows = [row for row in records(study.rows(experiment=experiments, metric="median_confidence")) if known(row)]
    last = max((int(row["round"]) for row in rows), default=0)
    if not last:
        return None
    row = max((row for row in rows if int(row["round"]) == last), key=lambda row: row["reproduced"])
    first = next((r for r in rows if r["round"] == "0" and r["experiment"] == row["experiment"]), row)
    if row["low"] > 90:
        says = "Retraining on fooling images does not end them: new ones are found of which the network is sure."
    elif compared(row, first) < 0:
        says = "Retraining on fooling images makes the network less sure of new ones."
    else:
        says = "Retraining on fooling images makes no difference that could be measured to new ones."
    encoding = ENCODING_NAMES[row["experiment"].removeprefix("retraining_")]
    number = (
        f"{model_name(row['model'])} after round {last}, {encoding} encoding: median confidence {{number}} of {{n}}"
    )
    return Finding(says, number, row, f"retraining_{row['model']}", "retraining")


FINDINGS = (after_retraining,)
TABLES = (retraining,)
FIGURES = (figures.retraining,)
