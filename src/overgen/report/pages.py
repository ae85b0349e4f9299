"""README.md and docs/findings.md, made from docs/*.md.j2: every number in them is one of the committed reports.

A template asks for a number by what it is of: `n("mnist", "fgn", "cnn", "fooling_rate", "0.9")` is a row of
reports/mnist/reproduced.csv, which `percent`, `interval` and the like write. So prose can be rewritten freely, and a
result that changes makes its sentence stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.exceptions import TemplateError

from overgen import OvergenError
from overgen.measures.intervals import differs
from overgen.measures.verdicts import VERDICTS, by_chance
from overgen.report.claims import LECTURES
from overgen.report.claims import MARKS as CLAIM_MARKS
from overgen.report.claims import VERDICTS as VERDICTS_OF_CLAIMS
from overgen.report.names import MARKS, PAPER_TABLE, dataset_name, kind, legend, model_name, start_mark
from overgen.report.reported import records
from overgen.report.study import Numbers, Row, read_reproduced
from overgen.report.tables import bold, markdown_table, measured, reported
from overgen.run.files import read_json

PAGES = {"README.md": "docs/README.md.j2", "docs/findings.md": "docs/findings.md.j2"}
DAES = ("dae_sym", "dae_asym")
OWN_SCORES = {  # of open-set recognition: what a network itself says of how sure it is
    "cnn": ("softmax",),
    "cool": ("scaled_output",),
    "dae_sym": ("scaled_output_alpha2", "scaled_output_alpha3", "scaled_output_alpha20"),
}
COMPARED = (  # open-set scores: network, method and words
    ("cnn", "knn_normalised", "nearest neighbours by angle, on the features"),
    ("cool", "knn", "nearest neighbours, on the features"),
    ("dae_sym", "scaled_output_alpha2", "ỹ at α = 2"),
    ("dae_sym", "softmax", "y"),
    ("cnn", "softmax", "y"),
    ("cnn", "openmax", "OpenMax"),
    ("cool", "scaled_output", "y"),
    ("cnn", "other_shuffled", "a class of its own for shuffled pictures"),
)
ATTACKS = ("accuracy %", "thresholded_accuracy"), ("fooled %", "fooling_rate"), ("mean steps", "mean_steps_to_fool")
# The table's columns by heading: the keys of a number, see `study.Numbers.find`.
COLUMNS = {
    f"{head}, τ = {tau}": {"experiment": "fgn", "metric": metric, "tau": tau}
    for tau in ("0.9", "0.99") for head, metric in ATTACKS if (tau, head) != ("0.99", "accuracy %")
}  # fmt: skip
GRADIENT = {"experiment": "gradient", "metric": "fooling_rate", "start": "other_class", "tau": "0.9"}
TRANSFER = {
    "experiment": "transfer",
    "model": "cnn",
    "metric": "seen_as_target_rate",
    "attack": "gradient",
    "tau": "0.9",
}


def render(root: Path) -> dict[str, str]:
    """The text of each page, by its path. root: the folder with docs and reports.

    Raises OvergenError for a template that is missing or wrong, and for a number that the reports do not have.
    """
    environment = Environment(
        loader=FileSystemLoader(root), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    names = functions(root)
    pages = {}
    for page, template in PAGES.items():
        try:
            pages[page] = environment.get_template(template).render(names)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            place = f"{template}, line {line}" if line else template
            raise OvergenError(f"{place}: {type(error).__name__}: {error}") from error
    return pages


def functions(root: Path) -> dict[str, Any]:
    """What templates can ask for, by name. root: the folder with reports."""

    @cache
    def numbers(dataset: str) -> Numbers:
        return read_reproduced(root / "reports" / dataset / "reproduced.csv")

    def maybe(dataset: str, experiment: str, model: str, metric: str, tau: str = "", **keys: str) -> Row | None:
        return numbers(dataset).find(experiment=experiment, model=model, metric=metric, tau=tau, **keys)

    def n(dataset: str, experiment: str, model: str, metric: str, tau: str = "", **keys: str) -> Row:
        row = maybe(dataset, experiment, model, metric, tau, **keys)
        if row is None:
            asked = ", ".join([experiment, model, metric, *filter(None, [tau]), *(f"{k}={v}" for k, v in keys.items())])
            raise OvergenError(f"reports/{dataset}/reproduced.csv: has no number {asked}, which a page asks for")
        return row

    def figure(dataset: str, name: str) -> str:
        path = Path("reports", dataset, "figures", f"{name}.png")
        if not (root / path).is_file():
            raise OvergenError(f"{path}: missing; `overgen figures` draws it")
        return path.as_posix()

    def trials(dataset: str, stage: str, model: str, **of: float) -> pd.DataFrame:
        table = pd.read_csv(root / "reports/cells" / dataset / stage / model / "trials.csv")
        for column, wanted in of.items():
            table = table[np.isclose(table[column], wanted)]
        return table

    def transfer(dataset: str, kind: str, tau: str, attacked: Sequence[str], attack: str = "") -> Sequence[Row]:
        rows = numbers(dataset).rows(experiment="transfer", metric=f"{kind}_as_target_rate", tau=tau, attacked=attacked)
        rows = rows[(rows["n"] > 0) & ((rows["attack"] == attack) | (attack == ""))]
        return records(rows)

    def between_daes(dataset: str, attack: str) -> list[Row]:
        return [
            n(dataset, "transfer", judge, "accepted_as_target_rate", "0.99", attack=attack, attacked=attacked)
            for judge, attacked in (DAES, DAES[::-1])
        ]

    def claims(dataset: str) -> dict[tuple[str, str], dict[str, str]]:
        path = root / "reports" / dataset / "claims.json"
        return {(each["stage"], each["name"]): each for each in read_json(path)} if path.is_file() else {}

    def claim_counts(dataset: str) -> str:
        """How many of the lectures' claims have which verdict: "20 hold, 3 are contradicted"."""
        verdicts = [each["verdict"] for each in claims(dataset).values() if each["source"] == LECTURES]
        words = {"holds": "hold", "contradicted": "are contradicted", "cannot tell": "cannot be told"}
        return ", ".join(f"{verdicts.count(each)} {words[each]}" for each in VERDICTS_OF_CLAIMS if each in verdicts)

    def claim_table(*datasets: str, source: str = LECTURES, stage: str = "") -> str:
        """The claims of some data sets with what became of each there, as Markdown; "" for none.

        source: whose claims; stage: of which stage, by default of all.
        """
        tested = {dataset: claims(dataset) for dataset in datasets}
        lines = []
        for key in dict.fromkeys(
            key for of in tested.values() for key in of if of[key]["source"] == source and stage in ("", key[0])
        ):
            first = next(of[key] for of in tested.values() if key in of)
            told = [f"{CLAIM_MARKS[of[key]['verdict']]} {of[key]['measured']}" if key in of else "–"
                    for of in tested.values()]  # fmt: skip
            lines.append([first["claim"], *told])
        return markdown_table(lines, ["claim", *map(dataset_name, datasets)]) if lines else ""

    def unknown(dataset: str, model: str) -> str:
        """The best AUROC of a network's own scores, and in brackets without the problems of one known class."""
        texts = []
        for experiment, keys in (("scores", {}), ("scores_mean", {"from_known": "2"})):
            of = [n(dataset, experiment, model, "auroc", method=m, **keys) for m in OWN_SCORES.get(model, ())]
            texts += [value(max(of, key=lambda row: row["reproduced"]), 3)] if of else []
        return f"{texts[0]} ({texts[1]})" if texts else "–"

    def scores(dataset: str) -> list[str]:
        rows = numbers(dataset).rows(experiment="scores", metric="auroc", known="")
        return list(rows["model"] + " " + rows["method"])

    def tried(dataset: str, model: str) -> int:
        return len([name for name in scores(dataset) if name.split()[0] == model])

    def judged(dataset: str) -> list[str]:
        return [verdict for verdict in numbers(dataset).frame["verdict"] if verdict]

    def verdict_kinds() -> list[str]:
        there = {kind(verdict) for dataset in PAPER_TABLE for verdict in judged(dataset)}
        return [f"{MARKS[each]} {each}" for each in VERDICTS if each in there]

    def verdict_numbers(dataset: str) -> list[str]:
        kinds = [kind(verdict) for verdict in judged(dataset)]
        return [str(kinds.count(each.partition(" ")[2])) for each in verdict_kinds()]

    def chance(dataset: str) -> str:
        count, _, most = by_chance(judged(dataset))
        return f"{most:.1f} of {count}"

    def tally(dataset: str, experiment: str, metric: str) -> str:
        """How many reported numbers have which verdict: "2 reproduced, 8 cannot tell"."""
        verdicts = numbers(dataset).rows(experiment=experiment, metric=metric)["verdict"]
        kinds = [kind(verdict) for verdict in verdicts if verdict]
        words = {"cannot tell": "cannot be told", "differs (higher)": "are higher", "differs (lower)": "are lower",
                 "reproduced": "are reproduced"}  # fmt: skip
        return ", ".join(f"{kinds.count(each)} {words.get(each, each)}" for each in VERDICTS if each in kinds)

    def distortions() -> str:
        rows = numbers("mnist").rows(experiment="lbfgs", metric="mean_distortion")
        ratios = 100 * rows["reproduced"].astype(float) / rows["value"].astype(float)
        return f"{ratios.min():.0f} to {ratios.max():.0f} %"

    return {
        "n": n, "maybe": maybe, "figure": figure, "trials": trials, "transfer": transfer, "unknown": unknown,
        "between_daes": between_daes, "scores": scores, "tried": tried, "distortions": distortions,
        "table": lambda: paper_table(root / "reports"), "compared": COMPARED, "name": model_name, "value": value,
        "percent": percent, "interval": interval, "count": count, "change": change, "spread": spread,
        "number": lambda number: f"{number:,}", "biggest": biggest, "above": above,
        "verdict_kinds": verdict_kinds, "verdict_numbers": verdict_numbers, "by_chance": chance, "tally": tally,
        "dataset_name": dataset_name, "against": against, "claim_counts": claim_counts, "claim_table": claim_table,
    }  # fmt: skip


