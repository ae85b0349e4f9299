"""The README's table of results."""

from __future__ import annotations

from pathlib import Path

from overgen import OvergenError
from overgen.report.names import MARKS, PAPER_TABLE, dataset_name, mark, model_name
from overgen.report.tables import find, markdown_table, measured, read_reproduced, reported

README_MARKERS = ("<!-- results -->", "<!-- /results -->")


def readme_table(reports: Path) -> str:
    """The README's result table, from the reports of the papers' data sets that are there.

    reports: the folder that holds <dataset>/reproduced.csv. Returns Markdown. Raises OvergenError if there is
    no such report.
    """
    columns = [
        ("fgn", "thresholded_accuracy", "0.9", "accuracy %, τ = 0.9"),
        ("fgn", "fooling_rate", "0.9", "fooled %, τ = 0.9"),
        ("fgn", "mean_steps_to_fool", "0.9", "mean steps, τ = 0.9"),
        ("fgn", "fooling_rate", "0.99", "fooled %, τ = 0.99"),
        ("fgn", "mean_steps_to_fool", "0.99", "mean steps, τ = 0.99"),
        ("gradient", "fooling_rate@start=other_class", "0.9", "fooled % by gradients of ỹ, τ = 0.9"),
    ]
    lines, verdicts, spent = [], set(), dict[str, list[str]]()
    for dataset in PAPER_TABLE:
        path = reports / dataset / "reproduced.csv"
        if not path.is_file():
            continue
        frame = read_reproduced(path)
        models = list(dict.fromkeys(frame.loc[frame["experiment"] == "fgn", "model"]))
        for model in models:
            line = [dataset_name(dataset) if model == models[0] else "", f"**{model_name(model)}**"]
            for experiment, metric, tau, _ in columns:
                row = find(frame, experiment, model, metric, tau)
                if row is None:
                    line.append("–")
                    continue
                line.append(measured(row) if experiment == "gradient" else f"{reported(row)} → {measured(row)}")
                verdicts.add(mark(row["verdict"]))
            seen = find(frame, "witness", "cnn", f"seen_as_target_rate@attack=gradient@attacked={model}", "0.9")
            lines.append([*line, "–" if seen is None else measured(seen)])
            attack = find(frame, "fgn", model, "fooling_rate", "0.9")
            if attack:
                spent.setdefault(attack["budget"], []).append(f"{dataset_name(dataset)} {model_name(model)}")
    if not lines:
        wanted = " or ".join(f"{reports}/{dataset}/reproduced.csv" for dataset in PAPER_TABLE)
        raise OvergenError(f"{wanted}: none is there; `dvc repro report@mnist` makes the first")
    legend = "; ".join(f"{sign} {kind}" for kind, sign in MARKS.items() if sign in verdicts)
    budget = "; ".join(f"{', '.join(of)}: {text}" for text, of in spent.items())
    header = ["data", "model", *(name for *_, name in columns), "what fools so is the class to the CNN, %"]
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
