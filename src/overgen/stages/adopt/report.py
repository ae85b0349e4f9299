"""The networks that were trained elsewhere, in the report."""

from __future__ import annotations

import pandas as pd

from overgen.report.glance import Glance
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, by_metric, markdown_table
from overgen.stages.adopt import figures

FIRST = 12  # characters of a SHA-256 that are shown


def about(study: Study) -> Table:
    """What each network is: its files, what it gets and what it gives."""
    tables = {model: cell.table("about") for model, cell in study.cells("adopt").items()}
    rows = pd.concat([t.assign(model=model) for model, t in tables.items()]) if tables else pd.DataFrame()
    facts = list(dict.fromkeys(what for t in tables.values() for what in t["what"]))
    lines = []
    for fact in facts:
        values = [t.loc[t["what"] == fact, "value"] for t in tables.values()]
        texts = [str(value.iloc[0]) if len(value) else "–" for value in values]
        lines.append(
            [fact, *(f"`{text[:FIRST]}…`" if fact.startswith("SHA-256") and text != "–" else text for text in texts)]
        )
    header = ["", *map(model_name, tables)]
    return Table("adopted", markdown_table(lines, header) if lines else "", rows)


def adopted(study: Study) -> Table:
    """How often each network is right, and how far its scores can be trusted."""
    models = tuple(study.cells("adopt"))
    frame = study.rows(experiment=("train", "adopt"))
    return by_metric("adopted_accuracy", frame[frame["model"].isin(models)])


def accuracy(study: Study, model: str) -> Row | None:
    """Of an adopted network what the trained ones have of their own stages, for the table of all models."""
    if model not in study.cells("adopt"):
        return None
    return study.find(experiment="train", metric="test_accuracy", model=model)


GLANCE = (Glance("accuracy %", accuracy),)
TABLES = (about, adopted)
FIGURES = (figures.adopted_reliability,)
