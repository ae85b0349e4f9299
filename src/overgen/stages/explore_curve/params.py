"""The section `explore_curve` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from overgen.run.sections import Count, Distinct, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params

Dimension = Annotated[int, Field(ge=2)]


class Shape(Section):
    """The curve (width·s, height·sin(π·waves·s)), s from −1 to 1, cut into `parts` of equal length that alternate."""

    width: Annotated[float, Field(gt=0, lt=1)]
    height: Annotated[float, Field(gt=0, lt=1)]
    waves: Positive
    parts: Annotated[int, Field(ge=2)]


class Boundaries(Section):
    """Networks of two classes that see nothing but the curve."""

    seeds: Annotated[int, Field(ge=2)]
    points: Count  # of the curve, that a network is trained on
    steps: Count  # each on all points
    tested: Count  # points of the curve from which a class is left
    directions: Count  # random ones, of each such point
    limit: Positive  # how far along a random direction the boundary is looked for
    iterations: Count  # of the search for the smallest change
    resolution: Count  # of the maps of the plane


class Negatives(Section):
    """Networks with a third class, "other", of points drawn uniformly in the cube [−1, 1]^D."""

    seeds: Annotated[int, Field(ge=2)]
    counts: Distinct[Count]  # how many such points there are, rising; the last is the whole budget
    steps: Count
    batch_size: Count  # points of the curve, and as many of the others, in each step
    tested: Count  # fresh points of each kind
    ascent: Count  # steps of the search for the direction that is accepted most


class ExploreCurve(Section):
    """Lengths are in the unit of the plane's coordinates; the curve lies in the unit disc."""

    curve: Shape
    dimensions: Distinct[Dimension]  # of the space in which the plane of the curve lies, rising
    hidden: Count  # units of each of two layers
    learning_rate: Positive
    threads: Count
    near: Positive  # how far off the curve the nearest points that shall be rejected are
    distances: Distinct[Positive]  # further distances off the plane of the curve, rising
    rejected: Annotated[float, Field(gt=0, lt=100)]  # percent of such points that "other" shall take
    boundaries: Boundaries
    negatives: Negatives


SECTION = ExploreCurve


def check(params: Params) -> None:
    section = params.explore_curve
    for name, values in (
        ("dimensions", section.dimensions),
        ("distances", section.distances),
        ("negatives.counts", section.negatives.counts),
    ):
        if values != sorted(values):
            raise ValueError(f"explore_curve.{name}: must rise: {values}")
    if section.dimensions[0] != 2:
        raise ValueError("explore_curve.dimensions: the first must be 2, the plane of the curve itself")
