"""How far scores can be trusted, in the report."""

from __future__ import annotations

from overgen.report.findings import Finding, how_often, known
from overgen.report.glance import best_row, largest_tau
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.tables import Table, at_tau, by_metric
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


def plain_noise(study: Study) -> Finding | None:
    """The network that accepts uniform noise most often."""
    of = {"experiment": "confidence", "metric": "noise_accepted", "on": "uniform-noise"}
    row = best_row(study, **of, alpha="", tau=largest_tau(study))
    if row is None or not known(row):
        return None
    name = model_name(row["model"])
    says = f"Noise made for no network {how_often(row)} passes the network that accepts most of it, {name}."
    number = f"{{number}} of {{n}} images of uniform noise at {at_tau(row['tau'])}"
    return Finding(says, number, row, "reliability", "confidence")


FINDINGS = (plain_noise,)
TABLES = (curvature, confidence)
FIGURES = (figures.reliability, figures.distances)
