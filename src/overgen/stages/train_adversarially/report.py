"""Training on adversarial examples in the report."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from overgen.report.claims import QUESTIONS, Claim, verdict
from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Study
from overgen.report.tables import Labels, Table, column, entry, markdown_table, measured, pivot
from overgen.stages.train_adversarially import figures
from overgen.stages.train_adversarially.figures import training_name
from overgen.stages.train_adversarially.summary import EXPERIMENT

CHOICES = [
    (
        "Pools of adversarial examples",
        "{train_adversarially.DATASET.pools.size} examples a level, {train_adversarially.DATASET.pools.replaced} tried "
        "anew before each epoch, {train_adversarially.DATASET.pools.share} of each in a step beside "
        "{train_adversarially.DATASET.batch_size} images; targets at random; of "
        "c = {train_adversarially.DATASET.pools.c} and factors of 10 from there the best of "
        "{train_adversarially.DATASET.pools.minimisations}, "
        "{train_adversarially.DATASET.pools.iterations} iterations each",
    ),
    (
        "Trainings beside each other",
        "Adam in float32, learning rate {train_adversarially.DATASET.learning_rate}, falling to 0 on a line, "
        "{train_adversarially.DATASET.epochs} epochs; λ, dropout and the weight of the examples: the best of the "
        "settings tried on {train_adversarially.DATASET.held_out} held-out training images",
    ),
]
NUMBERS = {
    "test_error": "test error %",
    "train_error": "training error %",
    "held_out_error": "held-out error % (one seed)",
    "mean_distortion": "smallest distortion",
    "fooling_rate": "succeeded %",
}
DIFFERENCES = {"error_difference": "test error, percentage points", "distortion_difference": "smallest distortion, rms"}


def adversarial(study: Study) -> Table:
    """Errors and smallest distortions, a row a training."""
    rows = study.rows(experiment=EXPERIMENT, metric="test_error")
    columns = [column(head, metric, show=entry) for metric, head in NUMBERS.items()]
    labels: Labels = {"training": lambda row: training_name(row["training"])}
    return pivot(study, "adversarial", rows, ("model", "training"), labels, columns, of={"experiment": EXPERIMENT})


def adversarial_differences(study: Study) -> Table:
    """What each training changes against each before it, on the same images."""
    rows = study.rows(experiment=EXPERIMENT, metric="error_difference")
    columns = [column(head, metric, show=measured) for metric, head in DIFFERENCES.items()]
    labels: Labels = {
        "training": lambda row: training_name(row["training"]),
        "minus": lambda row: training_name(row["than"]),
    }
    by, of = ("model", "training", "than"), {"experiment": EXPERIMENT}
    return pivot(study, "adversarial_differences", rows, by, labels, columns, of=of)


def below_weight_decay(study: Study) -> Claim | None:
    """Question 9a."""
    says = "Training on adversarial examples lowers the test error below that of weight decay."
    test = "Examples of every layer against weight decay alone, the same test images: holds below 0, contradicted above"
    return claim(study, says, test, "error_difference", training="adversarial", than="weight_decay", below=0.0)


def below_dropout(study: Study) -> Claim | None:
    """Question 9b."""
    says = "Training on adversarial examples lowers the test error below that of dropout."
    test = "Examples of every layer against dropout, the same test images: holds below 0, contradicted above"
    return claim(study, says, test, "error_difference", training="adversarial", than="dropout", below=0.0)


def hidden_layers_needed(study: Study) -> Claim | None:
    """Question 9c."""
    says = "Examples of the hidden layers are needed: with those of the pixels alone the test error is higher."
    test = (
        "Examples of the pixels alone against those of every layer, the same test images: holds above 0, contradicted "
        "below"
    )
    return claim(study, says, test, "error_difference", training="adversarial_pixels", than="adversarial", above=0.0)


def larger_changes(study: Study) -> Claim | None:
    """Question 9d."""
    says = "A network that is trained on adversarial examples needs larger changes."
    test = (
        "The smallest changes of the same test images to the same targets, with examples of every layer against weight "
        "decay alone: holds above 0, contradicted below"
    )
    return claim(study, says, test, "distortion_difference", training="adversarial", than="weight_decay", above=0.0)


def claim(study: Study, says: str, test: str, metric: str, *, training: str, than: str, **limit: float) -> Claim | None:
    """A claim about the difference of two trainings. metric: of `DIFFERENCES`; limit: of `claims.verdict`."""
    row = study.first(experiment=EXPERIMENT, metric=metric, training=training, than=than)
    if row is None:
        return None
    unit = "percentage points" if metric == "error_difference" else "(rms)"
    return Claim(
        says=says,
        test=f"{test} (whole 95 % interval of the mean difference over pairs).",
        verdict=verdict(row, **limit),
        number=f"{{number}} {unit}, {training_name(training)} minus {training_name(than)}, {{n}} pairs",
        row=row,
        figure="adversarial_errors",
        source=QUESTIONS,
    )


def context(study: Study) -> dict[str, Any]:
    """The settings that were tried on held-out images, as a table in Markdown, "" without a cell; and the trainings
    whose training error rose and whose best setting has the least weight of examples: a smaller one was not tried."""
    cells = study.cells("train_adversarially")
    if not cells:
        return {"adversarial_settings": "", "adversarial_model": "", "adversarial_at_end": []}
    table = next(iter(cells.values())).table("settings")
    lines = [
        [training_name(row["training"]), f"`{row['options']}`", f"{100 * row['wrong'] / row['held_out']:.2f}",
         "✓" if row["taken"] else ""]
        for row in records(table)
    ]  # fmt: skip
    test = study.first(experiment=EXPERIMENT, metric="test_error")
    header = ["training", "setting", f"error % on {table['held_out'].iloc[0]:,} held-out images", "taken"]
    return {
        "adversarial_settings": markdown_table(lines, header),
        "adversarial_model": model_name(test["model"]) if test else "",
        "adversarial_at_end": [training_name(name) for name in at_least_weight(study, table)],
    }


def at_least_weight(study: Study, settings: pd.DataFrame) -> list[str]:
    """The trainings with examples whose best setting has the least weight of those tried, and whose training error is
    above that of weight decay. settings: settings.csv of the cell."""
    errors = {row["training"]: row["reproduced"] for row in study.select(experiment=EXPERIMENT, metric="train_error")}
    weights = settings["options"].map(lambda options: json.loads(options).get("weight"))
    found = []
    for name, of in settings.assign(weight=weights).dropna(subset="weight").groupby("training", sort=False):
        least = of.loc[of["taken"], "weight"].min() == of["weight"].min() < of["weight"].max()
        if least and errors.get(str(name), 0.0) > errors.get("weight_decay", math.inf):
            found.append(str(name))
    return found


CLAIMS = (below_weight_decay, below_dropout, hidden_layers_needed, larger_changes)
TABLES = (adversarial, adversarial_differences)
FIGURES = (figures.adversarial_errors,)
