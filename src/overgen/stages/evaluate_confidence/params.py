"""The section `evaluate_confidence` of params.yaml."""

from __future__ import annotations

from overgen.run.sections import Count, Section


class EvaluateConfidence(Section):
    noise_images: Count
    bins: Count  # of the reliability diagrams; histograms of distances have four times as many


SECTION = EvaluateConfidence
