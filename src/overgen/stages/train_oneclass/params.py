"""The section `train_oneclass` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from overgen.run.sections import Count, Name, Section
from overgen.training.params import TrainingChanges


class TrainOneclass(Section):
    classes: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]  # a problem each: trained on it alone
    epochs: Count  # of the networks
    training: dict[Name, TrainingChanges] = Field({})  # by model

    @field_validator("classes")
    @classmethod
    def distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value):
            raise ValueError(f"classes repeat: {value}")
        return value
