"""The section `explore_linear` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Positive, Section

DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too
Label = Annotated[int, Field(ge=0)]


class ExploreLinear(Section):
    classes: Annotated[Distinct[Label], Field(min_length=2, max_length=2)]  # that are told apart
    third: Label  # that is shown beside them
    inverse_decays: Distinct[Positive]  # C of the logistic regression; figures and claims are of the first
    noise_images: Count  # of each kind
    shown: Count  # points of each kind in the plane

    @model_validator(mode="after")
    def third_is_another(self) -> ExploreLinear:
        if self.third in self.classes:
            raise ValueError(f"third: {self.third} is one of the two classes that are told apart: {self.classes}")
        return self


SECTION = dict[Name, ExploreLinear]
