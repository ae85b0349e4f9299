"""The section `explore_dimension` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from overgen.measures.dimension import SCALES
from overgen.run.sections import Count, Name, Section

LEAST = max(SCALES) + 1  # points, of which each has the neighbours that the correlation dimension asks for


def rising(sizes: list[int]) -> list[int]:
    if sorted(set(sizes)) != sizes:
        raise ValueError(f"must rise: {sizes}")
    return sizes


Points = Annotated[int, Field(ge=LEAST)]
Sizes = Annotated[list[Points], Field(min_length=2), AfterValidator(rising)]


class ExploreDimension(Section):
    neighbours: Annotated[int, Field(ge=2, lt=LEAST)]  # k of the maximum likelihood and of the local estimates
    parts: Count  # disjoint random parts of each size, at most; draws of each known manifold
    sizes: Sizes  # images of a part of a class
    mixed: Sizes  # images of a part of all classes together
    points: Points  # of each known manifold, and views of the object
    shown: Count  # images of the lowest and of the highest local dimension, of each class


SECTION = dict[Name, ExploreDimension]
