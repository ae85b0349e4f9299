"""The papers' numbers (`reported.csv`), the measured ones (cells), and what these say about the former."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from overgen.artifacts import OvergenError, directory_md5, read_json, read_npz
from overgen.statistics import verdict

FILE = Path(__file__).with_name("reported.csv")
COLUMNS = ("source", "where", "experiment", "dataset", "model", "metric", "tau", "value", "unit", "note")
KEY = ["experiment", "dataset", "model", "metric", "tau"]  # what a number is of
UNITS = ("percent", "fraction", "updates", "generations", "nats per pixel", "rms pixel in [0,1]")
TEST_IMAGES = 10_000  # of MNIST and of Fashion-MNIST
FGN_TRIALS = 200  # 20 for each of 10 classes, Spigler 2019, Section 4.2
SUBSETS = 10  # for each number of known classes, Spigler 2019, Section 4.3
ONE_CLASS_PROBLEMS = 10  # a class each, Spigler 2019, Figure 5
# Networks that are not meant to resist an attack: being fooled less or later is a difference, not a merit.
UNDEFENDED = ("cnn", "lenet", "fc10_1e-4", "fc10_1e-2", "fc10_1", "fc100_100_10", "fc200_200_10", "ae400_10")
# Sources whose network is another one than the network of that name here: their numbers are shown, not
# compared.
OTHER_NETWORK = {"kardan2017": "sigmoid units, early stopping and fewer filters, unlike the network here"}


def load(path: Path = FILE) -> pd.DataFrame:
    """The papers' numbers, checked; one row each.

    Returns the columns of the file, `tau` and `value` as numbers (tau NaN where there is none), and three
    more: `text` (the value as printed), `rounding` (half a unit of its last digit) and `n` (what is behind
    it, NaN where not stated: trials of a fooling rate, fooled trials of mean steps, test images, class
    subsets, one-class problems). Raises OvergenError naming the line of an unknown column or unit, a number that is
    none or out of range, an empty name, or a number given twice.
    """
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[str, ...], int] = {}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            wrong = next(pair for pair in zip_longest(header, COLUMNS, fillvalue="") if pair[0] != pair[1])
            raise OvergenError(f"{path}, line 1: column {wrong[0]!r} for {wrong[1]!r}; they are {','.join(COLUMNS)}")
        try:
            for fields in reader:
                rows.append(_parse(fields, f"{path}, line {reader.line_num}"))
                key = tuple(fields[COLUMNS.index(name)] for name in ("source", "where", *KEY))
                if key in seen:
                    raise OvergenError(f"{path}, line {reader.line_num}: the number of line {seen[key]} again")
                seen[key] = reader.line_num
        except csv.Error as error:
            raise OvergenError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    frame = pd.DataFrame(rows)
    if len(frame):
        frame["n"] = [_count(row, frame) for row in rows]
    return frame


def _parse(fields: list[str], place: str) -> dict[str, Any]:
    if len(fields) != len(COLUMNS):
        raise OvergenError(f"{place}: {len(fields)} fields, must be {len(COLUMNS)} ({','.join(COLUMNS)})")
    row: dict[str, Any] = dict(zip(COLUMNS, fields, strict=True))
    for name in COLUMNS:
        if name not in ("tau", "note") and not row[name]:
            raise OvergenError(f"{place}, {name}: empty")
    if row["unit"] not in UNITS:
        raise OvergenError(f"{place}, unit: {row['unit']!r} is unknown; there are {', '.join(UNITS)}")
    top = {"percent": 100.0, "fraction": 1.0}.get(row["unit"], math.inf)
    value = _number(row["value"], f"{place}, value", top)
    decimals = len(row["value"].partition(".")[2])
    tau = _number(row["tau"], f"{place}, tau", 1.0) if row["tau"] else math.nan
    return row | {"tau": tau, "value": value, "text": row["value"], "rounding": 0.5 * 10**-decimals}


def _number(text: str, place: str, top: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise OvergenError(f"{place}: {text!r} is not a number") from None
    if not math.isfinite(value) or not 0 <= value <= top:
        raise OvergenError(f"{place}: {text} must lie in 0..{top:g}")
    return value


def _count(row: Mapping[str, Any], frame: pd.DataFrame) -> float:
    """Trials, images or subsets behind a reported number; NaN where the paper does not say."""
    metric = row["metric"].split("@")[0]
    if metric in ("thresholded_accuracy", "test_accuracy", "test_error"):
        return TEST_IMAGES
    if row["source"] != "spigler2019":
        return math.nan
    if metric == "fooling_rate":
        return FGN_TRIALS
    if metric == "f_measure":
        return SUBSETS
    if row["experiment"] == "one_class":
        return ONE_CLASS_PROBLEMS
    if metric == "mean_steps_to_fool":  # a mean over fooled trials: as many as the rate beside it says
        same = (frame["metric"] == "fooling_rate") & (frame["tau"] == row["tau"])
        for name in ("source", "where", "experiment", "dataset", "model"):
            same &= frame[name] == row[name]
        return float(round(frame.loc[same, "value"].iloc[0] / 100 * FGN_TRIALS)) if same.any() else math.nan
    return math.nan


@dataclass(frozen=True)
class Cell:
    """The results of one model on one data set by one stage. folder: where they lie."""

    dataset: str
    stage: str
    model: str
    folder: Path

    @property
    def path(self) -> str:
        """Its folder as dvc.yaml and dvc.lock name it."""
        return f"reports/cells/{self.dataset}/{self.stage}/{self.model}"

    @property
    def command(self) -> str:
        """What makes the cell, and all that it needs."""
        return f"dvc repro {self.stage}@{self.dataset}-{self.model}"

    def file(self, name: str) -> Path:
        """The path of one of its files. Raises OvergenError, with the command to run, if it is missing."""
        path = self.folder / name
        if not path.is_file():
            raise OvergenError(f"{self.path}/{name}: missing; `{self.command}` makes it")
        return path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """`metrics.json`, checked. Raises OvergenError if it is another cell's or has another form."""
        found = read_json(self.file("metrics.json"))
        place = f"{self.path}/metrics.json"
        again = f"delete it and run `{self.command}`"
        try:
            if (found["dataset"], found["stage"], found["model"]) != (self.dataset, self.stage, self.model):
                raise OvergenError(f"{place}: belongs to another cell ({found['stage']}/{found['model']}); {again}")
            for row in found["metrics"]:
                for name in ("reproduced", "low", "high", "tau", "n"):
                    if row[name] is not None and not math.isfinite(row[name]):
                        raise OvergenError(f"{place}: {row['metric']}, {name} is {row[name]}; {again}")
                for name in (
                    "experiment",
                    "metric",
                    "unit",
                    "interval",
                    "note",
                    *(["model"] if "model" in row else []),
                ):
                    if not isinstance(row[name], str):
                        raise OvergenError(f"{place}: {name} is {row[name]!r}, not text; {again}")
            found["budget"].items()
        except (KeyError, TypeError, AttributeError) as error:
            raise OvergenError(f"{place}: not a cell's summary ({error!r}); {again}") from error
        return found

    @property
    def budget(self) -> dict[str, int]:
        """What was spent on it, upstream too, by params.yaml path; lists as their length."""
        return self.summary["budget"]

    @cached_property
    def md5(self) -> str:
        """What DVC records for the folder."""
        return directory_md5(self.folder)

    def table(self, name: str) -> pd.DataFrame:
        """One of its tables, by file name without .csv."""
        path = self.file(f"{name}.csv")
        try:
            return pd.read_csv(path, keep_default_na=True)
        except ValueError as error:  # pandas' parser errors are ValueErrors
            raise OvergenError(f"{self.path}/{name}.csv: not CSV ({error}); run `{self.command}`") from error

    def examples(self) -> dict[str, np.ndarray]:
        """The arrays of its examples.npz."""
        return read_npz(self.file("examples.npz"))


