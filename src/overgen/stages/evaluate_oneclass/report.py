"""One class against all others in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.findings import Finding, compared, known
from overgen.report.glance import Glance
from overgen.report.names import METRIC_NAMES, model_name
from overgen.report.reported import records
from overgen.report.study import Metrics, Orderings, Row, Study
from overgen.report.tables import (
    MODEL,
    Table,
    bold,
    column,
    entry,
    grouped,
    markdown_table,
    measured,
    pivot,
    reported,
    row_name,
)
from overgen.stages.evaluate_oneclass import figures
from overgen.stages.evaluate_scores.names import method_name  # of pixels, scored by the methods of evaluate_scores

ORDERINGS: Orderings = [("one_class", "auroc", "tells one class from the others less well than", {})]
CHOICES = [
    (
        "One class: the score that is swept, and λ_L2",
        "c̃ of a dAE, y of COOL, the decision function of the SVM; trained as above, but for what is changed by "
        "{train_oneclass.DATASET.training}",
    ),
]


def one_class(study: Study) -> Table:
    """Figure 5 in numbers: one class against all others, a row a model and score, means over the classes.

    The first score of a model, whose metrics have no key, is the one compared with the paper. Model "pixels" has the
    scores of pixels, of which none is.
    """
    rows = study.rows(experiment="one_class", metric="auroc")
    columns = [column("AUROC reported", "auroc", show=reported)] * bool((rows["value"] != "").any())
    columns += [column(METRIC_NAMES[name], name) for name in ("auroc", "aupr", "fpr_at_95_tpr")]
    labels = MODEL | {"score": lambda row: score_name(study, row)}
    by = ("model", "score", "alpha")
    return pivot(study, "one_class", grouped(rows, model=()), by, labels, columns, of={"experiment": "one_class"})


def roc_points(study: Study) -> Table:
    """Points of the averaged curves: the share of the class that is accepted where so much of the others is."""
    rows = study.rows(experiment="one_class", metric="tpr", score="")
    rates = sorted(set(rows["fpr"]), key=float) if len(rows) else []
    columns = [column(f"of the others {float(rate):.0%}".replace("%", " %"), "tpr", show=entry, fpr=rate)
               for rate in rates]  # fmt: skip
    return pivot(study, "roc_points", rows, ("model",), MODEL, columns, of={"experiment": "one_class"})


def score_name(study: Study, row: Row) -> str:
    """What was swept: "ỹ, α = 3" of the score "scaled" at α = 3; of a score without a name what its model has."""
    if not row["score"]:
        metrics = set(study.rows(experiment="one_class", model=row["model"])["metric"])
        return "c̃" if "gamma_positive_rate" in metrics else "y" if "elsewhere_rate" in metrics else "decision function"
    name = {"scaled": "ỹ", "distance": "−‖r(x) − x‖₂"}.get(row["score"]) or method_name(row["score"])
    return name + (f", α = {row['alpha']}" if row["alpha"] else "")


def context(study: Study) -> dict[str, Any]:
    """Two shares of test images on which the choice of a score rests, a line a model; "" for none."""
    rows = study.rows(experiment="one_class", metric=("elsewhere_rate", "gamma_positive_rate"))
    lines = [[bold(row["model"]), row_name(row), measured(row)] for row in records(rows)]
    return {"one_class_checks": markdown_table(lines, ["", "test images on which", "%"]) if lines else ""}


def auroc(study: Study, model: str) -> Row | None:
    """The AUROC of the score that is compared with the paper."""
    return study.find(experiment="one_class", metric="auroc", model=model)


def best_alone(study: Study) -> Finding | None:
    """The model that tells one class from the others best."""
    rows = [row for model in study.cells("evaluate_oneclass") if (row := auroc(study, model)) and known(row)]
    rows.sort(key=lambda row: -row["reproduced"])
    if len(rows) < 2:
        return None
    best, (name, second) = rows[0], (model_name(row["model"]) for row in rows[:2])
    if compared(best, rows[1]) > 0:
        says = f"Trained on one class alone, {name} tells it from the others best."
    else:
        says = f"Trained on one class alone, {name} and {second} tell it from the others about alike."
    return Finding(says, f"{name}: AUROC {{number}} over {{n}} classes", best, "one_class_roc", "one_class")


FINDINGS = (best_alone,)
GLANCE = (Glance("one class, AUROC", auroc),)
METRICS: Metrics = {"one_class_auroc": ("one_class", "auroc", {})}
TABLES = (one_class, roc_points)
FIGURES = (figures.one_class_roc, figures.one_class_aurocs)
