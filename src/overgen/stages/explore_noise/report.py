"""What networks make of noise, on the guided page of the manifold."""

from __future__ import annotations

import pandas as pd

from overgen.report.claims import Claim, verdict
from overgen.report.glance import best_row
from overgen.report.names import model_name
from overgen.report.study import Row, Study, rising
from overgen.report.tables import MODEL, Table, at_tau, column, measured, n_text, number, pivot
from overgen.stages.explore_noise import figures

PAGE = "manifold"
FIRST_SEED = True
CHOICES = [
    ("What a random image is", "every pixel uniform in [0, 1]; the volume is a share of the cube of all such images"),
]
CALLED = 5.0  # percent of noise, beyond which a network calls noise a class
VOLUME = -6.0  # log10: one image in a million
CLASSIFIER, AUTOENCODER = "cnn", "dae_sym"  # which the claims are tested on


def largest(study: Study) -> str:
    """The largest τ of the stage, as text."""
    return rising(study.rows(experiment="noise")["tau"])[-1]


def most(study: Study, model: str, score: str) -> Row | None:
    """Of a network the kind of noise that it calls a class most often, at the largest τ."""
    return best_row(study, experiment="noise", metric="called_a_class", model=model, score=score, tau=largest(study))


def a_random_image_is_noise(study: Study) -> Claim | None:
    """The volume that the dAE accepts. What is no number but a bound from above can only hold."""
    of = {"experiment": "volume", "metric": "log_volume", "score": "scaled", "model": AUTOENCODER}
    row = study.find(**of, tau=largest(study))
    if row is None:
        return None
    says = "A random image is noise: what a denoising autoencoder takes for a picture of a class fills almost nothing."
    test = (
        "Holds if log₁₀ of the share of the cube of all images where ỹ > τ, at the largest τ, lies below −6 with its "
        "whole 95 % interval over runs (one image in a million), or is bounded below it where the levels end first; "
        "contradicted if above."
    )
    if pd.isna(row["reproduced"]):
        found = "holds" if row["high"] < VOLUME else "cannot tell"
        text = f"log₁₀ is at most {number(row['high'], 'log_volume', row['unit'])}".replace("-", "−")
    else:
        found, text = verdict(row, below=VOLUME), "log₁₀ of the share is {number}"
    number_of = f"{text}, {{n}} runs, {model_name(AUTOENCODER)} at {at_tau(row['tau'])}"
    return Claim(says, test, found, number_of, row, "volumes")


def classifiers_call_noise_a_class(study: Study) -> Claim | None:
    """Of noise that the plain network is sure of."""
    row = most(study, CLASSIFIER, "y")
    if row is None:
        return None
    return Claim(
        says="Who can tell classes apart need not know what belongs to none: a classifier calls noise a class.",
        test="Holds if the CNN gives y > τ, at the largest τ, to more than 5 % of the kind of noise that it calls a "
        "class most often (whole 95 % interval); contradicted if to less.",
        verdict=verdict(row, above=CALLED),
        number=f"{{number}} of {{n}} images, {figures.KIND_NAMES[row['on']]}, {model_name(CLASSIFIER)} at "
        f"{at_tau(row['tau'])}",
        row=row,
        figure="noise_called_a_class",
    )


def scaled_output_knows_noise(study: Study) -> Claim | None:
    """Of noise that the dAE accepts."""
    row = most(study, AUTOENCODER, "scaled")
    if row is None:
        return None
    return Claim(
        says="Who has learned what the data look like knows noise for noise.",
        test="Holds if the denoising autoencoder's ỹ > τ, at the largest τ, for less than 5 % of the kind of noise "
        "that it accepts most (whole 95 % interval); contradicted if for more.",
        verdict=verdict(row, below=CALLED),
        number=f"{{number}} of {{n}} images, {figures.KIND_NAMES[row['on']]}, {model_name(AUTOENCODER)} at "
        f"{at_tau(row['tau'])}",
        row=row,
        figure="noise_called_a_class",
    )


def noise_called(study: Study) -> Table:
    """How much noise is called a class: a row a network, score and τ."""
    rows = study.rows(experiment="noise")
    columns = [column(f"{name}, %", "called_a_class", on=kind) for kind, name in figures.KIND_NAMES.items()]
    columns.append(column("n", "called_a_class", on="uniform", show=n_text))
    labels = MODEL | {"score": lambda row: f"{figures.SCORE_NAMES[row['score']]} > {row['tau']}"}
    return pivot(study, "noise_called", rows, ("model", "score", "tau"), labels, columns, of={"experiment": "noise"})


def noise_volumes(study: Study) -> Table:
    """The volumes, a row a network, score and τ, beside plain sampling."""
    rows = study.rows(experiment="volume")
    columns = [
        column("log₁₀ of the share", "log_volume", show=or_bound),
        column("runs", "log_volume", show=n_text),
        column("spent on it", "log_volume", show=lambda row: row["note"].split("; ")[-1] if row else "–"),
        column("plain sampling, %", "called_a_class", experiment="noise", on="uniform"),
    ]
    labels = MODEL | {"score": lambda row: f"{figures.SCORE_NAMES[row['score']]} > {row['tau']}"}
    of = {"experiment": "volume"}
    return pivot(study, "noise_volumes", rows, ("model", "score", "tau"), labels, columns, of=of)


def balls(study: Study) -> Table:
    """The check of the estimator, a row a ball."""
    rows = study.rows(experiment="volume_check")
    columns = [
        column("exact log₁₀", "log_volume", show=lambda row: row["note"].split("exact: ")[-1] if row else "–"),
        column("estimated", "log_volume"),
        column("runs", "log_volume", show=n_text),
    ]
    labels = {"dimension": lambda row: row["dimension"]}
    of = {"experiment": "volume_check", "model": "networks", "on": "ball"}
    return pivot(study, "balls", rows, ("dimension",), labels, columns, of=of)


def or_bound(row: Row | None) -> str:
    """A volume, or how small it is at least."""
    if row is not None and pd.isna(row["reproduced"]):
        return f"at most {number(row['high'], 'log_volume', row['unit'])}".replace("-", "−")
    return measured(row).replace("-", "−")


TABLES = (noise_called, noise_volumes, balls)
FIGURES = (figures.noise_called_a_class, figures.surest_noise, figures.volumes, figures.images_called_a_class)
CLAIMS = (a_random_image_is_noise, classifiers_call_noise_a_class, scaled_output_knows_noise)