Grid = dict[str, dict[str, Cell]]  # by stage, then by model


def read_grid(
    cells: Path,
    dataset: str,
    *,
    classifiers: Sequence[str],
    autoencoders: Sequence[str],
    attacked: Sequence[str],
    evolved: Sequence[str],
    retrained: Sequence[str],
    openset_models: Sequence[str],
    variants: Sequence[str] = (),
    perceptrons: Sequence[str] = (),
    scored: Sequence[str] = (),
    oneclass_models: Sequence[str] = (),
) -> Grid:
    """The cells of a data set that the declared lists ask for, by stage and model, in the order of the lists.

    Folders are never listed: what lies there of models that were dropped from params.yaml does not count.
    Raises OvergenError naming the first missing cell and the command that makes it.
    """
    stages = {
        "train_classifier": classifiers,
        "train_autoencoder": autoencoders,
        "train_variants": variants,
        "fool_fgn": attacked,
        "fool_variants": variants,
        "fool_gradient": attacked,
        "fool_evolution": evolved,
        "retrain_on_fooling": retrained,
        "evaluate_fooling": attacked,
        "evaluate_confidence": attacked,
        "train_openset": openset_models,
        "evaluate_openset": openset_models,
        "train_perceptrons": perceptrons,
        "fool_lbfgs": perceptrons,
        "collect_fooling": ["attacked"] if scored else [],
        "evaluate_scores": scored,
        "train_oneclass": oneclass_models,
        "evaluate_oneclass": oneclass_models,
        "evaluate_oneclass_scores": ["pixels"] if oneclass_models else [],
    }
    grid = {
        stage: {model: Cell(dataset, stage, model, cells / dataset / stage / model) for model in models}
        for stage, models in stages.items()
    }
    for models in grid.values():
        for cell in models.values():
            _ = cell.summary  # read and checked before anything is drawn
    return grid


