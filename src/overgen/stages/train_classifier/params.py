"""The section `train_classifier` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.models.params import check_kinds
from overgen.run.sections import Name
from overgen.training.parallel import ParallelFit, check_parallel
from overgen.training.params import check_changes, check_epochs

if TYPE_CHECKING:
    from overgen.run.params import Params

SECTION = dict[Name, ParallelFit]


def check(params: Params) -> None:
    check_kinds(params, "classifiers", ("cnn", "cool", "lenet"))
    if both := [model for model in params.names("classifiers") if model in params.names("autoencoders")]:
        raise ValueError(f"classifiers: {', '.join(both)} also in autoencoders; one stage trains a model")
    check_changes(params, "train_classifier")
    check_parallel(params, "train_classifier")
    check_epochs(params, "train_classifier", "classifiers")
