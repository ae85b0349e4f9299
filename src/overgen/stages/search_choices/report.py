"""The searches for what the papers leave open, in the report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from overgen.report.choices import setting_text
from overgen.report.names import MAIN_SOURCE, model_name
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.tables import Table, markdown_table
from overgen.run.results import Cell

COMPARED = False  # settings on held-out images, which are no results


def searches(study: Study) -> Iterator[Table]:
    """What the searches on held-out images found, a table each with a row for each setting.

    The distance from the paper is the mean absolute difference, in percentage points, between accuracies here and
    those that the main paper reports, at its α.
    """
    for cell in study.cells("search_choices").values():
        settings = cell.table("settings")
        papers = paper_accuracies(study, cell.model, accuracies(settings))
        if papers:
            gaps = [(settings[name] - value).abs() for name, value in papers.items()]
            settings["distance_from_paper"] = sum(gaps) / len(gaps)
        text = "\n\n".join([about(study, cell), settings_table(settings, papers), used(study, cell, settings)])
        yield Table(f"search_{cell.model}", text, settings)


def paper_accuracies(study: Study, model: str, names: Sequence[str]) -> dict[str, float]:
    """The main paper's accuracies, in percent, by the column of ours: at each τ the first α, which is the paper's."""
    papers = study.papers
    rows = papers[(papers["source"] == MAIN_SOURCE) & (papers["metric"] == "thresholded_accuracy")]
    rows = rows[(rows["experiment"] == "fgn") & (rows["dataset"] == study.dataset) & (rows["model"] == model)]
    reported_at = dict(zip(rows["tau"], rows["value"], strict=True))
    by_column: dict[str, float] = {}
    for name in names:
        tau = float(name.partition("tau=")[2].partition(",")[0])
        if tau in reported_at:
            by_column[name] = reported_at.pop(tau)
    return by_column


def accuracies(settings: pd.DataFrame) -> list[str]:
    """The columns of settings.csv that are accuracies."""
    return [str(name) for name in settings if str(name).startswith("accuracy@")]


def settings_table(settings: pd.DataFrame, papers: Mapping[str, float]) -> str:
    """A row for each setting below the paper's, the one nearest to it bold. papers: see `paper_accuracies`."""
    columns = [str(name) for name in settings]
    judged = accuracies(settings)
    more = {"distance_from_paper": "distance from the paper", "noise_median_score": "noise: median score"}
    more |= {name: "noise: accepted %" for name in columns if name.startswith("noise_accepted@")}
    more |= {"median_distance": "median ‖r − x‖₂"}
    more = {name: text for name, text in more.items() if name in columns}
    lines = [["*paper, test images*", *(f"{papers[name]:g}" if name in papers else "–" for name in judged)]]
    lines[0] += ["–"] * len(more)
    for row in records(settings):
        line = [row["setting"], *(f"{row[name]:.2f}" for name in judged)]
        line += [f"{row[name]:.2g}" if name == "noise_median_score" else f"{row[name]:.2f}" for name in more]
        if papers and row["distance_from_paper"] == settings["distance_from_paper"].min():
            line[0] = f"**{line[0]}**"
        lines.append(line)
    headings = [re.sub(r"accuracy@tau=([\d.]+),alpha=([\d.]+)", r"τ = \1, α = \2", name) for name in judged]
    return markdown_table(lines, ["setting", *(text.removesuffix(", α = 0") for text in headings), *more.values()])


def about(study: Study, cell: Cell) -> str:
    """What the settings of a search have in common."""
    key = f"search_choices.{cell.dataset}.{cell.model}"
    budget = f"{cell.budget[f'{key}.epochs']} epochs, {cell.budget[f'{key}.held_out']:,} images held out"
    return f"{model_name(cell.model)}: {budget}. Base: {options_text(base_of(study, key))}."


def used(study: Study, cell: Cell, table: pd.DataFrame) -> str:
    """What the study uses of the options that a search changed, and whether they are the nearest to the paper."""
    key, settings = f"search_choices.{cell.dataset}.{cell.model}", study.settings
    base, tried = base_of(study, key), settings.get(f"{key}.settings", [])
    changed = dict.fromkeys(name for setting in tried for name in setting)
    places = {name: (f"models.{cell.model}.{name}", f"training.{cell.dataset}.{name}") for name in changed}
    options = {name: settings[place] for name, both in places.items() for place in both if place in settings}
    text = f"Used in the study: {options_text(options)}."
    if "distance_from_paper" in table and tried:
        nearest = tried[int(table["distance_from_paper"].argmin())]
        if any(nearest.get(name, base.get(name)) != value for name, value in options.items()):
            text += " That is not the setting nearest to the paper."
    return text


def base_of(study: Study, key: str) -> dict[str, Any]:
    """The options that a search starts from, by name. key: its section in params.yaml."""
    places = (f"{key}.model.", f"{key}.training.")
    return {name.split(".")[-1]: value for name, value in study.settings.items() if name.startswith(places)}


def options_text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {setting_text(value)}" for name, value in values.items())


TABLES = (searches,)
