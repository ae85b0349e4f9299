"""Parameters that several attacks share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from overgen.models.params import ATTACKED, check_kinds, check_trained
from overgen.run.sections import Distinct, Positive, Rate, RatePair, Section

if TYPE_CHECKING:
    from overgen.run.params import Params

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
    check_kinds(params, "attacked", ATTACKED)
    check_trained(params, "attacked")


def check_scaled(params: Params, stage: str, models: Sequence[str]) -> None:
    """Raise ValueError if an attack on ỹ is of none of the models, or at an α that nothing is judged at.

    stage: whose section has `scaled`, by data set.
    """
    for dataset, attack in getattr(params, stage).items() if models else ():
        judged = {t.alpha for t in params.confidence[dataset].thresholds} if dataset in params.confidence else set()
        for model, alphas in attack.scaled.items():
            if model not in models or not set(alphas) <= judged:
                raise ValueError(
                    f"{stage}.{dataset}.scaled: {model}: {alphas} must name an attacked model and alphas of "
                    f"confidence.{dataset}.thresholds ({', '.join(f'{a:g}' for a in sorted(judged))})"
                )
