"""What the tables, figures and texts of a report are made from: the cells of a data set and their numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError
from overgen.report import modules, reported
from overgen.report.budgets import paper_budget
from overgen.report.compare import COLUMNS, REPRODUCED, compare
from overgen.report.names import MAIN_SOURCE, PAPER_TABLE, dataset_name
from overgen.report.reported import records
from overgen.run.plans import Plan
from overgen.run.results import KEYS, Cell, parts

Grid = dict[str, dict[str, Cell]]  # by stage, in dvc.yaml's order, then by model
Row = Mapping[str, Any]  # of `Numbers.frame`
Metrics = dict[str, tuple[str, str, dict[str, str]]]  # by label: experiment, metric and keys of a number
Orderings = list[tuple[str, str, str, dict[str, str]]]  # see `overview.orderings`


@dataclass(frozen=True)
class Numbers:
    """Measured numbers beside the reported ones. frame: as `compare.compare` gives it."""

    frame: pd.DataFrame

    @cached_property
    def keys(self) -> list[str]:
        """The columns that tell numbers apart."""
        return ["experiment", "model", "metric", "tau", *(str(name) for name in self.frame if name not in COLUMNS)]

    @cached_property
    def _places(self) -> dict[tuple[str, ...], int]:
        """Where the row of a number stands; the main paper's where several sources report it."""
        places: dict[tuple[str, ...], int] = {}
        main = list(self.frame["source"] == MAIN_SOURCE)
        for i, key in enumerate(zip(*(self.frame[name] for name in self.keys), strict=True)):
            if key not in places or (main[i] and not main[places[key]]):
                places[key] = i
        return places

    @cached_property
    def _records(self) -> list[dict[str, Any]]:
        return records(self.frame.assign(place=range(len(self.frame))))

    def find(self, **of: str) -> Row | None:
        """The row of one number by experiment, model, metric, tau and keys; None if not there. What is not given is "".

        The row has a further `place`, that in the frame.
        """
        if not {name for name, value in of.items() if value} <= set(self.keys):
            return None  # no number of this frame has such a key
        place = self._places.get(tuple(of.get(name, "") for name in self.keys))
        return None if place is None else self._records[place]

    def select(self, **of: str | Collection[str]) -> list[Row]:
        """`rows` one by one, each with its `place` as of `find`."""
        return [self._records[place] for place in np.flatnonzero(self._kept(of))]

    def first(self, **of: str | Collection[str]) -> Row | None:
        """The first of `select`; None if there is none."""
        return next(iter(self.select(**of)), None)

    def rows(self, **of: str | Collection[str]) -> pd.DataFrame:
        """The rows with some values in some columns: rows(experiment="fgn", metric=("fooling_rate", "auroc"))."""
        return self.frame[self._kept(of)]

    def _kept(self, of: Mapping[str, str | Collection[str]]) -> pd.Series:
        keep = pd.Series(True, index=self.frame.index)
        for name, wanted in of.items():
            values = [wanted] if isinstance(wanted, str) else list(wanted)
            keep &= self.frame[name].isin(values) if name in self.frame else "" in values
        return keep

    def reported(self, experiment: str, metric: str, **of: str) -> pd.DataFrame:
        """The rows of one experiment and metric at the papers' α, with what the main paper reports as a number.

        The further column `reported` is NaN where it reports none.
        """
        rows = self.rows(experiment=experiment, metric=metric, alpha="", source=(MAIN_SOURCE, ""), **of)
        return rows.assign(reported=pd.to_numeric(rows["value"]))

    def taus(self, experiment: str, metric: str) -> list[str]:
        """The thresholds of a measured number at the papers' α, as text in rising order."""
        return rising(self.rows(experiment=experiment, metric=metric, alpha="")["tau"])


