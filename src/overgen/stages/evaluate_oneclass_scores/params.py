"""The section `evaluate_oneclass_scores` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from overgen.run.sections import Section, distinct

PixelScore = Literal[
    "knn_pixels", "k_means_pixels", "pca_pixels", "autoencoder_pixels", "other_uniform_pixels", "other_shuffled_pixels",
]  # fmt: skip


class EvaluateOneclassScores(Section):
    """Scores of pixels that can be fitted on one class; their options are those of evaluate_scores."""

    methods: Annotated[list[PixelScore], Field(min_length=1), AfterValidator(distinct)]
