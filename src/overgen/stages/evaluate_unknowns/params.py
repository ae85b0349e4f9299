"""The section `evaluate_unknowns` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from overgen.run.sections import Count, Distinct, Name, Section
from overgen.stages.evaluate_scores.params import ScoreMethod

if TYPE_CHECKING:
    from overgen.run.params import Params

DYNAMIC = (
    "overgen.measures.thresholds",
    "overgen.stages.evaluate_scores.params",
)  # sections that it declares, too


class EvaluateUnknowns(Section):
    """Methods have the options of evaluate_scores."""

    methods: Distinct[ScoreMethod]  # tried on every network, where they apply
    once: dict[Name, Distinct[ScoreMethod]] = Field({})  # further ones, by model: of pixels, which need no network
    known_images: Count  # random test images, at most
    images: Count  # of each kind of unknown, at most
    fitted_images: Count  # random training images that methods are fitted on, at most; costly ones have fit_images
    least: Count  # labelled training images that a method needs to be fitted on
    other_data: dict[Name, Distinct[Name]] = Field({})  # by data set, others whose test images are unknown to it
    own: dict[Name, str] = Field({})  # by data set, a file of unknowns of one's own, see overgen.data.unknowns.read


SECTION = EvaluateUnknowns


def check(params: Params) -> None:
    """Raise ValueError for a model that there is not."""
    for name in params.evaluate_unknowns.once:
        if name not in params.models:
            raise ValueError(f"evaluate_unknowns.once.{name}: `models` has only {', '.join(params.models)}")
