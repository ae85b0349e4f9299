"""The section `fool_gradient` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from overgen.attacks.params import TARGETS, check_attacked
from overgen.run.sections import Count, Distinct, Name, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


class GradientDescent(Section):
    """One of the attacks that `fool_gradient` tries in turn."""

    objective: Literal["cross_entropy", "margin"]
    learning_rate: Positive
    updates: Count


class FoolGradient(Section):
    classes: Count = TARGETS  # attacked: all, or so many that are sampled beforehand
    restarts: Count  # for each target class and start
    attacks: Annotated[list[GradientDescent], Field(min_length=1)]
    starts: Distinct[Literal["noise", "mean_image", "other_class"]]
    check: Count  # updates between two estimates of γ
    block: Count  # trials attacked together


SECTION = dict[Name, FoolGradient]


def check(params: Params) -> None:
    check_attacked(params)
