"""The README's table of results."""

from __future__ import annotations

from pathlib import Path

from overgen import OvergenError
from overgen.report.names import MARKS, PAPER_TABLE, dataset_name, mark, model_name
from overgen.report.study import Row, read_reproduced
from overgen.report.tables import bold, markdown_table, measured, reported

README_MARKERS = ("<!-- results -->", "<!-- /results -->")
ATTACKS = ("accuracy %", "thresholded_accuracy"), ("fooled %", "fooling_rate"), ("mean steps", "mean_steps_to_fool")
# By heading, the keys of a number, see `study.Numbers.find`; those of the witness are of the model that it judges.
COLUMNS = {
    f"{head}, τ = {tau}": {"experiment": "fgn", "metric": metric, "tau": tau}
    for tau in ("0.9", "0.99") for head, metric in ATTACKS if (tau, head) != ("0.99", "accuracy %")
}  # fmt: skip
GRADIENT = {"experiment": "gradient", "metric": "fooling_rate", "start": "other_class", "tau": "0.9"}
WITNESS = {"experiment": "witness", "model": "cnn", "metric": "seen_as_target_rate", "attack": "gradient", "tau": "0.9"}


def readme_table(reports: Path) -> str:
    """The README's result table, from the reports of the papers' data sets that are there.

    reports: the folder that holds <dataset>/reproduced.csv. Returns Markdown. Raises OvergenError if there is
    no such report.
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
            further = [numbers.find(model=model, **GRADIENT), numbers.find(attacked=model, **WITNESS)]
            name = dataset_name(dataset) if model == models[0] else ""
            lines.append([name, bold(model), *both, *map(measured, further)])
            if attack := rows[1]:
                spent.setdefault(attack["budget"], []).append(f"{dataset_name(dataset)} {model_name(model)}")
    if not lines:
        wanted = " or ".join(f"{reports}/{dataset}/reproduced.csv" for dataset in PAPER_TABLE)
        raise OvergenError(f"{wanted}: none is there; `dvc repro report@mnist` makes the first")
    signs = {mark(row["verdict"]) for row in shown}
    legend = "; ".join(f"{sign} {kind}" for kind, sign in MARKS.items() if sign in signs)
    budget = "; ".join(f"{', '.join(of)}: {text}" for text, of in spent.items())
    header = ["data", "model", *COLUMNS, "fooled % by gradients of ỹ, τ = 0.9",
              "what fools so is the class to the CNN, %"]  # fmt: skip
    text = f"Reported → measured [95 % interval]. {legend}.\n\n{markdown_table(lines, header)}\n\nBudget: {budget}. "
    text += "Last columns: attacks that the paper does not have, from training images of other classes; and of what "
    return text + "fools so, from any start, the share that the CNN, which took no part, labels as the target too.\n"


def with_results(text: str, table: str) -> str:
    """The README's text with `table` between its two markers. Raises OvergenError unless both are there, once each."""
    start, end = README_MARKERS
    if text.count(start) != 1 or text.count(end) != 1 or text.index(end) < text.index(start):
        raise OvergenError(f"README.md: must hold one line `{start}` and after it one line `{end}`")
    return f"{text.partition(start)[0]}{start}\n{table.strip()}\n{end}{text.partition(end)[2]}"


def readme_is_current(readme: Path, reports: Path) -> bool:
    """Whether the README holds, between its two markers, what `readme_table` gives now.

    Raises OvergenError if the markers are missing.
    """
    text = readme.read_text(encoding="utf-8")
    return with_results(text, readme_table(reports)) == text
