"""Tables of open-set scores in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from overgen.measures.ranking import Ranking, ranking
from overgen.report.grid import Cell
from overgen.report.names import ATTACK_NAMES, method_name, model_name
from overgen.report.tables import Table, find, markdown_table, measured

COLUMNS = {
    "auroc": "AUROC",
    "oscr": "OSCR",
    "fpr_at_95_tpr": "unknown accepted at 95 % TPR, %",
    "f_measure": "F at the threshold",
    "known_accepted": "known accepted there",
}
KINDS = {
    "auroc": "unknown classes",
    "auroc_uniform": "uniform noise",
    "auroc_normal": "normal noise",
    "auroc_shuffled": "shuffled pixels",
    "auroc_other_data": "other data",
    "auroc_fooling": "fooling images",
}


def ranked(cells: Mapping[str, Cell]) -> tuple[list[tuple[str, str]], Ranking] | None:
    """Every (model, method) with its mean rank by AUROC over the problems, best first, and the test.

    cells: of evaluate_scores. A problem is a number of known classes and a subset. None where there are too few.
    """
    parts = [cell.table("trials").assign(model=model) for model, cell in cells.items()]
    if not parts:
        return None
    trials = pd.concat(parts)
    wide = trials[trials["auroc"].notna()].pivot(index=["known", "subset"], columns=["model", "method"], values="auroc")
    if wide.shape[0] < 2 or wide.shape[1] < 3:
        return None
    found = ranking(wide.to_numpy())
    order = found.ranks.argsort(kind="stable")
    names = [(str(column[0]), str(column[1])) for column in wide.columns]
    return [names[i] for i in order], found._replace(ranks=found.ranks[order])


def scores(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """Every method of every model: means over all problems with an unknown class, best AUROC first."""
    return _by_method("scores", frame, models, COLUMNS)


def score_kinds(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """As `scores`: the AUROC between known classes and each kind of unknown image."""
    return _by_method("score_kinds", frame, models, KINDS)


def fooling_images(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How many of the collected fooling images are of each attack: a row an attacked network."""
    rows = frame[frame["experiment"] == "fooling_images"]
    lines = []
    for model in models:
        found = [find(rows, "fooling_images", "attacked", f"images@attack={a}@attacked={model}") for a in ATTACK_NAMES]
        if any(found):
            lines.append([f"**{model_name(model)}**", *(f"{row['reproduced']:,.0f}" if row else "–" for row in found)])
    header = ["attacked", *ATTACK_NAMES.values()]
    return Table("fooling_images", markdown_table(lines, header) if lines else "", rows)


def _by_method(name: str, frame: pd.DataFrame, models: Sequence[str], columns: Mapping[str, str]) -> Table:
    """A row a method and model, a column for each metric of `columns`."""
    rows = frame[(frame["experiment"] == "scores") & ~frame["metric"].str.contains("@known=")]
    if rows.empty:
        return Table(name, "", rows)
    of_area = rows[rows["metric"].str.startswith("auroc@") & rows["model"].isin(models)]
    lines, used = [], []
    for _, best in of_area.sort_values("reproduced", ascending=False, kind="stable").iterrows():
        model, method = str(best["model"]), best["metric"].partition("=")[2]
        numbers = [find(rows, "scores", model, f"{metric}@method={method}") for metric in columns]
        used += [row for row in numbers if row]
        lines.append(
            [
                f"**{method_name(method)}**",
                model_name(model),
                *(measured(row, between="<br>") if row and pd.notna(row["reproduced"]) else "–" for row in numbers),
            ]
        )
    header = ["method", "on", *columns.values()]
    return Table(name, markdown_table(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))
