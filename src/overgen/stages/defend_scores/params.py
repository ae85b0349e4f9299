"""The section `defend_scores` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Positive, Section
from overgen.run.sections import Name as Named
from overgen.scores.names import name_of_score
from overgen.stages.attack_scores.params import Attempt

DYNAMIC = (
    "overgen.measures.thresholds",
    "overgen.models.params",
    "overgen.stages.evaluate_scores.params",
)  # sections that it declares, too
SCALED = "scaled_output"  # the method that an ensemble and further training defend
NONE, SMOOTHED, ENSEMBLE, ADVERSARIAL = "none", "smoothed", "ensemble", "adversarial"


class Name(NamedTuple):
    """What a score is of: a model of params.yaml, a method, and a defence."""

    model: str
    method: str
    defence: str

    @property
    def file(self) -> str:
        return "-".join(self).replace(":", "-").replace("/", "-")


class Smoothing(Section):
    sigma: Positive  # of the noise, in pixels of [0, 1]
    draws: Count  # that decide
    attack_draws: Count  # at each update of an attack
    certificate_draws: Count
    error: Annotated[float, Field(gt=0, lt=0.5)]  # of a certificate, for each image


class Adversarial(Section):
    """Further training of a network on images that are moved, see `overgen.training.adversarial`."""

    model: Named
    images: Count  # random training images
    held_out: Count  # further ones, by which the epoch is chosen
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    radius: Positive  # of the L∞ ball, in pixels of [0, 1]
    steps: Count  # by which an image is moved


class DefendScores(Section):
    """Methods and their options are those of evaluate_scores, what is said of attacks that of attack_scores."""

    scores: dict[Named, Distinct[str]]  # by model: what is defended, as attack_scores names it
    fitted_images: Count  # random training images that methods are fitted on, at most
    known_images: Count  # random test images on which it is measured what is kept
    threshold_images: Count  # further ones, for the threshold alone
    unknown_images: Count  # of other data, of which it is measured how many are accepted
    smoothing: Smoothing
    ensemble: Annotated[Distinct[Named], Field(min_length=2)]  # its members, networks of one seed each
    adversarial: Adversarial
    starts: Distinct[Literal["noise", "other_data"]]
    restarts: Count  # for each start and target class
    attempts: Annotated[list[Attempt], Field(min_length=1)]
    images: Count  # that are moved within balls, in each direction
    linf: Distinct[Positive]
    l2: Distinct[Positive]
    certified: Distinct[Positive]  # L2 radii at which it is said how many images are certified
    ball_attempts: Annotated[list[Attempt], Field(min_length=1)]
    judge_images: Count  # training images that the judge knows, at most

    @model_validator(mode="after")
    def fits(self) -> DefendScores:
        for name in ("linf", "l2", "certified"):
            radii = getattr(self, name)
            if radii != sorted(radii):
                raise ValueError(f"{name}: radii must rise: {radii}")
        for model, methods in self.scores.items():
            for method in methods:
                base, _, alpha = method.partition("_alpha")
                name_of_score(base if alpha else method)
                if (base == SCALED) != bool(alpha):
                    raise ValueError(f"scores.{model}: {method}: ỹ, and ỹ alone, is judged at an α: {SCALED}_alpha2")
        scaled = [model for model, methods in self.scores.items() if any(m.startswith(SCALED) for m in methods)]
        if scaled != [self.adversarial.model] or self.adversarial.model not in self.ensemble:
            raise ValueError(
                f"ensemble and adversarial defend ỹ of one model: scores has ỹ of {scaled}, adversarial.model is "
                f"{self.adversarial.model}, ensemble has {self.ensemble}"
            )
        return self


SECTION = dict[Named, DefendScores]
