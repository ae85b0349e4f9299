"""The section `train_autoencoder` of params.yaml."""

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
    check_kinds(params, "autoencoders", ("dae", "autoencoder"))
    check_changes(params, "train_autoencoder")
    check_parallel(params, "train_autoencoder")
    check_epochs(params, "train_autoencoder", "autoencoders")
