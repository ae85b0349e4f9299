"""The section `evaluate_fooling` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from overgen.run.sections import Distinct, Section

DYNAMIC = ("overgen.stages.fool_evolution.params",)  # sections that it declares, too


if TYPE_CHECKING:
    from overgen.run.params import Params


class EvaluateFooling(Section):
    attacks: Distinct[Literal["fool_fgn", "fool_gradient", "fool_evolution"]]


SECTION = EvaluateFooling


def check(params: Params) -> None:
    lacking = [model for model in params.names("attacked") if model not in params.names("evolved")]
    if "fool_evolution" in params.evaluate_fooling.attacks and lacking:
        shown = "evaluate_fooling shows the images evolved against all that are attacked"
        raise ValueError(f"evolved: lacks {', '.join(lacking)}; {shown}")