def value(row: Row | None, digits: int = 0) -> str:
    """A measured number; "–" for none."""
    return "–" if row is None or pd.isna(row["reproduced"]) else f"{row['reproduced']:,.{digits}f}"


def against(first: Row, second: Row) -> str:
    """What the intervals of two numbers say of the first: "is above", "is below" or "cannot be told from"."""
    pairs = [(row["reproduced"], (row["low"], row["high"])) for row in (first, second)]
    sign = differs(*pairs[0], *pairs[1])
    return {1: "is above", -1: "is below", 0: "cannot be told from"}[sign]


def percent(row: Row, digits: int = 0) -> str:
    """A rate, with the sign that it hangs on the start of an attack."""
    return f"{value(row, digits)} %{start_mark(row['note'])}"


def interval(row: Row, digits: int = 0) -> str:
    """The interval of a number, such as [28–41 %]."""
    unit = " %" if row["unit"] == "percent" else ""
    return f"[{row['low']:,.{digits}f}–{row['high']:,.{digits}f}{unit}]"


def count(row: Row) -> str:
    """A rate as a count, such as 69 of 200."""
    return f"{round(row['reproduced'] * row['n'] / 100)} of {row['n']}{start_mark(row['note'])}"


def change(row: Row | None) -> str:
    """Reported → measured, without the interval."""
    return "–" if row is None else f"{reported(row)} → {value(row, 1)}{start_mark(row['note'])}"