def paper_budget(path: str | Path = "budgets/paper.txt") -> dict[str, int]:
    """The papers' budgets by params.yaml path; lists as their length; those by model as "path@model", see `of_model`.

    Raises OvergenError naming the line that is not `key=value` with a number, a list, or a number for each model.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; run from the repository's root") from error
    budget: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, separator, raw = text.partition("=")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError:
            value = None
        if separator and isinstance(value, dict) and all(type(each) is int for each in value.values()):
            budget |= {f"{key.strip()}@{model}": each for model, each in value.items()}
            continue
        if not separator or isinstance(value, bool) or not isinstance(value, int | list):
            raise OvergenError(
                f"{path}, line {number}: {text!r} is not key=number, key=[list] or key={{model: number}}"
            )
        budget[key.strip()] = len(value) if isinstance(value, list) else value
    return budget


def of_model(paper: Mapping[str, int], model: str) -> dict[str, int]:
    """The papers' budgets that hold for a model, by params.yaml path."""
    mine = {key: value for key, value in paper.items() if "@" not in key or key.endswith(f"@{model}")}
    return {key.partition("@")[0]: value for key, value in mine.items()}


def at_paper_budget(budget: Mapping[str, int], paper: Mapping[str, int]) -> bool:
    """Whether every budget of a cell that the papers state is at least theirs."""
    return all(spent >= paper[key] for key, spent in budget.items() if key in paper)


# How a budget is called, in the singular and the plural, by the last part of its key.
BUDGET_WORDS = {
    "epochs": ("epoch", "epochs"),
    "seeds": ("seed", "seeds"),
    "trials": ("trial a class", "trials a class"),
    "updates": ("update", "updates"),
    "runs": ("run", "runs"),
    "generations": ("generation", "generations"),
    "rounds": ("round of retraining", "rounds of retraining"),
    "evolutions": ("evolution of a network", "evolutions of a network"),
    "known": ("number of known classes", "numbers of known classes"),
    "subsets": ("class subset", "class subsets"),
    "images": ("image a network", "images a network"),
    "draws": ("draw of noise an image", "draws of noise an image"),
    "classes": ("class alone", "classes, each alone"),
}


def budget_text(budget: Mapping[str, int], paper: Mapping[str, int]) -> str:
    """A cell's budget in words: "10 of 100 epochs, 1 seed, 20 trials a class, 2,000 of 10,000 updates"."""
    parts = []
    for key, spent in budget.items():
        name = key.split(".")[-1]
        full = paper.get(key, spent)
        shown = f"{spent:,} of {full:,}" if spent < full else f"{spent:,}"
        words = BUDGET_WORDS.get(name, (name.replace("_", " "),) * 2)
        parts.append(f"{shown} {words[0] if max(spent, full) == 1 else words[1]}")
    return ", ".join(parts)


