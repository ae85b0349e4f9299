"""The section `fool_variants` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from overgen.attacks.params import check_attacks
from overgen.models.params import base_of
from overgen.run.sections import Count, Name, NonNegative, Section
from overgen.stages.remove_gate.params import GATE_OFF

DYNAMIC = ("overgen.stages.fool_fgn.params",)  # sections that it declares, too


if TYPE_CHECKING:
    from overgen.run.params import Params


class VariantOfNetwork(Section):
    base: Name  # the attacked model that the variant is called after
    scaled: list[NonNegative] = Field([])  # as in fool_fgn


class FoolVariants(Section):
    """The FGN against variants of networks: budgets of its own, and else the options of `fool_fgn`."""

    trials: Count  # for each target class
    updates: Count
    models: dict[Name, VariantOfNetwork]  # by variant


SECTION = dict[Name, FoolVariants]


def check_variants(params: Params, field: str) -> None:
    """Raise ValueError if a list names what is neither trained by `train_variants` nor made by `remove_gate`."""
    there = [*params.names("variants"), *(name + GATE_OFF for name in params.names("ungated"))]
    for name in params.names(field):
        if name not in there:
            raise ValueError(f"{field}: {name!r} is neither in `variants` nor of `ungated`: {', '.join(there)}")


def check(params: Params) -> None:
    if not params.names("variant_datasets"):
        return
    check_attacks(params, "fool_variants")
    check_variants(params, "fooled_variants")
    attacked = params.names("attacked")
    for dataset, section in params.fool_variants.items():
        for variant, tried in section.models.items():
            if tried.base != base_of(variant, attacked) and variant in params.names("fooled_variants"):
                key = f"fool_variants.{dataset}.models.{variant}.base"
                raise ValueError(f"{key}: {tried.base!r} must be the attacked model that {variant} is called after")
