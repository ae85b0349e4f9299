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
)  # sections that it declares, too


class Likelihood(Section):
    """The log likelihood costs a hundred times as much as one pass: its attacks are shorter ones, of their own."""

    smallest: Positive  # σ, of pixels in [0, 1], between which the path is followed
    largest: Positive
    steps: Count
    probes: Count  # vectors of the estimate of the trace
    restarts: Count  # the rest as in attack_scores
    images: Count
    attempts: Annotated[list[Attempt], Field(min_length=1)]
    ball_attempts: Annotated[list[Attempt], Field(min_length=1)]

    @model_validator(mode="after")
    def rising(self) -> Likelihood:
        if self.smallest >= self.largest:
            raise ValueError(f"smallest: {self.smallest:g} must lie below largest: {self.largest:g}")
        return self


class AttackDenoiser(Section):
    """What is attacked; how is said in attack_scores, so that both are alike."""

    classifier: Name  # whose labels and y the confidence stands beside
    beside: Name  # a denoising autoencoder of the study, which the denoiser is compared with
    sigmas: Distinct[Positive]  # over which one of the scores is averaged
    unknown_images: Count  # of each kind, that are told from known ones without an attack
    likelihood: Likelihood


SECTION = dict[Name, AttackDenoiser]
