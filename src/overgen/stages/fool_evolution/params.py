"""The section `fool_evolution` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from overgen.attacks.params import TARGETS, Encodings, Mutation
from overgen.models.params import ATTACKED, check_kinds, check_trained
from overgen.run.sections import Count, Name, NonNegative

if TYPE_CHECKING:
    from overgen.run.params import Params


class FoolEvolution(Mutation):
    classes: Count = TARGETS  # whose champions are kept as images: all, or so many that are sampled beforehand
    encodings: Encodings
    runs: Count
    generations: Count
    population: Count
    stored_generations: list[Annotated[int, Field(ge=0)]]
    stop_when_reached: bool
    alpha: NonNegative  # α of the ỹ that is attacked (networks that reconstruct)


SECTION = dict[Name, FoolEvolution]


def check(params: Params) -> None:
    check_kinds(params, "evolved", ("lenet", "adopted", *ATTACKED))
    check_trained(params, "evolved")
