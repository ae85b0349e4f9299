"""The section `train_openset` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from overgen.models.params import ATTACKED, check_kinds, check_trained
from overgen.run.sections import Count, Distinct, Name, Section
from overgen.training.params import TrainingChanges, check_changes

if TYPE_CHECKING:
    from overgen.run.params import Params


class Longer(Section):
    """Members that are trained a second time, for more epochs: what the others miss. Without effect if not for more."""

    known: Count  # classes: all members with so many
    epochs: Count


class TrainOpenset(Section):
    known: Distinct[Count]
    subsets: Count
    epochs: Count
    longer: Longer | None = None
    training: dict[Name, TrainingChanges] = Field({})  # by model

    @model_validator(mode="after")
    def comparable(self) -> TrainOpenset:
        if self.longer and self.longer.known not in self.known:
            raise ValueError(f"longer.known: {self.longer.known} is none of the numbers in `known`: {self.known}")
        return self

    @property
    def further(self) -> Longer | None:
        """`longer`, where that is more than all members get."""
        return self.longer if self.longer and self.longer.epochs > self.epochs else None


SECTION = dict[Name, TrainOpenset]


def check(params: Params) -> None:
    check_kinds(params, "openset_models", ATTACKED)
    check_trained(params, "openset_models")
    check_changes(params, "train_openset")
