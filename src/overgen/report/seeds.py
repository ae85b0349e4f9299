"""Several networks of one model, each trained from a seed of its own: how many there are, and the rates of each.

The stages that attack a model take the networks of all seeds, as `evaluate_confidence` does. A stage whose report.py
says `FIRST_SEED = True` takes that of seed 0 alone: its section says so, and its budget counts one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from overgen.report import modules
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, bold, markdown_table, measured, without_repeats
from overgen.run.results import Cell

ONE_SEED = "One seed for each network: seed spread not measured; intervals are over images, trials or subsets."


def counts(study: Study) -> dict[str, int]:
    """How many seeds each network has that the study trains, by model.

    A cell whose numbers are all of other models holds networks of its own, whose intervals say how many seeds they
    have: those of the tables have no more for it.
    """
    return {
        model: spent
        for stage, cells in study.grid.items()
        for model, cell in cells.items()
        if (spent := cell.budget.get(f"{stage}.{study.dataset}.seeds"))
        and any(row.get("model", model) == model for row in cell.summary["metrics"])
    }


def several(study: Study) -> bool:
    """Whether any network has several seeds."""
    return any(count > 1 for count in counts(study).values())


def seeds_text(study: Study) -> str:
    """How many seeds each network has, and what intervals are over; "" where nothing is trained from seeds."""
    found = counts(study)
    if not several(study):
        return ONE_SEED if found else ""
    models: dict[int, list[str]] = {}
    for model, count in found.items():
        models.setdefault(count, []).append(model_name(model))
    many = "; ".join(f"{count} for {', '.join(models[count])}" for count in sorted(models, reverse=True))
    return (
        f"Seeds, each a network of its own: {many}. With several, a rate of trials is a mean over them with a "
        "bootstrap interval over seeds, no narrower than Wilson's of all trials; of an accuracy the interval says "
        "where one more seed would fall. Of few seeds a bootstrap is too narrow: simulated, that of 3 held the mean in "
        "about 75 of 100 cases, that of 5 in 85. With one seed, and where a section says “seed 0 alone”, seed spread "
        "is not measured: intervals are over images, trials or subsets."
    )


def of_page(cells: Iterable[Cell]) -> str:
    """As `seeds_text`, of a page whose stages train networks of their own."""
    seeds = sorted({spent for cell in cells for key, spent in cell.budget.items() if key.endswith(".seeds")})
    many = f"Networks of several seeds: {' or '.join(map(str, seeds))} of each." if seeds else ""
    return ONE_SEED if seeds == [1] else many


def first_said(study: Study, stage: str, text: str) -> str:
    """The section of a stage that takes seed 0 alone, which says so below each of its headings.

    Named are the networks with several seeds that its cells or its settings name; where they name none, all of them.
    """
    names = [model for model, count in counts(study).items() if count > 1]
    settings = {key: value for key, value in study.settings.items() if key.startswith(f"{stage}.")}
    own = {*study.cells(stage), *re.findall(r"\w+", str(settings))}
    names = [name for name in names if name in own] or names
    if not names:
        return text
    return re.sub(
        r"^(## .+)$", rf"\1\n\n*{', '.join(map(model_name, names))}: seed 0 alone.*", text, flags=re.MULTILINE
    )


def seed_0(study: Study, row: Row) -> str:
    """What follows a number away from its section, where it is of seed 0 alone of a network with several; else ""."""
    stage = row["cell"].split("/")[3]
    return "; seed 0" if modules.of_first_seed(stage) and counts(study).get(row["model"], 1) > 1 else ""


def by_seed(study: Study, name: str, rates: Iterable[tuple[Row, str, pd.Series]]) -> Table:
    """Fooling rates seed by seed; empty where no network has several.

    rates: the row of a rate over all seeds, what its attack is called, and whether each of its trials fooled, by seed
    (the index). The rows of the table: model, attack, tau, seed, fooled, trials, percent, cell, md5.
    """
    lines, found = [], []
    listed = [(row, attack, hits.groupby(level=0).agg(["sum", "size"])) for row, attack, hits in rates]
    listed = [each for each in listed if len(each[2]) > 1]
    every = sorted({seed for _, _, table in listed for seed in table.index})
    for row, attack, table in listed:
        of_seed = {int(seed): 100 * hits / size for seed, hits, size in table.itertuples()}
        percents = [f"{of_seed[seed]:.1f}" if seed in of_seed else "–" for seed in every]
        lines.append([bold(row["model"]), attack, row["tau"], *percents, measured({**row, "verdict": "", "note": ""})])
        found += [
            {"model": row["model"], "attack": attack, "tau": row["tau"], "seed": seed, "fooled": int(hits),
             "trials": int(size), "percent": of_seed[seed], "cell": row["cell"], "md5": row["md5"]}
            for seed, hits, size in table.itertuples()
        ]  # fmt: skip
    header = ["", "attack", "τ", *(f"seed {seed}, %" for seed in every), "mean, %"]
    return Table(name, markdown_table(without_repeats(lines, 2), header) if lines else "", pd.DataFrame(found))