def compare(grid: Grid, reported: pd.DataFrame, paper: Mapping[str, int]) -> pd.DataFrame:
    """One row for each measured number, and one more for each further source that reports it.

    Returns the columns of `reproduced.csv`: those of reported.csv (source, where, value empty where the
    papers give none), then reproduced, low, high, n, budget, verdict, cell, md5, all in the row's unit.
    `value` is text, as printed. The note says what the paper adds, of what kind the interval is, and what the
    cell adds. Raises OvergenError if a cell and the papers give one number in different units.
    """
    rows = []
    by_number: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for source in _records(reported):
        by_number.setdefault(tuple(source[name] for name in NUMBER), []).append(source)
    for cell in (cell for models in grid.values() for cell in models.values()):
        mine = of_model(paper, cell.model)
        for measured in cell.summary["metrics"]:
            spent = cell.budget | measured.get("budget", {})  # a row may have a budget of its own
            full = at_paper_budget(spent, mine)
            common: dict[str, Any] = {"budget": budget_text(spent, mine), "cell": cell.path, "md5": cell.md5}
            name = f"{measured['metric']}, tau {measured['tau']}"
            model = measured.get("model", cell.model)  # a row may be of another model than its cell
            key = (measured["experiment"], cell.dataset, model, measured["metric"])
            sources = [source for source in by_number.get(key, []) if _same_tau(source["tau"], measured["tau"])]
            for source in sources or [dict[str, Any]()]:
                if source and source["unit"] != measured["unit"]:
                    raise OvergenError(
                        f"{cell.path}/metrics.json: {name} is in {measured['unit']}, but {source['source']} "
                        f"({source['where']}) reports it in {source['unit']}; bring the stage to that unit"
                    )
                interval = "" if measured["interval"] in ("", "none") else measured["interval"]
                notes = (source.get("note", ""), interval, measured["note"])
                rows.append(
                    {
                        "source": source.get("source", ""),
                        "where": source.get("where", ""),
                        "experiment": measured["experiment"],
                        "dataset": cell.dataset,
                        "model": model,
                        "metric": measured["metric"],
                        "tau": "" if measured["tau"] is None else f"{measured['tau']:g}",
                        "value": source.get("text", ""),
                        "unit": measured["unit"],
                        "note": "; ".join(note for note in notes if note),
                        "reproduced": measured["reproduced"],
                        "low": measured["low"],
                        "high": measured["high"],
                        "n": measured["n"],
                        "verdict": _verdict(model, source, measured, full),
                    }
                    | common
                )
    frame = pd.DataFrame(rows)
    order = [*COLUMNS, "reproduced", "low", "high", "n", "budget", "verdict", "cell", "md5"]
    types = {"reproduced": "float64", "low": "float64", "high": "float64", "n": "Int64"}
    return frame.astype(types)[order]


NUMBER = ("experiment", "dataset", "model", "metric")  # columns that tell numbers apart, with tau


def _same_tau(reported: float, measured: float | None) -> bool:
    """Whether two thresholds are the same; a number without one has NaN in reported.csv and None in a cell."""
    return math.isnan(reported) if measured is None else math.isclose(reported, measured, abs_tol=1e-9)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _verdict(model: str, source: Mapping[str, Any], measured: Mapping[str, Any], full: bool) -> str:
    if not source:
        return ""
    if source["source"] in OTHER_NETWORK:
        return f"not testable: {OTHER_NETWORK[source['source']]}"
    # A number that the paper gives as a bound, said at the beginning of the note, agrees with what lies beyond it.
    bound, value, found = source["note"].partition(";")[0], source["value"], measured["reproduced"]
    if found is not None and ((bound == "at least" and found >= value) or (bound == "at most" and found <= value)):
        return "reproduced" if full else "agrees at reduced budget"
    return verdict(
        measured["metric"],
        source["value"],
        measured["reproduced"],
        measured["low"],
        measured["high"],
        at_paper_budget=full,
        reported_n=None if math.isnan(source["n"]) else int(source["n"]),
        reproduced_n=measured["n"],
        rounding=source["rounding"],
        prediction="prediction" in measured["interval"],
        defended=model not in UNDEFENDED,
    )


def not_measured(reported: pd.DataFrame, frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The papers' numbers on a data set that no cell measures: what `compare` did not join."""
    mine = reported[reported["dataset"] == dataset]
    joined = frame[frame["source"] != ""]
    names = ["source", "where", "experiment", "model", "metric"]
    done = set(joined[[*names, "tau"]].itertuples(index=False, name=None))
    taus = ["" if math.isnan(tau) else f"{tau:g}" for tau in mine["tau"]]
    keys = zip(*(mine[name] for name in names), taus, strict=True)
    keep = [key not in done for key in keys]
    return mine[np.array(keep, dtype=bool)]
