"""Paths from one image to another, in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, at_tau, column, pivot
from overgen.stages.explore_paths import figures
from overgen.stages.explore_paths.figures import way_name

PAGE = "manifold"
FIRST_SEED = True
CHOICES = [
    (
        "Distance to the data along a path",
        "to the nearest of {explore_paths.DATASET.reference_images} training images that no geodesic goes through",
    ),
    (
        "Geodesics",
        "shortest paths in the graph that joins each of {explore_paths.DATASET.graph_images} training images to its "
        "{explore_paths.DATASET.neighbours} nearest, straight between them",
    ),
]
HALF = 50  # percent of the pairs


def number(study: Study, metric: str, way: str, pairs: str = "across") -> Row | None:
    """A number of this stage."""
    return study.first(experiment="paths", model="networks", metric=metric, way=way, pairs=pairs)


def latent(study: Study) -> str:
    """The first network in whose code lines are drawn."""
    return str(study.settings[f"explore_paths.{study.dataset}.latents"][0])


def lines_leave_the_data(study: Study) -> Claim | None:
    """That the data lie on surfaces that are not flat."""
    row = number(study, "distance_rise", "pixels")
    if row is None:
        return None
    return Claim(
        says="A straight line in pixels from one class to another leaves the data.",
        test="Holds if half-way the distance to the nearest training image exceeds that of the two ends, by the 95 % "
        "interval over pairs of classes; contradicted if it falls short; else it cannot be told.",
        verdict=verdict(row, above=0),
        number="half-way the nearest training image is {number} farther than at the ends (mean of {n} pairs)",
        row=row,
        figure="path_curves",
    )


def latents_stay_nearer(study: Study) -> Claim | None:
    """That codes are flatter than pixels."""
    way = latent(study)
    row = number(study, "distance_rise_beyond_pixels", way)
    if row is None:
        return None
    return Claim(
        says=f"A straight line in the code of an autoencoder leaves them less ({model_name(way)}).",
        test="Holds if the same excess, each line against its own ends, is smaller than in pixels of the same pairs, "
        "by the 95 % interval of the difference over pairs of classes; contradicted if larger; else it cannot be told.",
        verdict=verdict(row, below=0),
        number="{number} against pixels (mean of {n} pairs)",
        row=row,
        figure="path_curves",
    )


def geodesics_stay_nearer(study: Study) -> Claim | None:
    """That there is a way from class to class along the data."""
    row = number(study, "distance_rise_beyond_pixels", "geodesic")
    if row is None:
        return None
    return Claim(
        says="A path along nearest neighbours stays nearer to data that it was not made of.",
        test="Holds if the excess is smaller than on the straight line in pixels, by the 95 % interval of the "
        "difference over pairs of classes; contradicted if larger; else it cannot be told.",
        verdict=verdict(row, below=0),
        number="{number} against pixels (mean of {n} pairs)",
        row=row,
        figure="path_curves",
    )


def reconstruction_tells(study: Study) -> Claim | None:
    """That the error of an autoencoder is a distance to the data."""
    row = number(study, "error_rise", "pixels")
    if row is None:
        return None
    return Claim(
        says="A denoising autoencoder sees that the line leaves: it reconstructs the middle worse than the ends.",
        test="Holds if half-way ‖r(x) − x‖ exceeds that of the two ends, by the 95 % interval over pairs of classes; "
        "contradicted if it falls short; else it cannot be told.",
        verdict=verdict(row, above=0),
        number="half-way ‖r(x) − x‖ is {number} more than at the ends (mean of {n} pairs)",
        row=row,
        figure="path_curves",
    )


def classifier_is_sure_half_way(study: Study) -> Claim | None:
    """Overgeneralisation between classes."""
    row = number(study, "middle_sure", "pixels")
    if row is None:
        return None
    return Claim(
        says="A classifier is sure of most images half-way between two classes.",
        test=f"Holds if the 95 % interval over pairs of classes of how many have y above the largest τ lies above "
        f"{HALF} %; contradicted if below; else it cannot be told.",
        verdict=verdict(row, above=HALF),
        number=f"{{number}} of {{n}} at {at_tau(row['tau'])}",
        row=row,
        figure="path_curves",
    )


def confidence_rejects_half_way(study: Study) -> Claim | None:
    """What c̃ adds there."""
    row = number(study, "middle_scaled_sure", "pixels")
    if row is None:
        return None
    return Claim(
        says="With its confidence a denoising autoencoder rejects most of them.",
        test=f"Holds if the 95 % interval over pairs of classes of how many have ỹ above the largest τ lies below "
        f"{HALF} %; contradicted if above; else it cannot be told.",
        verdict=verdict(row, below=HALF),
        number=f"ỹ passes for {{number}} of {{n}} at {at_tau(row['tau'])}",
        row=row,
        figure="path_curves",
    )


def path_middles(study: Study) -> Table:
    """What is measured half-way, by way."""
    rows = study.rows(experiment="paths", model="networks", metric="middle_distance")
    tau = str(next(iter(study.rows(experiment="paths", metric="middle_sure")["tau"])))
    columns = [
        column("distance to the data", "middle_distance"),
        column("more than at the ends", "distance_rise"),
        column("‖r(x) − x‖", "middle_error"),
        column("more than at the ends", "error_rise"),
        column(f"y > {tau}, %", "middle_sure", tau=tau),
        column(f"ỹ > {tau}, %", "middle_scaled_sure", tau=tau),
        column("answer of an end, %", "middle_of_ends"),
    ]
    labels = {
        "pairs": lambda row: {"within": "of one class", "across": "of two classes"}[row["pairs"]],
        "way": lambda row: way_name(row["way"]),
    }
    return pivot(study, "path_middles", rows, ["experiment", "model", "pairs", "way"], labels, columns)


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    return {"settings": study.section(f"explore_paths.{study.dataset}")}


CLAIMS = (
    lines_leave_the_data,
    latents_stay_nearer,
    geodesics_stay_nearer,
    reconstruction_tells,
    classifier_is_sure_half_way,
    confidence_rejects_half_way,
)
TABLES = (path_middles,)
FIGURES = (figures.path_curves, figures.path_pictures)
