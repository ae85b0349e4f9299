"""Two features on a curve, and the class "other", in a page of their own.

The claims' tests and limits were written before the run that decides them, after a first look at 2 and 784 dimensions
with wider networks, by which sizes were chosen to fit the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.findings import Finding
from overgen.report.study import Row, Study
from overgen.report.tables import Table, measured, table
from overgen.stages.explore_curve import figures
from overgen.stages.explore_curve.summary import KINDS

PREFIX = "explore_curve."
WORDS = {"holds": "This holds", "contradicted": "This is contradicted", "cannot tell": "This cannot be told"}


def of(study: Study, experiment: str, metric: str, **keys: str) -> Row | None:
    """A number of the networks on the curve."""
    return study.find(experiment=experiment, model="mlp", metric=metric, **keys)


def ends(study: Study) -> tuple[str, str]:
    """The least and the most dimensions."""
    dimensions = study.settings[f"{PREFIX}dimensions"]
    return f"{dimensions[0]:g}", f"{dimensions[-1]:g}"


def off_is_nearer(study: Study) -> Claim | None:
    """Whether the smallest change is much shorter than the way along the curve."""
    _, most = ends(study)
    row = of(study, "curve", "ratio", dimension=most)
    if row is None:
        return None
    return Claim(
        says="A point is far nearer to another class off the curve than along it.",
        test=f"In {most} dimensions, each network's median smallest change over its median way along the curve. Holds "
        "if the 95 % interval of the mean over networks lies below 0.5; contradicted if above.",
        verdict=verdict(row, below=0.5),
        number=f"{{number}} of the way along the curve, in {most} dimensions ({{n}} networks)",
        row=row,
        figure="curve_distances",
    )


def dimensions_bring_it_nearer(study: Study) -> Claim | None:
    """Whether the smallest change shrinks as dimensions are added."""
    least, most = ends(study)
    row = of(study, "curve", "smallest_ratio")
    if row is None:
        return None
    return Claim(
        says="The same curve in more dimensions is nearer to its boundary.",
        test=f"Median smallest change in {most} dimensions over that in {least}. Holds if the 95 % interval of the "
        "geometric mean over networks lies below 1; contradicted if above.",
        verdict=verdict(row, below=1),
        number=f"{{number}} times as far in {most} dimensions as in {least} ({{n}} networks)",
        row=row,
        figure="curve_distances",
    )


def random_directions_miss(study: Study) -> Claim | None:
    """Whether random directions off the curve leave the class alone where the smallest change does not."""
    _, most = ends(study)
    row = of(study, "curve", "in_twice", dimension=most)
    if row is None:
        return None
    return Claim(
        says="A random step off the curve hardly ever changes the class.",
        test=f"In {most} dimensions, the share of random directions at right angles to the curve in which the class "
        "changes within twice the smallest change. Holds if the 95 % interval of the mean over networks lies below "
        "5 %; contradicted if above.",
        verdict=verdict(row, below=5),
        number=f"{{number}} of random directions, in {most} dimensions (mean of {{n}} networks)",
        row=row,
        figure="curve_distances",
    )


def off_the_curve_is_chance(study: Study) -> Claim | None:
    """Whether networks that agree on the curve disagree beside it."""
    least, _ = ends(study)
    row = of(study, "curve", "differs_in_plane", dimension=least)
    if row is None:
        return None
    near = study.settings[f"{PREFIX}near"]
    return Claim(
        says="Off the curve, where the boundary runs is chance.",
        test=f"In the plane, how often two networks give different classes to points of the square more than {near:g} "
        "off the curve. Holds if the 95 % interval over pairs lies above 10 %; contradicted if below.",
        verdict=verdict(row, above=10),
        number="{number} of the points get different classes from two networks ({n} pairs)",
        row=row,
        figure="curve_boundaries",
    )


def dimensions_cost_negatives(study: Study) -> Claim | None:
    """Whether more negatives are needed in more dimensions."""
    least, most = ends(study)
    row = of(study, "other", "needed_ratio")
    if row is None:
        return None
    rejected = study.settings[f"{PREFIX}rejected"]
    return Claim(
        says='A class "other" needs more examples with every dimension.',
        test=f"Negatives that reject {rejected:g} % of fresh ones drawn like them, in {most} dimensions over those in "
        f"{least}. Holds if the 95 % interval of the geometric mean over networks lies above 1; contradicted if below. "
        "Where the whole budget is too small, twice the budget counts.",
        verdict=verdict(row, above=1),
        number=f"{{number}} times as many in {most} dimensions as in {least} ({{n}} networks)",
        row=row,
        figure="other_needed",
    )


def other_is_not_feasible(study: Study) -> Claim | None:
    """Whether points off the curve pass though the whole budget of negatives was spent."""
    _, most = ends(study)
    off = study.settings[f"{PREFIX}distances"]
    kind = "off_1"
    row = of(study, "other", "accepted", kind=kind, dimension=most) if 1 in off else None
    if row is None:
        return None
    budget = study.settings[f"{PREFIX}negatives.counts"][-1]
    return Claim(
        says='An "other" class of points drawn blindly is not feasible.',
        test=f"With the whole budget of {budget:,} negatives in {most} dimensions, the share of points that are still "
        "accepted as one of the classes though they are as far off the plane, in a random direction, as the disc is "
        "wide in which the curve lies (radius 1). Holds if the 95 % interval of the mean over networks lies above "
        "5 %; contradicted if below.",
        verdict=verdict(row, above=5),
        number=f"{{number}} are accepted, in {most} dimensions (mean of {{n}} networks)",
        row=row,
        figure="other_off",
    )


def distances(study: Study) -> Table:
    """How far a point is from another class, by dimension."""
    metrics = ("accuracy", "along", "smallest", "ratio", "off_plane", "random", "never", "in_twice",
               "differs_on_curve", "differs_in_plane")  # fmt: skip
    lines, used = [], []
    for dimension in study.settings[f"{PREFIX}dimensions"]:
        rows = [of(study, "curve", metric, dimension=f"{dimension:g}") for metric in metrics]
        used += [row["place"] for row in rows if row]
        lines.append([f"{dimension}", *map(measured, rows)])
    header = ["dimensions", "right on the curve %", "along the curve", "smallest change", "smallest / along",
              "of it off the plane %", "random direction", "never changes %", "within twice the smallest %",
              "two networks differ, on the curve %", "in the plane off it %"]  # fmt: skip
    return table("distances", lines, header, study.frame.iloc[used])


def budgets(study: Study) -> Table:
    """What is needed, and what the whole budget buys, by dimension."""
    off = [f"off_{d:g}" for d in study.settings[f"{PREFIX}distances"]]
    lines, used = [], []
    for dimension in study.settings[f"{PREFIX}dimensions"]:
        at = f"{dimension:g}"
        rows = [of(study, "other", "needed", kind=kind, dimension=at) for kind in KINDS]
        rows += [of(study, "other", "accuracy", dimension=at)]
        rows += [of(study, "other", "accepted", kind=kind, dimension=at) for kind in (*KINDS, *off, "worst_off")]
        used += [row["place"] for row in rows if row]
        lines.append([f"{dimension}", *map(needed_text, rows[:3]), *map(measured, rows[3:])])
    names = [figures.KIND_NAMES[kind] for kind in KINDS]
    header = ["dimensions", *(f"needed, {name} %" for name in names), "right on the curve %",
              *(f"accepted, {name} %" for name in names),
              *(f"accepted, {d:g} off the plane %" for d in study.settings[f"{PREFIX}distances"]),
              f"{study.settings[f'{PREFIX}distances'][0]:g} off it, worst direction %"]  # fmt: skip
    return table("budgets", lines, header, study.frame.iloc[used])


def needed_text(row: Row | None) -> str:
    """A share of the budget; "> 100" where all of it is too little."""
    text = measured(row)
    return "> 100" if text.startswith("–") and row is not None else text


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    length = figures.curve_of(study).length
    return {"settings": study.section("explore_curve"), "cell": study.cell("explore_curve"), "length": length}


def finding(test: Callable[[Study], Claim | None]) -> Callable[[Study], Finding | None]:
    """A claim as one of the findings with which the page opens."""

    def found(study: Study) -> Finding | None:
        claim = test(study)
        return claim and Finding(f"“{claim.says}” {WORDS[claim.verdict]}.", claim.number, claim.row, claim.figure, "")

    return found


TABLES = (distances, budgets)
FIGURES = (
    figures.curve_boundaries, figures.curve_moves, figures.curve_distances, figures.other_needed, figures.other_off
)  # fmt: skip
CLAIMS = (
    off_the_curve_is_chance, off_is_nearer, dimensions_bring_it_nearer, random_directions_miss,
    dimensions_cost_negatives, other_is_not_feasible,
)  # fmt: skip
FINDINGS = tuple(map(finding, CLAIMS))
