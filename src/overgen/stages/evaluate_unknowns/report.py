"""Known from unknown by any trained network, in the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from overgen.report.findings import Finding, compared, known
from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, broken, column, measured, pivot
from overgen.scores.names import FITTED
from overgen.stages.evaluate_scores.names import method_name
from overgen.stages.evaluate_unknowns import figures
from overgen.stages.evaluate_unknowns.names import kind_name

EXPERIMENT = "unknowns"
OF_FEATURES = {name for name, score in FITTED.items() if score.view == "features" and not score.pool}
CHANCE = 0.5
OWN = ("scaled_output", "confidence", "softmax")  # what a network says itself
METHOD: Labels = {"method": lambda row: f"**{method_name(row['method'])}**"}


def unknowns(study: Study) -> Table:
    """A row a method, for each network its mean AUROC over the kinds and its worst kind; the best method first."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc_mean")
    columns = [
        column(head.format(model_name(model)), metric, show=show, model=model)
        for model in study.cells("evaluate_unknowns")
        for head, metric, show in (("{}: mean", "auroc_mean", mean), ("worst kind", "auroc_worst", worst))
    ]
    return pivot(study, "unknowns", by_best(rows), ("method",), METHOD, columns, of={"experiment": EXPERIMENT})


def unknown_answers(study: Study) -> Table:
    """At the threshold that keeps the declared share: a row a method, how many known images are kept and are right."""
    rows = study.rows(experiment=EXPERIMENT, metric="known_accepted")
    columns = [
        column(head.format(model_name(model)), metric, show=broken, model=model)
        for model in study.cells("evaluate_unknowns")
        for head, metric in (("{}: kept", "known_accepted"), ("right of these", "accuracy_accepted"))
    ]
    return pivot(study, "unknown_answers", rows, ("method",), METHOD, columns, of={"experiment": EXPERIMENT})


def unknown_kinds(study: Study) -> Iterator[Table]:
    """A table for each kind: a row a method, for each network AUROC and FPR95."""
    for kind in kinds(study):
        rows = study.rows(experiment=EXPERIMENT, metric="auroc", kind=kind)
        columns = [
            column(head.format(model_name(model)), metric, show=broken, model=model, kind=kind)
            for model in study.cells("evaluate_unknowns")
            for head, metric in (("{}: AUROC", "auroc"), ("FPR95, %", "fpr95"))
        ]
        yield pivot(
            study, f"unknowns_{kind}", by_best(rows), ("method",), METHOD, columns, of={"experiment": EXPERIMENT}
        )


def by_best(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by the best number of their method on any network, the best first."""
    best = rows.groupby("method")["reproduced"].max()
    order = best.sort_values(ascending=False, kind="stable").index
    place = {method: i for i, method in enumerate(order)}
    return rows.iloc[sorted(range(len(rows)), key=lambda i: place[rows["method"].iloc[i]])]


def kinds(study: Study) -> list[str]:
    """The kinds that were tried, in the order of the cells."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc")
    return [kind for kind in dict.fromkeys(rows["kind"]) if kind] if "kind" in rows else []


def mean(row: Row | None) -> str:
    """A mean with its interval; where there is none the reason, in short."""
    return broken(row) if row is None or known(row) or "not testable" not in row["note"] else "does not apply"


def worst(row: Row | None) -> str:
    """The AUROC on the kind that a method knows least, with that kind's name."""
    # the note of a row in a report begins with what its interval is
    return "–" if row is None else f"{measured(row, between='<br>')}<br>{kind_name(row['note'].rpartition('; ')[2])}"


