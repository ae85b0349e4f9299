"""The section `synthesise_classes` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from overgen.attacks.ways import SynthesisWay
from overgen.run.sections import Count, Distinct, Name, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


class SynthesiseClasses(Section):
    cat: Annotated[int, Field(ge=0)]  # the class of the lecture's claim
    classes: Count  # further ones, drawn
    starts: Count  # images of each class and way
    steps: Count
    ways: dict[Name, SynthesisWay]
    shown: Distinct[Name]  # ways of which the images of all classes are kept; of the others that of the cat
    # The rule, set before the run that decides, after a first look at three classes (cat, zebra, balloon) by which
    # steps and rates were chosen: an image is recognised if every witness answers its class. "No object can be
    # synthesised" holds of a way where the whole interval of recognised images lies below so many percent, and is
    # contradicted where it lies above.
    recognised: Annotated[float, Field(gt=0, lt=100)]


SECTION = SynthesiseClasses


def check(params: Params) -> None:
    section = params.synthesise_classes
    if unknown := [name for name in section.shown if name not in section.ways]:
        raise ValueError(f"synthesise_classes.shown: {unknown[0]!r} is none of the ways")
