"""Parameters that several attacks share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from overgen.run.sections import Positive, Rate, RatePair, Section, distinct

Encodings = Annotated[list[Literal["direct", "cppn"]], Field(min_length=1), AfterValidator(distinct)]


class Mutation(Section):
    """How genomes of both encodings change; see overgen.attacks.evolution and .cppn."""

    mutation_rate: Annotated[float, Field(gt=0, le=1)]  # of a pixel; of a CPPN's weight or function
    mutation_eta: Positive
    crossover_rate: Rate  # of images; CPPNs are swapped
    crossover_eta: Positive
    connections: RatePair  # of a CPPN: with what probability one is added, and one removed
    nodes: RatePair
