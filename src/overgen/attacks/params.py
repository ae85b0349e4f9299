"""Parameters that several attacks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from overgen.models.params import ATTACKED, check_kinds, check_trained
from overgen.run.sections import Distinct, Positive, Rate, RatePair, Section

if TYPE_CHECKING:
    from overgen.run.params import Params

TARGETS = 10  # classes that are attacked of a data set that has more, unless a section says otherwise
Encodings = Distinct[Literal["direct", "cppn"]]


class Mutation(Section):
    """How genomes of both encodings change; see overgen.attacks.evolution and .cppn."""

    mutation_rate: Annotated[float, Field(gt=0, le=1)]  # of a pixel; of a CPPN's weight or function
    mutation_eta: Positive
    crossover_rate: Rate  # of images; CPPNs are swapped
    crossover_eta: Positive
    connections: RatePair  # of a CPPN: with what probability one is added, and one removed
    nodes: RatePair


def check_attacked(params: Params) -> None:
    """Raise ValueError if `attacked` names a model that cannot be attacked, or that no stage trains."""
    check_kinds(params, "attacked", ("adopted", *ATTACKED))
    check_trained(params, "attacked")


def check_attacks(params: Params, stage: str) -> None:
    """Raise ValueError if an attack is of no model, or on ỹ at an α that nothing is judged at.

    stage: in whose section each data set has `models`, and each of these `scaled`.
    """
    for dataset, section in getattr(params, stage).items():
        judged = {t.alpha for t in params.confidence[dataset].thresholds} if dataset in params.confidence else set()
        for model, tried in section.models.items():
            if model not in params.models:
                raise ValueError(f"{stage}.{dataset}.models.{model}: must be one of `models`")
            if not set(tried.scaled) <= judged:
                raise ValueError(
                    f"{stage}.{dataset}.models.{model}.scaled: {tried.scaled} must be alphas of "
                    f"confidence.{dataset}.thresholds ({', '.join(f'{a:g}' for a in sorted(judged))})"
                )
