"""Compression by autoencoders, on the guided page of the autoencoder."""

from __future__ import annotations

from overgen.report.claims import Claim, verdict
from overgen.report.study import Row, Study
from overgen.report.tables import Table, by_metric
from overgen.stages.explore_compression import figures

PAGE = "autoencoder"
EXPERIMENT = "compression"


def found(study: Study, metric: str, **keys: str) -> Row | None:
    """A number of the cell that has an interval; None if there is none."""
    return study.find(experiment=EXPERIMENT, model="codes", metric=metric, **keys)


def linear_is_pca(study: Study) -> Claim | None:
    """A linear autoencoder comes to PCA's error."""
    row = found(study, "error_of_pca", kind="linear", size="64")
    return row and Claim(
        says="A linear autoencoder finds what PCA finds.",
        test="Holds if the 95 % interval over seeds of its error on test images, in percent of PCA's, both of size 64 "
        "and of the same training images, lies below 105; contradicted if above.",
        verdict=verdict(row, below=105),
        number="{number} of PCA's error, {n} seeds",
        row=row,
        figure="error_by_size",
    )


def deep_beats_pca(study: Study) -> Claim | None:
    """A deep autoencoder is better than PCA at a size of two."""
    row = found(study, "error_of_pca", kind="ae", size="2")
    return row and Claim(
        says="With few units, an autoencoder with hidden layers keeps more of an image than PCA does.",
        test="Holds if the 95 % interval over seeds of its error on test images, in percent of PCA's, both of size 2, "
        "lies below 100; contradicted if above.",
        verdict=verdict(row, below=100),
        number="{number} of PCA's error, {n} seeds",
        row=row,
        figure="error_by_size",
    )


def large_codes_do_not(study: Study) -> Claim | None:
    """At the size of 256 PCA is better."""
    row = found(study, "error_of_pca", kind="ae", size="256")
    return row and Claim(
        says="With many units PCA, which needs no training, is the better of the two.",
        test="Holds if the 95 % interval over seeds of the autoencoder's error on test images, in percent of PCA's, "
        "both of size 256, lies above 100; contradicted if below.",
        verdict=verdict(row, above=100),
        number="{number} of PCA's error, {n} seeds",
        row=row,
        figure="error_by_size",
    )


def data_specific(study: Study) -> Claim | None:
    """The code of one kind of images does not fit another."""
    rows = [found(study, "times_own", kind="ae", size="64", on=kind) for kind in ("other", "silhouettes")]
    row = next((row for row in rows if row is not None), None)
    of = "test images of the other data set" if rows[0] is not None else "silhouettes"
    return row and Claim(
        says="What an autoencoder has learnt is specific to its data: images of another kind it compresses badly.",
        test="The relative error of a kind of images is that of the code of size 64 over that of one image for all, "
        f"the mean training image. Holds if the 95 % interval over seeds of this, of {of}, in times of that of its "
        "own test images, lies above 2; contradicted if below.",
        verdict=verdict(row, above=2),
        number="{number} times as much is lost, {n} seeds",
        row=row,
        figure="own_kind",
    )


def lossy(study: Study) -> Claim | None:
    """No image comes back as it was."""
    rows = study.select(experiment=EXPERIMENT, model="codes", metric="exact", kind="ae")
    row = max(rows, key=lambda row: int(row["size"]), default=None)
    return row and Claim(
        says="An autoencoder compresses with loss.",
        test="Holds if the 95 % interval of the share of test images that come back with every pixel right in 8 bits, "
        "from the largest code, lies below 1 %; contradicted if above.",
        verdict=verdict(row, below=1),
        number=f"{{number}} of {{n}} images come back from {row['size']} units",
        row=row,
        figure="restored",
    )


def smaller_than_jpeg(study: Study) -> Claim | None:
    """JPEG needs more bits for the same error."""
    row = found(study, "jpeg_of_code", size="64", how="together")
    return row and Claim(
        says="Where only images of one kind are to be kept, a code takes fewer bits than JPEG.",
        test="The code of size 64, 8 bits a unit, against JPEG of the quality with the fewest bits whose squared error "
        "is not larger, all images in one picture so that they share its head. Holds if the 95 % interval over seeds "
        "of JPEG's bits, in percent of the code's, lies above 100; contradicted if below. The decoder's own bits do "
        "not count: the page says what they are.",
        verdict=verdict(row, above=100),
        number="JPEG takes {number} of the code's bits, {n} seeds",
        row=row,
        figure="rates",
    )


def each_loss_its_measure(study: Study) -> Claim | None:
    """The loss that is trained is the one that comes out smaller."""
    squared, entropy = (found(study, "loss_ratio", measure=name) for name in ("squared_error", "cross_entropy"))
    if squared is None or entropy is None:
        return None
    both = {verdict(squared, above=100), verdict(entropy, above=100)}
    return Claim(
        says="Which loss is better, squared error or cross-entropy, hangs on which of them is measured.",
        test="Both at the same budget and size, from the same weights. Holds if two 95 % intervals over seeds, of "
        "paired ratios in percent, lie above 100: the squared error of what was trained on cross-entropy to that of "
        "what was trained on the squared error; and the cross-entropy of the latter to that of the former. "
        "Contradicted if either lies below.",
        verdict="contradicted" if "contradicted" in both else "holds" if both == {"holds"} else "cannot tell",
        number="{number} of the squared error where cross-entropy was trained, {n} seeds",
        row=squared,
        figure="losses",
    )
