"""Compression by autoencoders, on the guided page of the autoencoder."""

from __future__ import annotations

from overgen.report.claims import Claim, verdict
from overgen.report.study import Row, Study
from overgen.report.tables import Table, column, grouped, listing, pivot
from overgen.stages.explore_compression import figures
from overgen.stages.train_codes.spent import spent

PAGE = "autoencoder"
EXPERIMENT = "compression"


def found(study: Study, metric: str, **keys: str) -> Row | None:
    """A number of the cell that has an interval; None if there is none."""
    return study.find(experiment=EXPERIMENT, model="codes", metric=metric, **keys)


def compared_size(study: Study) -> str:
    """The size of the code at which all else is compared; "" where there is no cell."""
    rows = study.select(experiment=EXPERIMENT, model="codes", metric="decoder_bits")
    return rows[0]["size"] if rows else ""


def linear_is_pca(study: Study) -> Claim | None:
    """A linear autoencoder comes to PCA's error."""
    row = found(study, "error_of_pca", kind="linear", size=(size := compared_size(study)))
    if row is None:
        return None
    return Claim(
        says="A linear autoencoder finds what PCA finds.",
        test="Holds if the 95 % interval over seeds of its error on test images, in percent of PCA's, both of size "
        f"{size} and of the same training images, lies below 105; contradicted if above.",
        verdict=verdict(row, below=105),
        number="{number} of PCA's error, {n} seeds",
        row=row,
        figure="error_by_size",
    )


def deep_beats_pca(study: Study) -> Claim | None:
    """A deep autoencoder is better than PCA at a size of two."""
    row = found(study, "error_of_pca", kind="ae", size="2")
    if row is None:
        return None
    return Claim(
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
    if row is None:
        return None
    return Claim(
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
    size = compared_size(study)
    rows = [found(study, "times_own", kind="ae", size=size, on=kind) for kind in ("other", "silhouettes")]
    row = next((row for row in rows if row is not None), None)
    of = "test images of the other data set" if rows[0] is not None else "silhouettes"
    if row is None:
        return None
    return Claim(
        says="What an autoencoder has learnt is specific to its data: images of another kind it compresses badly.",
        test=f"The relative error of a kind of images is that of the code of size {size} over that of one image for "
        f"all, the mean training image. Holds if the 95 % interval over seeds of this, of {of}, in times of that of "
        "its own test images, lies above 2; contradicted if below.",
        verdict=verdict(row, above=2),
        number="{number} times as much is lost, {n} seeds",
        row=row,
        figure="own_kind",
    )


def lossy(study: Study) -> Claim | None:
    """No image comes back as it was."""
    rows = study.select(experiment=EXPERIMENT, model="codes", metric="exact", kind="ae")
    row = max(rows, key=lambda row: int(row["size"]), default=None)
    if row is None:
        return None
    return Claim(
        says="An autoencoder compresses with loss.",
        test="Holds if the 95 % interval of the share of test images that come back with every pixel right in 8 bits, "
        "from the largest code, lies below 1 %; contradicted if above.",
        verdict=verdict(row, below=1),
        number=f"{{number}} of {{n}} images come back from {row['size']} units of one network",
        row=row,
        figure="restored",
    )


def smaller_than_jpeg(study: Study) -> Claim | None:
    """JPEG needs more bits for the same error."""
    row = found(study, "jpeg_of_code", size=(size := compared_size(study)), how="together")
    if row is None:
        return None
    return Claim(
        says="Where only images of one kind are to be kept, a code takes fewer bits than JPEG.",
        test=f"The code of size {size}, 8 bits a unit, against JPEG of the quality with the fewest bits whose squared "
        "error is not larger, all images in one picture so that they share its head. Holds if the 95 % interval over "
        "seeds of JPEG's bits, in percent of the code's, lies above 100; contradicted if below. The decoder's own bits "
        "do not count: the page says what they are.",
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


def errors(study: Study) -> Table:
    """The error of every code on test images."""
    rows = study.rows(experiment=EXPERIMENT, metric="squared_error")
    rows = grouped(rows[rows["kind"] != "ae_mse"], kind=list(figures.NAMES), size=sorted(set(rows["size"]), key=int))
    labels = {"code": lambda row: figures.NAMES[row["kind"]], "size": lambda row: row["size"]}
    columns = [column("squared error per pixel", "squared_error"), column("% of PCA's", "error_of_pca")]
    of = {"experiment": EXPERIMENT}
    return pivot(study, "compression_errors", rows, ("model", "kind", "size"), labels, columns, of=of)


def kinds(study: Study) -> Table:
    """What codes lose of other kinds of images."""
    rows = study.rows(experiment=EXPERIMENT, metric=("relative_error", "times_own"))
    labels = {
        "code": lambda row: figures.NAMES[row["kind"]],
        "images": lambda row: figures.kind_name(study, row["on"]),
    }
    columns = [column("lost, % of what one mean image loses", "relative_error"),
               column("times its own", "times_own")]  # fmt: skip
    of = {"experiment": EXPERIMENT}
    return pivot(study, "compression_kinds", rows, ("model", "kind", "size", "on"), labels, columns, of=of)


def bits(study: Study) -> Table:
    """Bits an image of the code of one size and of files."""
    rows = study.rows(experiment=EXPERIMENT, metric=("bits", "bits_of_jpeg"))
    labels = {
        "file": lambda row: "JPEG, at the code's error" if row["metric"] == "bits_of_jpeg" else
        figures.FILES[row["of"]],
        "": lambda row: {"alone": "each image a file", "together": "all in one"}[row["how"]],
    }  # fmt: skip
    return listing("compression_bits", rows, labels)


def loss(study: Study) -> Table:
    """Each measure by the loss that was trained."""
    size = next((row["size"] for row in study.select(experiment=EXPERIMENT, metric="cross_entropy")), "")
    rows = study.rows(experiment=EXPERIMENT, metric="cross_entropy")
    labels = {"trained on": lambda row: {"ae": "cross-entropy", "ae_mse": "squared error"}[row["kind"]]}
    columns = [column("squared error per pixel", "squared_error"),
               column("cross-entropy, nats per pixel", "cross_entropy"), column("PSNR, dB", "psnr")]  # fmt: skip
    of = {"experiment": EXPERIMENT, "size": size}
    return pivot(study, "compression_losses", rows, ("model", "kind"), labels, columns, of=of)


def context(study: Study) -> dict[str, object]:
    """What was spent, the size of the code that is compared, its bits in 8 bits a unit, and those of its decoder."""
    (decoder,) = study.select(experiment=EXPERIMENT, metric="decoder_bits")
    size = int(decoder["size"])
    return {
        "settings": study.section(f"explore_compression.{study.dataset}"),
        "spent": spent(study.cell("explore_compression")),
        "size": size,
        "code_bits": 8 * size,
        "decoder_bits": f"{decoder['reproduced'] / 1e6:.1f} million",
    }


TABLES = (errors, kinds, bits, loss)
FIGURES = (figures.error_by_size, figures.restored, figures.own_kind, figures.rates, figures.losses)
CLAIMS = (
    linear_is_pca,
    deep_beats_pca,
    large_codes_do_not,
    data_specific,
    lossy,
    smaller_than_jpeg,
    each_loss_its_measure,
)
