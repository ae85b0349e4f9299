"""Evolution on a thousand classes in the page of the demonstrations."""

from __future__ import annotations

from typing import Any

from overgen.report.findings import Finding, known
from overgen.report.names import ENCODING_NAMES
from overgen.report.study import Row, Study
from overgen.report.tables import Table, count_text, measured, table
from overgen.stages.evolve_classes import figures


def medians(study: Study, encoding: str) -> list[Row]:
    """Median confidences of an encoding by generation, in rising order."""
    (model,) = study.cells("evolve_classes")
    rows = study.select(experiment=f"evolution_{encoding}", metric="median_confidence", model=model)
    return sorted(rows, key=lambda row: int(row["generation"]))


def thousand(study: Study) -> Table:
    """Median confidence over the classes, beside what was reported, and how many champions fool."""
    lines, used = [], []
    for encoding in study.settings["evolve_classes.encodings"]:
        rows = medians(study, encoding)
        (fooling,) = study.select(experiment=f"evolution_{encoding}", metric="fooling_rate")
        used += [row["place"] for row in [*rows, fooling]]
        for row in rows:
            fooled = measured(fooling, " %") if row is rows[-1] else ""
            generation = count_text(int(row["generation"]))
            lines.append([f"{ENCODING_NAMES[encoding]} encoding", generation, measured(row, " %"), fooled])
        theirs = reported(study, encoding)
        if theirs:
            lines.append(
                ["reported, AlexNet", count_text(theirs["generations"]), f"{theirs['median_confidence']} %", ""]
            )
    header = ["", "generations", "median confidence over 1,000 classes", "champions with y > 0.99"]
    return table("thousand", lines, header, study.frame.iloc[used])


def reported(study: Study, encoding: str) -> dict[str, Any]:
    """What secondary sources quote of Nguyen et al. 2015 for an encoding."""
    return study.section(f"evolve_classes.reported.{encoding}")


def patterns_climb(study: Study) -> Finding | None:
    """Which encoding is ahead, and that the budget does not tell more."""
    encodings = study.settings["evolve_classes.encodings"]
    by_generation = {encoding: {row["generation"]: row for row in medians(study, encoding)} for encoding in encodings}
    both = [generation for generation in by_generation.get("cppn", {}) if generation in by_generation.get("direct", {})]
    if not both:
        return None
    row, other = by_generation["cppn"][both[-1]], by_generation["direct"][both[-1]]
    ahead = known(row) and known(other) and row["low"] > other["high"]
    says = (
        "On a thousand classes evolved patterns climb faster than evolved pixels; how far, this budget cannot tell."
        if ahead and int(row["generation"]) < reported(study, "cppn").get("generations", 0)
        else "Patterns and pixels were evolved for a thousand classes."
    )
    number = (
        f"median confidence {{number}} over {{n}} classes after {both[-1]} generations, of pixels {measured(other)} %"
    )
    return Finding(says, number, row, "thousand_champions_cppn", "thousand")


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    settings, times = study.settings, []
    for encoding in settings["evolve_classes.encodings"]:
        if theirs := reported(study, encoding):
            times.append(theirs["generations"] // settings[f"evolve_classes.generations.{encoding}"])
    shown, population = settings["evolve_classes.shown"], settings["evolve_classes.population"]
    return {"shown": shown, "population": population, "times": min(times, default=0)}


TABLES = (thousand,)
FIGURES = (figures.thousand_classes, figures.thousand_champions)
FINDINGS = (patterns_climb,)
