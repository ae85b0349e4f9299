"""The section `evaluate_fooling` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overgen.run.sections import Section


class EvaluateFooling(Section):
    attacks: Annotated[list[Literal["fool_fgn", "fool_gradient", "fool_evolution"]], Field(min_length=1)]
