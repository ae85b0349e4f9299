"""Tables of the searches in the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from overgen.report.assumptions import setting_text
from overgen.report.grid import Cell
from overgen.report.names import MAIN_SOURCE, model_name
from overgen.report.reported import load as load_reported
from overgen.report.tables import Table, markdown_table, records


def search(cell: Cell, settings: Mapping[str, Any]) -> Table:
    """What one search on held-out images found, a row for each setting.

    cell: of `search_choices`; settings: as for `assumptions`. The distance from the paper is the mean absolute
    difference, in percentage points, between accuracies here and those that the main paper reports, at its α.
    """
    found = cell.table("settings")
    columns = [str(name) for name in found]
    accuracies = [name for name in columns if name.startswith("accuracy@")]
    papers = paper_accuracies(cell, accuracies)
    lines = [["*paper, test images*", *(f"{papers[name]:g}" if name in papers else "–" for name in accuracies)]]
    if papers:
        gaps = [(found[name] - value).abs() for name, value in papers.items()]
        found["distance_from_paper"] = sum(gaps) / len(gaps)
        columns.append("distance_from_paper")
    more = {"distance_from_paper": "distance from the paper", "noise_median_score": "noise: median score"}
    more |= {name: "noise: accepted %" for name in columns if name.startswith("noise_accepted@")}
    more |= {"median_distance": "median ‖r − x‖₂"}
    more = {name: text for name, text in more.items() if name in columns}
    lines[0] += ["–"] * len(more)
    for row in records(found):
        line = [row["setting"], *(f"{row[name]:.2f}" for name in accuracies)]
        line += [f"{row[name]:.2g}" if name == "noise_median_score" else f"{row[name]:.2f}" for name in more]
        if papers and row["distance_from_paper"] == found["distance_from_paper"].min():
            line[0] = f"**{line[0]}**"
        lines.append(line)
    headings = [re.sub(r"accuracy@tau=([\d.]+),alpha=([\d.]+)", r"τ = \1, α = \2", name) for name in accuracies]
    table = markdown_table(lines, ["setting", *(text.removesuffix(", α = 0") for text in headings), *more.values()])
    key = f"search_choices.{cell.dataset}.{cell.model}"
    base = {name.split(".")[-1]: value for name, value in settings.items()
            if name.startswith((f"{key}.model.", f"{key}.training."))}  # fmt: skip
    changed = dict.fromkeys(name for setting in settings.get(f"{key}.settings", []) for name in setting)
    places = {name: (f"models.{cell.model}.{name}", f"training.{cell.dataset}.{name}") for name in changed}
    used = {name: settings[place] for name, both in places.items() for place in both if place in settings}
    budget = f"{cell.budget[f'{key}.epochs']} epochs, {cell.budget[f'{key}.held_out']:,} images held out"
    about = f"{model_name(cell.model)}: {budget}. Base: {options_text(base)}."
    text = f"{about}\n\n{table}\n\nUsed in the study: {options_text(used)}."
    tried = settings.get(f"{key}.settings", [])
    if papers and tried:
        nearest = tried[int(found["distance_from_paper"].argmin())]
        if any(nearest.get(name, base.get(name)) != value for name, value in used.items()):
            text += " That is not the setting nearest to the paper."
    return Table(f"search_{cell.model}", text, found)


def paper_accuracies(cell: Cell, names: Sequence[str]) -> dict[str, float]:
    """The main paper's accuracies, in percent, by the column of ours: at each τ the first α, which is the paper's."""
    papers = load_reported()
    rows = papers[(papers["source"] == MAIN_SOURCE) & (papers["metric"] == "thresholded_accuracy")]
    rows = rows[(rows["experiment"] == "fgn") & (rows["dataset"] == cell.dataset) & (rows["model"] == cell.model)]
    reported_at = dict(zip(rows["tau"], rows["value"], strict=True))
    found: dict[str, float] = {}
    for name in names:
        tau = float(name.partition("tau=")[2].partition(",")[0])
        if tau in reported_at:
            found[name] = reported_at.pop(tau)
    return found


def options_text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {setting_text(value)}" for name, value in values.items())
