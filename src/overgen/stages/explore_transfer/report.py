"""What the code of an autoencoder is good for besides copying, on the guided page of autoencoders."""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, column, measured, pivot
from overgen.stages.explore_transfer import figures
from overgen.stages.explore_transfer.names import CODE, PCA, PIXELS, SCRATCH, feature_name

PAGE = "autoencoder"
FIRST_SEED = True
FEW, FIRST = "100", "10"  # labels, and answers, at which claims are tested
CHOICES = [
    (
        "A new head on a code",
        "logistic regression with C = {explore_transfer.DATASET.inverse_decay} on features around their mean, divided "
        "by one number so that their mean squared length is 1; C was chosen on digits",
    ),
    (
        "A network from scratch",
        "a perceptron with the layers of the autoencoder's encoder, trained on the labelled images alone by Adam "
        "in {explore_transfer.DATASET.scratch_updates} updates; no convolutions",
    ),
]


def few_labels(study: Study) -> Claim | None:
    """Against pixels, with ten labels a class of ten."""
    return above_0(
        number(study, "accuracy_gain", over=PIXELS, labels=FEW),
        "A code that was learned without labels needs fewer labels than pixels do.",
        f"With {FEW} labelled images, accuracy by the code minus accuracy by pixels, both by logistic regression on "
        "the same images.",
        "transfer_labels",
    )


def better_than_pca(study: Study) -> Claim | None:
    """Against principal components of the same number."""
    return above_0(
        number(study, "accuracy_gain", over=PCA, labels=FEW),
        "The code of an autoencoder serves a new task better than as many principal components.",
        f"With {FEW} labelled images, accuracy by the code minus accuracy by PCA.",
        "transfer_labels",
    )


def better_than_scratch(study: Study) -> Claim | None:
    """Against a network of the encoder's layers that sees these images only."""
    return above_0(
        number(study, "accuracy_gain", over=SCRATCH, labels=FEW),
        "With few labels, an encoder that is there already beats a network that is trained from scratch.",
        f"With {FEW} labelled images, accuracy of a new head on the code minus accuracy of a network with the "
        "encoder's layers, trained on these images alone.",
        "transfer_labels",
    )


def finds_images(study: Study) -> Claim | None:
    """Search by distance, against pixels."""
    return above_0(
        number(study, "precision_gain", over=PIXELS, at=FIRST),
        "Distances in the code find images of the same kind better than distances in pixels.",
        f"Of the first {FIRST} answers, the share that is of the query's class, by the code minus by pixels.",
        "search_answers",
        over="classes",
    )


def easier_higher_up(study: Study) -> Claim | None:
    """By a linear decoder of each layer of the denoising autoencoder, which has seen labels."""
    return above_0(
        number(study, "layer_gain", network="dae_sym"),
        "The higher the layer of a network that has learned classes, the more plainly the class can be read from it.",
        "Accuracy of a linear decoder of the top hidden layer of the dAE minus that of its first layer.",
        "transfer_layers",
        of=", dAE sym",
    )


def easier_without_labels(study: Study) -> Claim | None:
    """The same of the autoencoders that have seen none."""
    return above_0(
        number(study, "layer_gain", network=CODE),
        "Without labels, too: the class can be read more plainly from the code than from the layer before it.",
        "Accuracy of a linear decoder of the autoencoder's code minus that of its first hidden layer.",
        "transfer_layers",
    )


def above_0(
    row: Row | None, says: str, difference: str, figure: str, *, over: str = "draws", of: str = ""
) -> Claim | None:
    """A claim that a difference lies above 0.

    difference: what is subtracted from what; over: what the mean is over; of: what follows the number.
    """
    if row is None:
        return None
    test = f"{difference} Holds if the 95 % interval over {over} lies above 0; contradicted if below."
    number = f"{{number}} percentage points over {{n}} {over}{of}"
    return Claim(says, test, verdict(row, above=0), number, row, figure)


def number(study: Study, metric: str, **keys: str) -> Row | None:
    """A number of this stage."""
    return study.first(experiment="transfer_learning", metric=metric, **keys)


def transfer_learning(study: Study) -> Table:
    """Accuracy by features, a line, and number of labels, a column."""
    rows = study.rows(experiment="transfer_learning", metric="accuracy")
    counts = sorted(set(rows["labels"]), key=int)
    columns = [column(f"{int(count):,}", "accuracy", labels=count) for count in counts]
    return table_of(study, "transfer_learning", rows, ("features",), features(study), columns)


def transfer_layer_numbers(study: Study) -> Table:
    """Accuracy of a linear decoder by network and layer."""
    rows = study.rows(experiment="transfer_learning", metric="layer_accuracy")
    labels: Labels = {"network": lambda row: feature_name(study, row["network"]), "layer": lambda row: row["layer"]}
    return table_of(study, "transfer_layer_numbers", rows, ("network", "layer"), labels,
                    [column("right, %", "layer_accuracy")])  # fmt: skip


def search(study: Study) -> Table:
    """Precision by features, a line, and number of answers, a column."""
    rows = study.rows(experiment="transfer_learning", metric="precision")
    counts = sorted(set(rows["at"]), key=int)
    columns = [column(f"of the first {count}, %", "precision", at=count) for count in counts]
    return table_of(study, "search", rows, ("features",), features(study), columns)


def table_of(study: Study, name: str, rows: Any, by: tuple[str, ...], labels: Labels, columns: list[Any]) -> Table:
    of = {"experiment": "transfer_learning", "model": "networks"}
    return pivot(study, name, rows, by, labels, columns, of=of)


def features(study: Study) -> Labels:
    return {"features": lambda row: feature_name(study, row["features"])}


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    settings = study.section(f"explore_transfer.{study.dataset}")
    most = max(settings["labels"])
    return {
        "settings": settings,
        "most": f"{most:,}",
        "over_pca": measured(number(study, "precision_gain", over=PCA, at=FIRST)),
        "at_most": {name: measured(number(study, "accuracy_gain", over=name, labels=str(most)))
                    for name in (PIXELS, PCA, SCRATCH)},
    }  # fmt: skip


CLAIMS = (few_labels, better_than_pca, better_than_scratch, finds_images, easier_higher_up, easier_without_labels)
TABLES = (transfer_learning, search, transfer_layer_numbers)
FIGURES = (figures.transfer_labels, figures.search_precision, figures.search_answers, figures.transfer_layers)