@dataclass(frozen=True)
class Study(Numbers):
    """A data set's cells and numbers.

    grid: its cells; settings: the values of params.yaml that they depend on, by dotted path; papers: the reported
    numbers (`reported.load`); budget: the papers' budgets (`budgets.paper_budget`); bands: of practical equality, by
    metric; not_in_git: see `plans.Plan`.
    """

    dataset: str
    grid: Grid
    settings: Mapping[str, Any]
    papers: pd.DataFrame
    budget: Mapping[str, int]
    bands: Mapping[str, float | str] = field(default_factory=dict)
    not_in_git: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return dataset_name(self.dataset)

    @property
    def paper_table(self) -> str:
        """The main paper's table on this data set; "" for none."""
        return PAPER_TABLE.get(self.dataset, "")

    @property
    def has_reported(self) -> bool:
        return bool((self.frame["value"] != "").any())

    @property
    def modules(self) -> dict[str, ModuleType]:
        """What the stages that have cells add to the report: their report.py by stage, in dvc.yaml's order."""
        return {stage: module for stage in self.grid if (module := modules.of_stage(stage))}

    @property
    def compared(self) -> Grid:
        """The cells whose numbers are results."""
        return {stage: cells for stage, cells in self.grid.items() if modules.is_compared(stage)}

    def cells(self, *stages: str) -> dict[str, Cell]:
        """The cells of one or several stages by model; none of a stage that is not run on this data set."""
        return {model: cell for stage in stages for model, cell in self.grid.get(stage, {}).items()}

    def cell(self, stage: str) -> Cell:
        """The cell of a stage that has one on each data set."""
        (cell,) = self.grid[stage].values()
        return cell

    def section(self, key: str) -> dict[str, Any]:
        """The settings below a dotted path by the rest of theirs: `section("explore_noise.mnist")["balls"]`."""
        prefix = f"{key}."
        return {name.removeprefix(prefix): value for name, value in self.settings.items() if name.startswith(prefix)}


class OfFirstSeed(Cell):
    """A cell of a stage that takes seed 0 alone, whose networks may have been trained from more."""

    @property
    def budget(self) -> dict[str, int]:
        """As that of a `Cell`, with one seed of every network: what was spent on the others is not in its numbers."""
        return {key: 1 if key.endswith(".seeds") else spent for key, spent in super().budget.items()}


def read_study(
    plan: Plan, dataset: str, root: Path = Path(), *, bands: Mapping[str, float | str] | None = None
) -> Study:
    """The study of a data set. root: the folder with budgets and reports/cells; bands: see `compare`.

    Raises OvergenError naming a missing or broken cell and the command that remakes it, and a metric without a band.
    """
    folder = root / "reports/cells" / dataset
    grid: Grid = {}
    for stage, models in plan.cells.items():
        kind = OfFirstSeed if modules.of_first_seed(stage) else Cell
        grid[stage] = {
            model: kind(dataset, stage, model, folder / stage / model, joint=stage in plan.joint) for model in models
        }
    for cell in (cell for cells in grid.values() for cell in cells.values()):
        _ = cell.summary  # read and checked before anything is drawn
    papers, budget = reported.load(), paper_budget(root / "budgets/paper.txt")
    study = Study(pd.DataFrame(), dataset, grid, plan.settings, papers, budget, bands or {}, plan.not_in_git)
    compared = [cell for cells in study.compared.values() for cell in cells.values()]
    return replace(study, frame=annotated(study, compare(compared, papers, budget, study.bands)))


def annotated(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose notes have what the stages' NOTES add: functions from the numbers to a text for each row, or ""."""
    for module in study.modules.values():
        for function in getattr(module, "NOTES", ()):
            notes = frame["note"].str.cat(function(replace(study, frame=frame)), sep="; ")
            frame = frame.assign(note=notes.str.strip("; "))
    return frame


def read_reproduced(path: Path) -> Numbers:
    """The numbers of a `reproduced.csv`. Raises OvergenError if it is missing."""
    if not path.is_file():
        raise OvergenError(f"{path}: missing; `dvc repro report@{path.parent.name}` makes it")
    kinds: dict[str, Any] = dict.fromkeys(REPRODUCED, "string")
    kinds |= {"reproduced": "float64", "low": "float64", "high": "float64", "n": "Int64"}
    numbers = {name: [""] for name in ("reproduced", "low", "high", "n")}
    frame = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=numbers)
    frame = frame.astype({name: object for name, kind in kinds.items() if kind == "string"})
    keys = pd.DataFrame([dict.fromkeys(KEYS, "") | parts(text) for text in frame["metric"]]).fillna("")
    return Numbers(pd.concat([frame.rename(columns={"metric": "text"}), keys], axis=1))


def as_reproduced(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `reproduced.csv`, in which the metric is written as a whole."""
    return frame[[{"metric": "text"}.get(name, name) for name in REPRODUCED]].rename(columns={"text": "metric"})


def rising(taus: Collection[str]) -> list[str]:
    """Different thresholds as text, in rising order."""
    return sorted(set(taus) - {""}, key=float)
