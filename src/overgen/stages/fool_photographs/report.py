"""Photographs that fool, in the page of the demonstrations."""

from __future__ import annotations

from typing import Any

from overgen.data.photographs import PHOTOGRAPHS
from overgen.report.findings import Finding, how_often, known
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, measured, table
from overgen.stages.fool_photographs import figures

STARTS = ("photograph", "noise")


def of(study: Study, experiment: str, metric: str, **keys: str) -> Row | None:
    """A number of the network under study."""
    (model,) = study.cells("fool_photographs")
    return study.first(experiment=experiment, metric=metric, model=model, **keys)


def photographs_fool(study: Study) -> Table:
    """What the ascent comes to from photographs and from noise, and the smallest change."""
    lines, used = [], []
    head = {
        "fooling_rate": "fooled %",
        "median_updates_to_fool": "updates",
        "median_mean_change": "mean change, of 255",
        "median_max_change": "largest change, of 255",
        "median_psnr": "PSNR, dB",
    }
    for start in STARTS:
        rows = [of(study, "photographs", metric, start=start) for metric in head]
        used += [row["place"] for row in rows if row]
        lines.append([f"ascent from {'photographs' if start == 'photograph' else 'noise'}", *map(measured, rows)])
    rows = [of(study, "smallest_change", name) for name in ("reached", "median_mean_change", "median_max_change")]
    used += [row["place"] for row in rows if row]
    lines.append(["smallest change of photographs", measured(rows[0]), "–", *map(measured, rows[1:]), "–"])
    return table("photographs_fool", lines, ["", *head.values()], study.frame.iloc[used])


def photographs_transfer(study: Study) -> Table:
    """What networks of other sizes say of pictures that were made against this one."""
    lines, used = [], []
    made = [
        ("ascent from photographs", "photographs_transfer", {"start": "photograph"}),
        ("smallest change", "smallest_change_transfer", {}),
    ]
    for witness in study.settings["imagenet.witnesses"]:
        for name, experiment, keys in made:
            metrics = ("answer_changed", "answers_target", "answer_changed_by_noise")
            rows = [of(study, experiment, metric, network=witness, **keys) for metric in metrics]
            used += [row["place"] for row in rows if row]
            lines.append([model_name(witness), name, *map(measured, rows)])
    header = ["network", "pictures", "answers otherwise %", "answers the wanted class %", "noise of that size %"]
    return table("photographs_transfer", lines, header, study.frame.iloc[used])


def any_picture(study: Study) -> Finding | None:
    """How often the ascent fools, from photographs."""
    row = of(study, "photographs", "fooling_rate", start="photograph")
    if row is None or not known(row):
        return None
    says = f"A real ImageNet network {how_often(row)} takes a photograph for any class that one wishes."
    number = f"{{number}} of {{n}} pairs of photograph and class pass y = {row['tau']} as 8-bit pictures"
    return Finding(says, number, row, "photographs", "photographs_fool")


def invisible(study: Study) -> Finding | None:
    """How small the change is."""
    row = of(study, "photographs", "median_mean_change", start="photograph")
    if row is None or not known(row):
        return None
    seen = "less than a shade of 255" if row["high"] < 1 else "a few shades of 255"
    return Finding(f"A pixel changes by {seen} for it.", "median {number} of 255, of {n} pairs", row, "changes", "")


def transfers(study: Study) -> Finding | None:
    """How often networks of other sizes follow the smallest change."""
    witness = study.settings["imagenet.witnesses"][0]
    row = of(study, "smallest_change_transfer", "answers_target", network=witness)
    if row is None or not known(row):
        return None
    says = f"A sibling of another size {how_often(row)} takes the smallest change for the wanted class."
    return Finding(says, f"{model_name(witness)}: {{number}} of {{n}}", row, "", "photographs_transfer")


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    (model,) = study.cells("fool_photographs")
    names = study.settings["imagenet.photographs"]
    elsewhere = {row["metric"]: row for row in study.select(experiment="picture_elsewhere", model=model)}
    return {
        "model": model,
        "elsewhere": elsewhere,
        "sources": [f"{name}: {PHOTOGRAPHS[name].source}" for name in names],
        "of": lambda *args, **keys: measured(of(study, *args, **keys)),
        "settings": study.section("fool_photographs"),
    }


TABLES = (photographs_fool, photographs_transfer)
FIGURES = (figures.photographs, figures.changes)
FINDINGS = (any_picture, invisible, transfers)
