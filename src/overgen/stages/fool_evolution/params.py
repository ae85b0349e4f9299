"""The section `fool_evolution` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.attacks.params import Encodings, Mutation
from overgen.run.sections import Count, NonNegative


class FoolEvolution(Mutation):
    encodings: Encodings
    runs: Count
    generations: Count
    population: Count
    stored_generations: list[Annotated[int, Field(ge=0)]]
    stop_when_reached: bool
    alpha: NonNegative  # α of the ỹ that is attacked (networks that reconstruct)
