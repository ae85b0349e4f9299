"""Open-set scores in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overgen.report.names import ATTACK_NAMES, model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, bold, broken, column, count_text, pivot
from overgen.stages.evaluate_scores import figures
from overgen.stages.evaluate_scores.names import method_name

COLUMNS = {
    "auroc": "AUROC",
    "oscr": "OSCR",
    "fpr_at_95_tpr": "unknown accepted at 95 % TPR, %",
    "f_measure": "F at the threshold",
    "known_accepted": "known accepted there",
}
FROM_TWO = {"experiment": "scores_mean", "from_known": "2"}  # means without the problems of one known class
SEVERAL = {"auroc": "AUROC, ≥ 2 known"}
KINDS = {
    "auroc": "unknown classes",
    "auroc_uniform": "uniform noise",
    "auroc_normal": "normal noise",
    "auroc_shuffled": "shuffled pixels",
    "auroc_other_data": "other data",
    "auroc_fooling": "fooling images",
}


def scores(study: Study) -> Table:
    """Every method of every model: means over all problems with an unknown class, best AUROC first.

    Beside them the means without the problems of one known class.
    """
    return by_method(study, "scores", COLUMNS, SEVERAL)


def common_scores(study: Study) -> Table:
    """AUROC of the methods that were tried on every network, the only search that was equal: a row a method."""
    models = list(study.cells("evaluate_scores"))
    rows = study.rows(experiment="scores", metric="auroc", known="")
    common = [method for method, of in rows.groupby("method", sort=False) if set(of["model"]) == set(models)]
    columns = [
        column(f"{model_name(model)}{words}", "auroc", show=broken, model=model, **of)
        for model in models
        for words, of in (("", {}), (", ≥ 2 known", FROM_TWO))
    ]
    labels: Labels = {"method": lambda row: f"**{method_name(row['method'])}**"}
    rows = rows[rows["method"].isin(common)] if len(models) > 1 else rows[:0]
    return pivot(study, "common_scores", rows, ("method",), labels, columns, of={"experiment": "scores"})


def score_kinds(study: Study) -> Table:
    """As `scores`: the AUROC between known classes and each kind of unknown image."""
    return by_method(study, "score_kinds", KINDS)


def by_method(study: Study, name: str, metrics: Mapping[str, str], several: Mapping[str, str] | None = None) -> Table:
    """A row a method and model, a column for each metric. several: those of two known classes and more."""
    rows = study.rows(experiment="scores", metric="auroc", known="")
    rows = rows.sort_values("reproduced", ascending=False, kind="stable")
    labels: Labels = {
        "method": lambda row: f"**{method_name(row['method'])}**",
        "on": lambda row: model_name(row["model"]),
    }
    columns = [column(head, metric, show=broken) for metric, head in metrics.items()]
    columns[1:1] = [column(head, metric, show=broken, **FROM_TWO) for metric, head in (several or {}).items()]
    return pivot(study, name, rows, ("model", "method"), labels, columns, once=0, of={"experiment": "scores"})


def fooling_images(study: Study) -> Table:
    """How many of the collected fooling images are of each attack: a row an attacked network."""
    rows = study.rows(experiment="fooling_images")
    columns = [column(name, "images", show=images, attack=attack) for attack, name in ATTACK_NAMES.items()]
    labels: Labels = {"attacked": lambda row: bold(row["attacked"])}
    by, of = ("attacked",), {"experiment": "fooling_images", "model": "attacked"}
    return pivot(study, "fooling_images", rows, by, labels, columns, whole=True, of=of)


def images(row: Row | None) -> str:
    return "–" if row is None else count_text(row["reproduced"])


def context(study: Study) -> dict[str, Any]:
    """How many scores were tried on each network."""
    tried = study.rows(experiment="scores", metric="auroc", known="").groupby("model", sort=False)["method"].nunique()
    return {"tried": ", ".join(f"{count} on {model_name(str(model))}" for model, count in tried.items())}


TABLES = (scores, common_scores, score_kinds, fooling_images)
FIGURES = (figures.rankings, figures.score_histograms)
