"""The section `fool_gradient` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overgen.run.sections import Count, Positive, Section


class GradientDescent(Section):
    """One of the attacks that `fool_gradient` tries in turn."""

    objective: Literal["cross_entropy", "margin"]
    learning_rate: Positive
    updates: Count


class FoolGradient(Section):
    restarts: Count  # for each target class and start
    attacks: Annotated[list[GradientDescent], Field(min_length=1)]
    starts: Annotated[list[Literal["noise", "mean_image", "other_class"]], Field(min_length=1)]
    check: Count  # updates between two estimates of γ
    block: Count  # trials attacked together
