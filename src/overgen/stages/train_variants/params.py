"""The section `train_variants` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.models.params import ATTACKED, base_of, check_kinds, trained
from overgen.run.sections import Name
from overgen.training.parallel import ParallelFit, check_parallel
from overgen.training.params import check_changes

if TYPE_CHECKING:
    from overgen.run.params import Params

SECTION = dict[Name, ParallelFit]


def check(params: Params) -> None:
    check_kinds(params, "variants", ATTACKED)
    attacked = params.names("attacked")
    for variant in params.names("variants") if params.names("variant_datasets") else ():
        if variant in trained(params) or not base_of(variant, attacked):
            raise ValueError(
                f"variants: {variant!r} must be called <model>_<change> after an attacked model "
                f"({', '.join(attacked)}), and no other stage may train it"
            )
    check_changes(params, "train_variants")
    check_parallel(params, "train_variants")
