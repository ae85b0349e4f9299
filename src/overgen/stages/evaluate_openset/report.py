"""Open-set recognition in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.findings import Finding, compared, known
from overgen.report.names import METRIC_NAMES, model_name
from overgen.report.reported import records
from overgen.report.study import Metrics, Orderings, Study, rising
from overgen.report.tables import (
    MODEL,
    TAU,
    Labels,
    Table,
    at_tau,
    column,
    entry,
    grouped,
    pivot,
    reported,
    with_reported,
)
from overgen.stages.evaluate_openset import figures

ORDERINGS: Orderings = [("open_set", "f_measure@known=1", "has a lower F-measure at one known class than", {})]
CHOICES = [("F-measure", "mean of 2PR/(P+R) over the known classes and one unknown class, left out when all are known")]
KNOWN: Labels = {"known": lambda row: row["known"]}


def open_set(study: Study) -> Table:
    """F-measure for each number of known classes: the numbers behind Figure 4."""
    rows = study.rows(experiment="open_set", metric="f_measure", alpha="")
    columns = [column(model_name(model), "f_measure", model=model) for model in study.cells("evaluate_openset")]
    columns = with_reported(columns, bool((rows["value"] != "").any()), "{} measured", "{} reported")
    ordered = grouped(rows, tau=rising(rows["tau"]), known=falling(rows["known"]))
    by, of = ("tau", "known"), {"experiment": "open_set"}
    return pivot(study, "open_set", ordered, by, TAU | KNOWN, columns, once=0, whole=True, of=of)


def open_set_apart(study: Study) -> Table:
    """What open-set recognition comes to without a threshold, and balanced accuracy, at the largest τ's α."""
    names = ("auroc", "aupr", "fpr_at_95_tpr", "oscr", "balanced_accuracy")
    rows = study.rows(experiment="open_set", metric=names, alpha="")
    tau = max(rows["tau"], key=float, default="")
    columns = [column(METRIC_NAMES[name], name) for name in names]
    columns[-1] = columns[-1]._replace(head=f"{columns[-1].head}, {at_tau(tau)}")
    rows = grouped(rows, model=(), known=falling(rows["known"]))
    by, of = ("model", "known"), {"experiment": "open_set", "tau": tau}
    return pivot(study, "open_set_apart", rows, by, MODEL | KNOWN, columns, of=of)


def open_set_mean(study: Study) -> Table:
    """Means over all numbers of known classes that leave one unknown, and without one known class; F at each τ."""
    rows = study.rows(experiment="open_set_mean", alpha="")
    taus = rising(rows["tau"])
    columns = [column(f"F, {at_tau(tau)}", "f_measure", tau=tau) for tau in taus]
    columns += [column(METRIC_NAMES[name], name, tau=taus[-1]) for name in ("auroc", "oscr")] if taus else []
    labels: Labels = {"known classes": lambda row: f"{row['from_known']} and more"}
    rows = grouped(rows, model=())
    by, of = ("model", "from_known"), {"experiment": "open_set_mean"}
    return pivot(study, "open_set_mean", rows, by, MODEL | labels, columns, of=of)


def open_set_deviation(study: Study) -> Table:
    """How much the F-measure hangs on which classes are known, where the paper says it: its deviation over subsets."""
    rows = study.rows(experiment="open_set", metric="f_measure_deviation", alpha="")
    told = rows[rows["value"] != ""]
    rows = rows[rows["known"].isin(told["known"]) & rows["tau"].isin(told["tau"])]
    columns = [column(model_name(model), "f_measure_deviation", show=entry, model=model)
               for model in study.cells("evaluate_openset")]  # fmt: skip
    ordered = grouped(rows, tau=rising(rows["tau"]), known=falling(rows["known"]))
    by, of = ("tau", "known"), {"experiment": "open_set"}
    return pivot(study, "open_set_deviation", ordered, by, TAU | KNOWN, columns, once=0, of=of)


def open_set_longer(study: Study) -> Table:
    """What the same networks come to when they are trained for more epochs, and the difference, at the paper's α."""
    rows = study.rows(experiment="open_set_longer", alpha="")
    has_reported = bool((study.rows(experiment="open_set")["value"] != "").any())
    columns = [column("F reported", "f_measure", show=reported, experiment="open_set")] * has_reported
    for head, name in (("F", "f_measure"), ("AUROC", "auroc")):
        columns += [column(head, name, experiment="open_set"),
                    column(f"{head}, longer", f"{name}_longer", experiment="open_set_longer"),
                    column(f"{head}: difference", f"{name}_gain", experiment="open_set_longer")]  # fmt: skip
    known = rows["known"].iloc[0] if len(rows) else ""
    ordered = grouped(rows, model=(), tau=rising(rows["tau"]))
    by = ("model", "tau")
    return pivot(study, "open_set_longer", ordered, by, MODEL | TAU, columns, once=0, whole=True, of={"known": known})


def experiment_name(experiment: str) -> str:
    return "trained longer" if experiment == "open_set_longer" else experiment


def falling(known: Any) -> list[str]:
    """Different numbers of known classes, in falling order."""
    return sorted(set(known), key=int, reverse=True)


def context(study: Study) -> dict[str, Any]:
    rows, longer = study.rows(experiment="open_set"), study.rows(experiment="open_set_longer")
    return {
        "open_set_reported": bool((rows["value"] != "").any()),
        "few_subsets": max(map(int, rows["n"]), default=10),
        "longer_budget": next(iter(longer["budget"]), ""),
    }


def best_by_f(study: Study) -> Finding | None:
    """The model of the largest F-measure at the largest τ, with about half of the classes known."""
    rows = study.rows(experiment="open_set", metric="f_measure", alpha="")
    rows = rows[rows["tau"] == max(rows["tau"], key=float, default="")]
    known_classes = min(set(rows["known"]) - {""}, key=lambda k: abs(int(k) - 5), default="")
    ranked = [row for row in records(rows[rows["known"] == known_classes].drop_duplicates("model")) if known(row)]
    ranked.sort(key=lambda row: -row["reproduced"])
    if len(ranked) < 2:
        return None
    best, name = ranked[0], model_name(ranked[0]["model"])
    if compared(best, ranked[1]) > 0:
        says = f"With unknown classes among the images, {name} does best by the paper's measure."
    else:
        says = f"With unknown classes among the images, no network is clearly ahead; {name} comes first."
    number = f"F-measure {{number}} over {{n}} subsets of {known_classes} known classes at {at_tau(best['tau'])}"
    return Finding(says, number, best, "open_set", "open_set")


FINDINGS = (best_by_f,)
METRICS: Metrics = {
    f"open_set_f_measure@known={known}": ("open_set", "f_measure", {"tau": "0.99", "known": known})
    for known in ("4", "5")
}
TABLES = (open_set, open_set_deviation, open_set_apart, open_set_mean, open_set_longer)
FIGURES = (figures.open_set,)
