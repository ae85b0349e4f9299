"""The linear classifier of the paper's Figure 1, on the guided page of the manifold."""

from __future__ import annotations

from overgen.report.claims import Claim, verdict
from overgen.report.glance import best_row
from overgen.report.study import Study, rising
from overgen.report.tables import Table, at_tau, column, n_text, pivot
from overgen.stages.explore_linear import figures

PAGE = "manifold"
CHOICES = [
    (
        "The linear classifier of Figure 1",
        "logistic regression on raw pixels, C = {explore_linear.DATASET.inverse_decays}, the first for figures and "
        "claims; classes {explore_linear.DATASET.classes}",
    ),
]
HALF = 50.0  # percent of the images


def smallest(study: Study) -> str:
    """The smallest τ of the stage, as text."""
    return rising(study.rows(experiment="linear")["tau"])[0]


def sure_of_other_classes(study: Study) -> Claim | None:
    """The mean over the other classes at the smallest τ."""
    row = study.find(experiment="linear", metric="sure", on="other-class", model="images", tau=smallest(study))
    if row is None:
        return None
    return Claim(
        says="A linear classifier of two classes is sure of what is neither.",
        test="Holds if the mean share of test images of the other classes that get y > τ, at the smallest τ, lies "
        "above 50 % with its whole 95 % interval over classes; contradicted if below.",
        verdict=verdict(row, above=HALF),
        number=f"{{number}} of their images, mean over {{n}} classes, at {at_tau(row['tau'])}",
        row=row,
        figure="linear_plane",
    )


def sure_of_noise(study: Study) -> Claim | None:
    """The kind of noise that it is sure of most often, at the smallest τ."""
    kinds = tuple(figures.KIND_NAMES)
    row = best_row(study, experiment="linear", metric="sure", on=kinds, tau=smallest(study), c="")
    if row is None:
        return None
    return Claim(
        says="It is sure of noise, too: far from the boundary y is near 1 whatever is there.",
        test="Holds if the kind of noise that most often gets y > τ, at the smallest τ, gets it in more than 50 % of "
        "the images (whole 95 % interval); contradicted if in fewer.",
        verdict=verdict(row, above=HALF),
        number=f"{{number}} of {{n}} images, {figures.KIND_NAMES[row['on']]}, at {at_tau(row['tau'])}",
        row=row,
        figure="linear_shares",
    )


def linear(study: Study) -> Table:
    """What the classifiers get right and are sure of, a row an inverse decay and τ."""
    rows = study.rows(experiment="linear", metric="sure")
    columns = [
        column("accuracy on the two, %", "accuracy", tau=""),
        column("sure of other classes, %", "sure", on="other-class"),
        column("classes", "sure", on="other-class", show=n_text),
        *(column(f"{name}, %", "sure", on=kind) for kind, name in figures.KIND_NAMES.items()),
        column("images of each noise", "sure", on="uniform", show=n_text),
    ]
    labels = {"C": lambda row: row["c"] or "the study's", "τ": lambda row: row["tau"]}
    of = {"experiment": "linear", "model": "images"}
    return pivot(study, "linear", rows, ("c", "tau"), labels, columns, of=of)


TABLES = (linear,)
FIGURES = (figures.linear_plane, figures.linear_shares)
CLAIMS = (sure_of_other_classes, sure_of_noise)
