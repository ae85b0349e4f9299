"""The section `attack_denoiser` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Positive, Section
from overgen.stages.attack_scores.params import Attempt

DYNAMIC = (
    "overgen.measures.thresholds",
    "overgen.stages.attack_scores.params",
    "overgen.stages.evaluate_scores.params",
    "overgen.stages.train_denoiser.params",
)  # sections that it declares, too


class Attacks(Section):
    """What is tried on a score, where it is not as in attack_scores, whose keys these are."""

    known_images: Count
    restarts: Count
    images: Count
    attempts: Annotated[list[Attempt], Field(min_length=1)]
    ball_attempts: Annotated[list[Attempt], Field(min_length=1)]


class Likelihood(Attacks):
    """The log likelihood takes two passes with a derivative for each step: its attacks are shorter, of their own."""

    smallest: Positive  # σ, of pixels in [0, 1], between which the path is followed
    largest: Positive
    steps: Count
    probes: Count  # vectors of the estimate of the trace

    @model_validator(mode="after")
    def rising(self) -> Likelihood:
        if self.smallest >= self.largest:
            raise ValueError(f"smallest: {self.smallest:g} must lie below largest: {self.largest:g}")
        return self


class AttackDenoiser(Attacks):
    """Scores and attacks; starts, radii and judge are those of attack_scores."""

    classifier: Name  # whose labels and y the confidence stands beside
    beside: Name  # a denoising autoencoder of the study, which is attacked in the same way
    sigmas: Distinct[Positive]  # over which one of the scores is averaged
    unknown_images: Count  # of each kind, that are told from known ones without an attack
    likelihood: Likelihood


SECTION = dict[Name, AttackDenoiser]
