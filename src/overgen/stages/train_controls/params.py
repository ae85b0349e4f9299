"""The section `train_controls` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.models.params import ATTACKED, check_kinds
from overgen.run.sections import Name
from overgen.stages.train_openset.params import TrainOpenset
from overgen.training.params import check_changes

if TYPE_CHECKING:
    from overgen.run.params import Params

SECTION = dict[Name, TrainOpenset]


def check(params: Params) -> None:
    check_kinds(params, "controls", ATTACKED)
    check_changes(params, "train_controls")
