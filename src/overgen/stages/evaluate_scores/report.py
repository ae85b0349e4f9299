"""Open-set scores in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overgen.report.findings import Finding, compared, known
from overgen.report.glance import Glance
from overgen.report.names import ATTACK_NAMES, model_name
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, bold, broken, column, count_text, measured, pivot
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


def aurocs(study: Study, model: str = "") -> list[Row]:
    """The AUROC of every method, of one model if it is named, the best first."""
    of = {"model": model} if model else {}
    rows = records(study.rows(experiment="scores", metric="auroc", known="", **of).reset_index(names="place"))
    return sorted((row for row in rows if known(row)), key=lambda row: -row["reproduced"])


def is_own(rows: list[Row], row: Row) -> bool:
    """Whether a method is what the network itself says: its ỹ, or its softmax where it has no other."""
    scaled = any(r["method"].startswith("scaled_output") for r in rows if r["model"] == row["model"])
    return bool(row["method"].startswith("scaled_output") if scaled else row["method"] == "softmax")


def own(study: Study, model: str) -> Row | None:
    """The AUROC of a network's own score."""
    rows = aurocs(study, model)
    return next((row for row in rows if is_own(rows, row)), None)


def best_method(study: Study) -> Finding | None:
    """The best of all methods, against the best of the networks' own scores."""
    rows = aurocs(study)
    theirs = next((row for row in rows if is_own(rows, row)), None)
    if theirs is None:
        return None
    best = rows[0]
    name = f"{method_name(best['method'])} on {model_name(best['model'])}"
    ways = f"Of {len(rows)} ways to tell unknown classes from known ones"
    if is_own(rows, best):
        says = f"{ways} a network's own score came first: {name}."
    elif compared(best, theirs) > 0:
        says = f"{ways}, {name} beats every network's own score."
    else:
        says = f"{ways}, none clearly beats the networks' own scores."
    of_own = f"{method_name(theirs['method'])} of {model_name(theirs['model'])}: {measured(theirs)}"
    return Finding(says, f"{name}: AUROC {{number}} over {{n}} problems; {of_own}", best, "score_ranking", "scores")


FINDINGS = (best_method,)
GLANCE = (Glance("unknown classes, own score, AUROC", own),)
TABLES = (scores, common_scores, score_kinds, fooling_images)
FIGURES = (figures.rankings, figures.score_histograms)
