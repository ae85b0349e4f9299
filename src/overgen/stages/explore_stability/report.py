"""Whether misclassified neighbours have almost no measure, on the guided page of the manifold."""

from __future__ import annotations

import pandas as pd

from overgen.report.claims import Claim, verdict
from overgen.report.glance import best_row
from overgen.report.names import model_name, number
from overgen.report.study import Row, Study
from overgen.report.tables import MODEL, Table, column, measured, n_text, pivot
from overgen.stages.explore_stability import figures

PAGE = "manifold"
CHOICES = [
    (
        "(1 − ε)ⁿ",
        "n random pixels are replaced by uniform noise; ε by maximum likelihood from the number of pixels at which an "
        "image first loses its label",
    ),
]
CHANGED = 1.0  # percent of labels that noise changes
GAP = 5.0  # percentage points, as far as the law may be off


def misclassified_neighbours_have_no_measure(study: Study) -> Claim | None:
    """Noise as large as the smallest change that fools, of the network whose labels it changes most."""
    row = best_row(study, experiment="lbfgs_noise", metric="label_changed", rms="")
    if row is None:
        return None
    return Claim(
        says="Misclassified neighbours have almost no measure: noise as large as the change that fools is harmless.",
        test="Holds if Gaussian noise of the same norm as the smallest change that was found changes fewer than 1 % of "
        "the labels of the network whose labels it changes most (whole 95 % interval over images); contradicted if "
        "more.",
        verdict=verdict(row, below=CHANGED),
        number=f"{{number}} of {{n}} noisy images, {model_name(row['model'])}",
        row=row,
        figure="power_law",
    )


def stability_is_a_power(study: Study) -> Claim | None:
    """The law on the network that it fits worst."""
    row = best_row(study, experiment="power_law", metric="largest_gap")
    if row is None:
        return None
    return Claim(
        says="Each changed pixel endangers the label alike: it outlives n of them with probability (1 − ε)ⁿ.",
        test="Holds if on the network that the law fits worst the share of labels kept lies nowhere further from it "
        "than 5 percentage points (whole 95 % interval over images); contradicted if it lies further.",
        verdict=verdict(row, below=GAP),
        number=f"{{number}} percentage points, {{n}} images, {model_name(row['model'])}",
        row=row,
        figure="power_law",
    )


def noise_as_large(study: Study) -> Table:
    """The smallest change that fools, and how often noise as large changes a label, a row a network."""
    rows = study.rows(experiment="lbfgs_noise", metric="label_changed", rms="")
    columns = [
        column("smallest change that fools, rms of a pixel", "mean_distortion", show=alone, experiment="lbfgs"),
        column("label changed by noise as large, %", "label_changed"),
        column("noisy images", "label_changed", show=n_text),
    ]
    return pivot(study, "noise_as_large", rows, ("model",), MODEL, columns, of={"experiment": "lbfgs_noise"})


def alone(row: Row | None) -> str:
    """A measured number without what becomes of the reported one, which the report says."""
    return measured(None if row is None else {**row, "verdict": ""})


def power_laws(study: Study) -> Table:
    """What was fitted, a row a network."""
    rows = study.rows(experiment="power_law")
    columns = [
        column("ε", "epsilon"),
        column("k of exp(−(λn)ᵏ)", "exponent"),
        column("largest gap to (1 − ε)ⁿ, percentage points", "largest_gap"),
        column("χ² test of (1 − ε)ⁿ", "p", show=test),
        column("images", "epsilon", show=n_text),
    ]
    return pivot(study, "power_laws", rows, ("model",), MODEL, columns, of={"experiment": "power_law"})


def test(row: Row | None) -> str:
    """χ², its degrees of freedom and p."""
    if row is None or pd.isna(row["reproduced"]):
        return "–"
    p = "p < 0.0001" if row["reproduced"] < 1e-4 else f"p = {number(row['reproduced'], 'p', row['unit'])}"
    return f"{p} ({row['note']})"


TABLES = (noise_as_large, power_laws)
FIGURES = (figures.power_law, figures.exponents)
CLAIMS = (misclassified_neighbours_have_no_measure, stability_is_a_power)
