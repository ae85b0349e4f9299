"""The section `train_oneclass` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from overgen.models.params import ATTACKED, check_kinds
from overgen.run.sections import Count, Distinct, Name, Section
from overgen.training.params import TrainingChanges, check_changes

if TYPE_CHECKING:
    from overgen.run.params import Params


class TrainOneclass(Section):
    # a problem each: trained on it alone
    classes: Distinct[Annotated[int, Field(ge=0)]]
    epochs: Count  # of the networks
    training: dict[Name, TrainingChanges] = Field({})  # by model


SECTION = dict[Name, TrainOneclass]


def check(params: Params) -> None:
    check_kinds(params, "oneclass_models", ("autoencoder", "one_class_svm", *ATTACKED))
    check_changes(params, "train_oneclass")
