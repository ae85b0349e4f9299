"""The section `fool_controls` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.models.params import ATTACKED, check_kinds
from overgen.run.sections import Name
from overgen.stages.fool_gradient.params import FoolGradient
from overgen.stages.fool_variants.params import check_variants

if TYPE_CHECKING:
    from overgen.run.params import Params

SECTION = dict[Name, FoolGradient]


def check(params: Params) -> None:
    if params.names("variant_datasets"):
        check_kinds(params, "fooled_controls", ATTACKED)
        check_variants(params, "fooled_controls")
