"""How far scores can be trusted, in the report."""

from __future__ import annotations

from overgen.report.study import Study
from overgen.report.tables import Table, by_metric
from overgen.stages.evaluate_confidence import figures

CHOICES = [
    ("Where r(x) is evaluated", "on the clean image"),
    (
        "Trace in Eq. 5",
        "exact, except where an estimate from {engine.DATASET.probes} random probes lies more than 6 of its "
        "standard errors below 0, so that Γ = 1 either way",
    ),
    ("α and β of the scaled output", "β = {confidence.DATASET.beta}; (τ, α) = {confidence.DATASET.thresholds}"),
]


def curvature(study: Study) -> Table:
    """How often γ > 0, that is, how often Γ of Eq. 4 takes part at all."""
    return by_metric("curvature", study.rows(experiment="curvature"))


def confidence(study: Study) -> Table:
    """How well the scores are calibrated on test images, and how much noise is accepted."""
    return by_metric("confidence", study.rows(experiment="confidence"))


TABLES = (curvature, confidence)
FIGURES = (figures.reliability, figures.distances)
