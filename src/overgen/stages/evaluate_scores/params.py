"""The section `evaluate_scores` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Section
from overgen.scores.names import name_of_score

DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too

ScoreMethod = Annotated[str, AfterValidator(name_of_score)]


class EvaluateScores(Section):
    methods: dict[Name, Distinct[ScoreMethod]]  # by model
    held_out: Annotated[int, Field(ge=20)]  # training images that no method is fitted on, for the threshold
    keep: Annotated[float, Field(gt=0, lt=1)]  # share of them that it accepts
    fit_images: Annotated[int, Field(ge=50)]  # random ones for methods whose cost grows with their square
    noise_images: Count  # of each kind of noise, of shuffled images, and of other data
    other_data: dict[Name, Name] = Field({})  # by data set, the one whose test images are unknown to it
    neighbours: Count
    clusters: Count
    components: Count
    tail: Annotated[int, Field(ge=2)]
    network_updates: dict[Name, Count]  # of methods that are networks of their own, by data set; `other`: the rest

    @model_validator(mode="after")
    def for_every_data_set(self) -> EvaluateScores:
        if "other" not in self.network_updates:
            raise ValueError("network_updates has no entry `other`, for data sets that it does not name")
        return self


SECTION = EvaluateScores
