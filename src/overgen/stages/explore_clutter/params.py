"""The section `explore_clutter` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.data.photographs import PHOTOGRAPHS
from overgen.run.sections import Count, Distinct, Name, NonNegative, Positive, Rate, Section

DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too


class Attention(Section):
    """Of `overgen.measures.attention`."""

    weight: Positive
    smoothness: NonNegative
    steps: Count
    rate: Positive


class ExploreClutter(Section):
    networks: Distinct[Name]
    autoencoder: Name  # whose reconstruction finds the masks
    photographs: Distinct[Name]  # of `overgen.data.photographs`
    images: Count  # of each class, over grounds
    strengths: Distinct[Rate]  # of the ground; the last is that of canvases, too
    objects: Distinct[Annotated[int, Field(ge=1, le=4)]]  # on a canvas
    canvases: Count  # of each number of objects
    attention: Attention


SECTION = dict[Name, ExploreClutter]


def check(params: object) -> None:
    """Raise ValueError for a photograph that there is not."""
    for dataset, section in params.explore_clutter.items():  # type: ignore[attr-defined]
        if lacking := [name for name in section.photographs if name not in PHOTOGRAPHS]:
            raise ValueError(
                f"explore_clutter.{dataset}.photographs: no {lacking[0]}; there are {', '.join(PHOTOGRAPHS)}"
            )
