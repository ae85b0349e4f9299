"""The section `train_openset` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from overgen.run.sections import Count, Name, Section
from overgen.training.params import TrainingChanges


class Longer(Section):
    """Members that are trained a second time, for more epochs: what the others miss. Without effect if not for more."""

    known: Count  # classes: all members with so many
    epochs: Count


class TrainOpenset(Section):
    known: Annotated[list[Count], Field(min_length=1)]
    subsets: Count
    epochs: Count
    longer: Longer | None = None
    training: dict[Name, TrainingChanges] = Field({})  # by model

    @field_validator("known")
    @classmethod
    def distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value):
            raise ValueError(f"numbers of known classes repeat: {value}")
        return value

    @model_validator(mode="after")
    def comparable(self) -> TrainOpenset:
        if self.longer and self.longer.known not in self.known:
            raise ValueError(f"longer.known: {self.longer.known} is none of the numbers in `known`: {self.known}")
        return self

    @property
    def further(self) -> Longer | None:
        """`longer`, where that is more than all members get."""
        return self.longer if self.longer and self.longer.epochs > self.epochs else None