def spread(rows: Iterable[Row]) -> str:
    """The smallest and the largest of several rates, such as 49 to 100 % (n = 69 to 474)."""
    rates, counts = zip(*((row["reproduced"], row["n"]) for row in rows), strict=True)
    size = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return f"{min(rates):.0f} to {max(rates):.0f} % (n = {size})"


def biggest(*tables: Any) -> int:
    """The largest value of a column in several tables of trials: biggest(one, other, "step")."""
    *frames, column = tables
    return int(max(frame[column].max() for frame in frames))


def above(limit: float, column: str, *tables: pd.DataFrame) -> int:
    """How many trials of several tables have more than a limit in a column."""
    return int(sum((table[column] > limit).sum() for table in tables))


def paper_table(reports: Path) -> str:
    """The numbers of the paper's Tables 1 and 2 with the measured ones, as Markdown.

    reports: the folder that holds <dataset>/reproduced.csv. Raises OvergenError if there is no such report.
    """
    lines, shown, spent = [], list[Row](), dict[str, list[str]]()
    for dataset in PAPER_TABLE:
        path = reports / dataset / "reproduced.csv"
        if not path.is_file():
            continue
        numbers = read_reproduced(path)
        for model in (models := list(numbers.rows(experiment="fgn")["model"].unique())):
            rows = [numbers.find(model=model, **of) for of in COLUMNS.values()]
            shown += [row for row in rows if row]
            both = ["–" if row is None else f"{reported(row)} → {measured(row)}" for row in rows]
            further = [numbers.find(model=model, **GRADIENT), numbers.find(attacked=model, **TRANSFER)]
            name = dataset_name(dataset) if model == models[0] else ""
            lines.append([name, bold(model), *both, *map(measured, further)])
            if attack := rows[1]:
                spent.setdefault(attack["budget"], []).append(f"{dataset_name(dataset)} {model_name(model)}")
    if not lines:
        wanted = " or ".join(f"{reports}/{dataset}/reproduced.csv" for dataset in PAPER_TABLE)
        raise OvergenError(f"{wanted}: none is there; `dvc repro report@mnist` makes the first")
    signs = legend((row["verdict"] for row in shown), (row["note"] for row in shown))
    budget = "; ".join(f"{', '.join(of)}: {text}" for text, of in spent.items())
    header = ["data", "model", *COLUMNS, "fooled % by gradients of ỹ, τ = 0.9",
              "what fools so is the class to the CNN, %"]  # fmt: skip
    return (
        f"Reported → measured [95 % interval]. {signs}.\n\n{markdown_table(lines, header)}\n\nBudget: {budget}. "
        "Last columns: attacks that the paper does not have, from training images of other classes; and of what fools "
        "so, from any start, the share that the CNN, which took no part, labels as the target too."
    )
