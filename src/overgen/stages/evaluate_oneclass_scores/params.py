"""The section `evaluate_oneclass_scores` of params.yaml."""

from __future__ import annotations

from typing import Literal

from overgen.run.sections import Distinct, Section

PixelScore = Literal[
    "knn_pixels", "k_means_pixels", "pca_pixels", "autoencoder_pixels", "other_uniform_pixels", "other_shuffled_pixels",
]  # fmt: skip


class EvaluateOneclassScores(Section):
    """Scores of pixels that can be fitted on one class; their options are those of evaluate_scores."""

    methods: Distinct[PixelScore]


SECTION = EvaluateOneclassScores
