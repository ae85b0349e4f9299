"""Open-set scores on controls in the report."""

from __future__ import annotations

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.tables import Labels, Table, broken, column, pivot
from overgen.stages.evaluate_scores.names import method_name


def control_scores(study: Study) -> Table:
    """AUROC between known and unknown classes: a row a method, a column a network, means over the same problems."""
    rows = study.rows(experiment="control_scores", metric="auroc", known="")
    labels: Labels = {"method": lambda row: f"**{method_name(row['method'])}**"}
    columns = [
        column(model_name(model), "auroc", show=broken, model=model) for model in study.cells("evaluate_controls")
    ]
    return pivot(study, "control_scores", rows, ("method",), labels, columns, of={"experiment": "control_scores"})


TABLES = (control_scores,)
