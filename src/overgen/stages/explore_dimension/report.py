"""How many dimensions images have, in the report."""

from __future__ import annotations

from typing import Any

from overgen.data.scene import SIDE
from overgen.measures.dimension import SCALES
from overgen.report.claims import Claim, verdict
from overgen.report.study import Row, Study
from overgen.report.tables import Table, column, pivot
from overgen.stages.explore_dimension import figures
from overgen.stages.explore_dimension.figures import ESTIMATOR_NAMES, MANIFOLD_NAMES, VARIED_NAMES

PAGE = "manifold"
CHOICES = [
    (
        "Estimators of dimension",
        "two nearest neighbours without the tenth of the largest ratios; maximum likelihood over "
        "{explore_dimension.DATASET.neighbours} neighbours, inverse estimates averaged; correlation dimension between "
        f"the median distances to the {SCALES[0]}th and {SCALES[1]}th neighbour",
    ),
]
ALMOST_NONE = 5  # percent of the pixels
NEAR = 20  # percent of seven


def number(study: Study, metric: str, **of: str) -> Row | None:
    """A number of this stage."""
    return study.find(experiment="dimension", model="images", metric=metric, **of)


def almost_no_dimension(study: Study) -> Claim | None:
    """The lectures' first claim on the manifold."""
    row = number(study, "share_of_pixels", estimator="two_nn")
    if row is None:
        return None
    return Claim(
        says="Images of one class have almost no dimension.",
        test="Holds if the 95 % interval over classes of the dimension by two nearest neighbours lies below "
        f"{ALMOST_NONE} % of the number of pixels; contradicted if above; else it cannot be told.",
        verdict=verdict(row, below=ALMOST_NONE),
        number="the dimension of a class is {number} of the number of pixels (mean of {n} classes)",
        row=row,
        figure="dimension_by_class",
    )


def more_images_more_dimensions(study: Study) -> Claim | None:
    """That an estimate is of a number of images."""
    row = number(study, "growth", estimator="mle")
    if row is None:
        return None
    return Claim(
        says="An estimate has not settled: more images of a class find more dimensions.",
        test="Holds if the 95 % interval over classes of how many times the estimate by maximum likelihood grows, from "
        "the smallest parts to the whole class, lies above 1; contradicted if below; else it cannot be told.",
        verdict=verdict(row, above=1),
        number="{number} times (mean of {n} classes)",
        row=row,
        figure="dimension_with_n",
    )


def mixed_classes_mislead(study: Study) -> Claim | None:
    """That one estimator goes down where others go up."""
    row = number(study, "mixed_growth", estimator="correlation")
    if row is None:
        return None
    return Claim(
        says="Of mixed classes the correlation dimension falls with more images.",
        test="Holds if the 95 % interval over parts of how many times it grows, from the smallest to the largest parts "
        "of all classes together, lies below 1; contradicted if above; else it cannot be told.",
        verdict=verdict(row, below=1),
        number="{number} times (mean of {n} parts)",
        row=row,
        figure="dimension_with_n",
    )


def views_have_about_seven(study: Study) -> Claim | None:
    """A blogger's claim on views of a fixed scene."""
    row, estimate = number(study, "views_off", estimator="two_nn"), number(
        study, "views_dimension", of="all", estimator="two_nn"
    )  # fmt: skip
    if row is None or estimate is None:
        return None
    return Claim(
        says="Views of a fixed scene have about seven dimensions: those of turning, shifting and lighting it.",
        test=f"Holds if the 95 % interval over draws of the distance of the estimate by two nearest neighbours from "
        f"seven lies below {NEAR} % of seven; contradicted if above; else it cannot be told.",
        verdict=verdict(row, below=NEAR),
        number=f"the estimate is {estimate['reproduced']:.1f}, which is {{number}} from seven (mean of {{n}} draws)",
        row=row,
        figure="views_dimension",
    )


def dimension_with_images(study: Study) -> Table:
    """The estimates by the number of images, of a class and of all together."""
    rows = study.rows(experiment="dimension", metric=("mean_dimension", "mixed_dimension"), estimator="two_nn")
    labels = {
        "of": lambda row: "a class (mean)" if row["metric"] == "mean_dimension" else "all classes together",
        "images": lambda row: f"{int(row['images']):,}" if row["images"].isdigit() else "all of the class",
    }
    lines = [by_estimator(study, rows[rows["metric"] == metric], labels, metric)
             for metric in ("mean_dimension", "mixed_dimension")]  # fmt: skip
    return joined("dimension_with_images", study, lines)


def known_dimensions(study: Study) -> Table:
    """What the estimators find where the answer is known."""
    rows = study.rows(experiment="dimension", metric="known_dimension", estimator="two_nn")
    labels = {"cloud": lambda row: MANIFOLD_NAMES.get(row["of"], row["of"])}
    return by_estimator(study, rows, labels, "known_dimension")._replace(name="known_dimensions")


def views_dimensions(study: Study) -> Table:
    """What they find for views of the object, by what varies."""
    lines = []
    for metric in ("views_dimension", "views_dimension_together"):
        rows = study.rows(experiment="dimension", metric=metric, estimator="two_nn")
        labels = {
            "what varies": lambda row: VARIED_NAMES.get(row["of"], row["of"]),
            "views": lambda row: row["note"].partition("; ")[2] or row["note"],
        }
        lines.append(by_estimator(study, rows, labels, metric))
    return joined("views_dimensions", study, lines)


def by_estimator(study: Study, rows: Any, labels: Any, metric: str) -> Table:
    """A table with a column for each estimator."""
    columns = [column(name, metric, estimator=key) for key, name in ESTIMATOR_NAMES.items()]
    return pivot(study, metric, rows, ("experiment", "model", "of", "images"), labels, columns)


def joined(name: str, study: Study, tables: list[Table]) -> Table:
    """Tables with the same columns as one."""
    import pandas as pd

    first, *others = (table.markdown for table in tables if table.markdown)
    body = [text.split("\n", 2)[2] for text in others]
    return Table(name, "\n".join([first, *body]), pd.concat([table.rows for table in tables]))


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    return {"settings": study.section(f"explore_dimension.{study.dataset}"), "width": SIDE**2}


CLAIMS = (almost_no_dimension, more_images_more_dimensions, mixed_classes_mislead, views_have_about_seven)
TABLES = (dimension_with_images, known_dimensions, views_dimensions)
FIGURES = (
    figures.dimension_by_class,
    figures.dimension_with_n,
    figures.local_dimension,
    figures.scene_views,
    figures.views_dimension,
)