def context(study: Study) -> dict[str, Any]:
    """What the section says of how much was tried."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc_mean")
    tried = rows[rows["reproduced"].notna()].groupby("model", sort=False)["method"].nunique()
    common = alike(rows[rows["reproduced"].notna()])
    refused = [row for row in records(rows) if "not testable" in row["note"]]
    return {
        "unknown_tried": ", ".join(f"{n} on {model_name(str(model))}" for model, n in tried.items()),
        "unknown_common": len(common) if len(tried) > 1 else 0,
        "unknown_kinds_named": ", ".join(kind_name(kind) for kind in kinds(study)),
        "unknown_kind_names": [kind_name(kind) for kind in kinds(study)],
        "unknown_refused": [
            f"{method_name(row['method'])} on {model_name(row['model'])}: {row['note'].partition(': ')[2]}"
            for row in refused
        ],
    }


def alike(rows: pd.DataFrame) -> list[str]:
    """The methods that were tried on every network that the rows are of."""
    models = set(rows["model"])
    return [str(method) for method, of in rows.groupby("method", sort=False) if set(of["model"]) == models]


def same_search(study: Study) -> Finding | None:
    """Which network tells unknowns best under the same methods, by the best of them on each."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc_mean")
    rows = rows[rows["reproduced"].notna()].reset_index(names="place")
    common = alike(rows)
    found = [row for row in records(rows[rows["method"].isin(common)]) if known(row)]
    best = best_by_model(found)
    if len(best) < 2:
        return None
    first, *others = best
    ways = f"Of {len(common)} scores tried on every network alike, against images of no class,"
    if all(compared(first, other) > 0 for other in others):
        says = f"{ways} the best is clearly better on {model_name(first['model'])} than on any other network."
    else:
        says = f"{ways} the best is about as good on one network as on another."
    rest = "; ".join(f"{method_name(row['method'])} on {model_name(row['model'])} {measured(row)}" for row in others)
    number = f"{method_name(first['method'])} on {model_name(first['model'])}: mean AUROC {{number}} over {{n}} kinds"
    return Finding(says, f"{number}; {rest}", first, "unknown_map", "unknowns")


def own_words(study: Study) -> Finding | None:
    """Whether scores fitted to a network's features beat what it says itself: the best of each on every network."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc_mean").reset_index(names="place")
    found = [row for row in records(rows) if known(row)]
    gaps = []
    for model in dict.fromkeys(row["model"] for row in found):
        of_model = [row for row in found if row["model"] == model]
        says_itself = [row for row in of_model if row["method"].startswith(OWN)]
        of_features = [row for row in of_model if row["method"] in OF_FEATURES]
        if says_itself and of_features:
            gaps.append((max(says_itself, key=auroc), max(of_features, key=auroc)))
    if not gaps:
        return None
    beaten = [compared(fitted, own) for own, fitted in gaps]
    if all(sign > 0 for sign in beaten):
        of = "any network's" if len(gaps) > 1 else "the network's"
        says = f"Scores fitted to features tell images of no class better than {of} own score."
    elif any(sign > 0 for sign in beaten):
        says = (
            "On some networks, scores fitted to features tell images of no class better than the network's own score."
        )
    else:
        says = "No score fitted to features is clearly better at images of no class than the network's own score."
    own, fitted = max(gaps, key=lambda pair: pair[1]["reproduced"] - pair[0]["reproduced"])
    name = f"{method_name(fitted['method'])} on {model_name(fitted['model'])}"
    number = f"{name}: mean AUROC {{number}} over {{n}} kinds; its {method_name(own['method'])} {measured(own)}"
    return Finding(says, number, fitted, "unknown_map", "unknowns")


def turned_round(study: Study) -> Finding | None:
    """The score that is furthest below chance: images of no class look more known to it than test images."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc_mean").reset_index(names="place")
    below = [row for row in records(rows) if known(row) and row["high"] < CHANCE]
    if not below:
        return None
    row = min(below, key=auroc)
    name = f"{method_name(row['method'])} on {model_name(row['model'])}"
    others = len({row["method"] for row in below}) - 1
    says = f"To {name}, images of no class look more known than test images"
    says += f"; so they do to {others} other score{'s' if others > 1 else ''} on some network." if others else "."
    return Finding(says, f"{name}: mean AUROC {{number}} over {{n}} kinds; chance: ½", row, "unknown_map", "unknowns")


def best_by_model(rows: Sequence[Row]) -> list[Row]:
    """Of each network the row of the best number, the best first."""
    models = dict.fromkeys(row["model"] for row in rows)
    best = [max((row for row in rows if row["model"] == model), key=auroc) for model in models]
    return sorted(best, key=auroc, reverse=True)


def auroc(row: Row) -> float:
    return float(row["reproduced"])


FIRST_SEED = True
FINDINGS = (same_search, own_words, turned_round)
TABLES = (unknowns, unknown_answers, unknown_kinds)
FIGURES = (figures.unknown_map, figures.unknown_images)
