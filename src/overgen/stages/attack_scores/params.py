"""The section `attack_scores` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Positive, Section
from overgen.stages.evaluate_scores.params import ScoreMethod

if TYPE_CHECKING:
    from overgen.run.params import Params

DYNAMIC = (
    "overgen.measures.thresholds",
    "overgen.stages.evaluate_scores.params",
)  # sections that it declares, too


class Attempt(Section):
    """An attack of `overgen.attacks`, tried on the trials that the ones before did not fool."""

    attack: Literal["autopgd", "adam", "square"]
    updates: Count  # queries of a black box
    learning_rate: Positive | None = None  # of Adam, on pixels in [0, 1]

    @model_validator(mode="after")
    def rate_of_adam(self) -> Attempt:
        if (self.learning_rate is None) == (self.attack == "adam"):
            raise ValueError(f"{self.attack}: a learning_rate is Adam's, which needs one; the others have none")
        return self


class AttackScores(Section):
    """Methods and their options are those of evaluate_scores."""

    once: dict[Name, Distinct[ScoreMethod]] = Field({})  # further methods, by model
    fitted_images: Count  # random training images that methods are fitted on, at most; costly ones have fit_images
    known_images: Count  # test images on which the spreads, and what is kept, are measured
    starts: Distinct[Literal["noise", "other_data"]]  # other_data: those of evaluate_scores.other_data
    restarts: Count  # for each start and target class
    attempts: Annotated[list[Attempt], Field(min_length=1)]
    images: Count  # that are moved within balls, in each direction
    linf: Distinct[Positive]  # radii of the balls, of pixels in [0, 1]
    l2: Distinct[Positive]
    ball_attempts: Annotated[list[Attempt], Field(min_length=1)]
    judge_images: Count  # training images that the judge knows, at most
    shown: Count  # successes of each method that the cell keeps as pictures
    labelled: Count  # successes of all methods together on the page where a person judges them

    @model_validator(mode="after")
    def rising(self) -> AttackScores:
        for name in ("linf", "l2"):
            radii = getattr(self, name)
            if radii != sorted(radii):
                raise ValueError(f"{name}: radii must rise: {radii}")
        return self


SECTION = dict[Name, AttackScores]


def check(params: Params) -> None:
    """Raise ValueError for a model that there is not, and for a method that is named twice."""
    methods = params.evaluate_scores.methods
    for dataset, section in params.attack_scores.items():
        for model, names in section.once.items():
            key = f"attack_scores.{dataset}.once.{model}"
            if model not in methods:
                raise ValueError(f"{key}: `evaluate_scores.methods` has only {', '.join(methods)}")
            if twice := [name for name in names if name in methods[model]]:
                raise ValueError(f"{key}: {', '.join(twice)}: already in evaluate_scores.methods.{model}")
