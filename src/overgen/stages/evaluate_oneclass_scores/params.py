"""The section `evaluate_oneclass_scores` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from overgen.run.sections import Distinct, Section
from overgen.scores.names import name_of_pixel_score

DYNAMIC = (
    "overgen.stages.evaluate_scores.params",
    "overgen.stages.train_oneclass.params",
)  # sections that it declares, too


PixelScore = Annotated[str, AfterValidator(name_of_pixel_score)]


class EvaluateOneclassScores(Section):
    """Scores of pixels that can be fitted on one class; their options are those of evaluate_scores."""

    methods: Distinct[PixelScore]


SECTION = EvaluateOneclassScores
