"""The section `fool_variants` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from overgen.attacks.params import check_scaled
from overgen.run.sections import Count, Name, NonNegative, Section

DYNAMIC = ("overgen.stages.fool_fgn.params",)  # sections that it declares, too


if TYPE_CHECKING:
    from overgen.run.params import Params


class FoolVariants(Section):
    """The FGN against variants of networks: budgets of its own, and else the options of `fool_fgn`."""

    trials: Count  # for each target class
    updates: Count
    scaled: dict[Name, list[NonNegative]] = Field({})  # as in fool_fgn


SECTION = dict[Name, FoolVariants]


def check(params: Params) -> None:
    if params.names("variant_datasets"):
        check_scaled(params, "fool_variants", params.names("variants"))
