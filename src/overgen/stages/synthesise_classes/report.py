"""Synthesised classes in the page of the demonstrations."""

from __future__ import annotations

from typing import Any

from overgen.report.findings import Finding, compared, known
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, measured, table
from overgen.stages.synthesise_classes import figures

VERDICTS = ("the claim holds", "the claim is contradicted", "cannot tell")


def of(study: Study, metric: str, **keys: str) -> Row | None:
    """A number of the synthesis."""
    return study.first(experiment="synthesis", metric=metric, **keys)


def ways(study: Study) -> list[str]:
    """The ways of params.yaml, in its order."""
    names = [key.split(".")[2] for key in study.settings if key.startswith("synthesise_classes.ways.")]
    return list(dict.fromkeys(names))


def verdict(row: Row) -> str:
    """What the rule says of a way: it stands in the note of its number."""
    return next(each for each in VERDICTS if each in row["note"])


def synthesised(study: Study) -> Table:
    """How many classes of each way other networks recognise, and what the rule says."""
    lines, used = [], []
    witnesses = study.settings["imagenet.witnesses"]
    for way in ways(study):
        every = of(study, "recognised", way=way)
        if every is None:
            continue
        rows = [of(study, "answers_class", way=way, network=name) for name in ("itself", *witnesses)]
        rows += [of(study, "crop_answers_class", way=way, network=witnesses[0]), every]
        used += [row["place"] for row in rows if row]
        lines.append([figures.way_name(way), *map(measured, rows), verdict(every)])
    header = ["way", "itself %", *(f"{model_name(name)} %" for name in witnesses),
              f"a crop, {model_name(witnesses[0])} %", "all others %", "“no object can be synthesised”"]  # fmt: skip
    return table("synthesised", lines, header, study.frame.iloc[used])


def claim(study: Study) -> Finding | None:
    """What becomes of the lecture's claim with the way that is recognised most often, beside the plain one."""
    rows = [row for way in ways(study) if (row := of(study, "recognised", way=way)) and known(row)]
    if not rows:
        return None
    best = max(rows, key=lambda row: row["reproduced"])
    plain = next((row for row in rows if row["way"] == "plain"), None)
    if verdict(best) == "the claim holds":
        says = "No cat can be synthesised: no way makes classes that other networks recognise."
    elif plain and compared(best, plain) > 0:
        cat = ", the cat among them" if recognised_cat(study, best["way"]) else ""
        name = figures.way_name(best["way"])
        says = f"“No cat can be synthesised” fits plain ascent; with {name}, others recognise far more classes{cat}."
    else:
        says = "Whether a class can be synthesised that other networks recognise, this many cannot tell."
    number = "all other networks answer the class in {number} of {n}"
    if plain:
        number += f", in plain ascent in {measured(plain)} %"
    return Finding(says, number, best, "synthesised_cat", "synthesised")


def recognised_cat(study: Study, way: str) -> bool:
    """Whether every other network answers the cat's class to the cat of a way."""
    cell = study.cell("synthesise_classes")
    table = cell.table("images")
    cat = table[(table["way"] == way) & (table["target"] == study.settings["synthesise_classes.cat"])]
    return bool(figures.recognised(cat, study.settings["imagenet.witnesses"]).all())


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    nearest = {kind: [row for way in ways(study)
                      if (row := of(study, "nearest_photograph_is_the_cat", way=way, of=kind))]
               for kind in ("cat", "others")}  # fmt: skip
    hits = {kind: sum(round(row["reproduced"] * row["n"] / 100) for row in rows) for kind, rows in nearest.items()}
    return {
        "settings": study.section("synthesise_classes"),
        "photographs": len(study.settings["imagenet.photographs"]),
        "nearest": {kind: f"{hits[kind]} of {sum(row['n'] for row in rows)}" for kind, rows in nearest.items()},
        "witness": study.settings["imagenet.witnesses"][0],
    }


TABLES = (synthesised,)
FIGURES = (figures.synthesised_cat, figures.recognition, figures.synthesised_classes)
FINDINGS = (claim,)
