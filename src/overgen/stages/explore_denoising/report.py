"""Denoising, on the guided page of the autoencoder."""

from __future__ import annotations

from overgen.report.claims import Claim, verdict
from overgen.report.study import Row, Study
from overgen.report.tables import Table, column, pivot
from overgen.stages.explore_denoising import figures
from overgen.stages.train_codes.spent import spent

PAGE = "autoencoder"
FIRST_SEED = True
EXPERIMENT = "denoising"


def gain(study: Study, noise: str, over: str, **keys: str) -> Row | None:
    """How much better the dAE's PSNR is than that of something else, at the one level where this is measured."""
    return study.first(experiment=EXPERIMENT, model="codes", metric="gain", noise=noise, over=over, **keys)


def of(row: Row) -> str:
    """What a gain's interval is over, with how many."""
    return "{number} dB, {n} " + ("seeds" if "seeds" in row["note"] else "images")


def removes_noise(study: Study) -> Claim | None:
    """The dAE's PSNR is above that of the noisy image."""
    row = gain(study, "gaussian", "noisy", epochs="")
    if row is None:
        return None
    return Claim(
        says="A denoising autoencoder takes away noise of the kind that it was trained on.",
        test="Holds if the 95 % interval of its mean PSNR on test images, less that of the noisy images with their "
        "values cut at 0 and 1, lies above 3 dB; contradicted if below. At the noise of its training.",
        verdict=verdict(row, above=3),
        number=of(row),
        row=row,
        figure="psnr",
    )


def ahead_of_filters(study: Study) -> Claim | None:
    """The dAE's PSNR is above that of the best filter."""
    row = gain(study, "gaussian", "best_filter", epochs="")
    if row is None:
        return None
    return Claim(
        says="It does better than filters that know nothing of the data.",
        test="Holds if the 95 % interval of its mean PSNR on test images, less that of the best of a median, a "
        "Gaussian and a non-local-means filter, lies above 0 dB; contradicted if below. Which filter, and its "
        "strength, is chosen on held-out training images. At the noise of its training.",
        verdict=verdict(row, above=0),
        number=of(row),
        row=row,
        figure="psnr",
    )


def needs_training(study: Study) -> Claim | None:
    """After one epoch the dAE is behind non-local means."""
    row = gain(study, "gaussian", "nlm", epochs="1")
    if row is None:
        return None
    return Claim(
        says="A filter needs no training, and after its first epoch an autoencoder is still behind one.",
        test="Holds if the 95 % interval over seeds of the mean PSNR of a denoising autoencoder after one epoch, less "
        "that of non-local means, lies below 0 dB; contradicted if above.",
        verdict=verdict(row, below=0),
        number=of(row),
        row=row,
        figure="epochs",
    )


def noise_in_training(study: Study) -> Claim | None:
    """An autoencoder that was trained without noise removes less of it."""
    row = gain(study, "gaussian", "ae", epochs="")
    if row is None:
        return None
    return Claim(
        says="It is the noise in training that makes an autoencoder remove it, not the narrow code alone.",
        test="Holds if the 95 % interval of the mean PSNR of the denoising autoencoder, less that of a plain one of "
        "the same size and budget, lies above 0 dB; contradicted if below. At the noise of its training.",
        verdict=verdict(row, above=0),
        number=of(row),
        row=row,
        figure="psnr",
    )


def only_its_noise(study: Study) -> Claim | None:
    """On salt and pepper the median filter is ahead."""
    row = gain(study, "salt_and_pepper", "median", epochs="")
    if row is None:
        return None
    return Claim(
        says="What it was not trained on, it removes less well than a filter made for it.",
        test="Holds if the 95 % interval of the mean PSNR of the denoising autoencoder on test images of which every "
        "fifth pixel is black or white at random, less that of a median filter, lies below 0 dB; contradicted if "
        "above.",
        verdict=verdict(row, below=0),
        number=of(row),
        row=row,
        figure="psnr",
    )


def quality(study: Study) -> Table:
    """PSNR and SSIM of every way under every noise."""
    rows = study.rows(experiment=EXPERIMENT, metric="psnr")
    labels = {
        "noise": lambda row: figures.NOISES[row["noise"]][0],
        "level": lambda row: row["level"],
        "": lambda row: figures.way_name(row["way"]),
    }
    columns = [column("PSNR, dB", "psnr"), column("SSIM", "ssim")]
    of_all = {"experiment": EXPERIMENT}
    by = ("model", "noise", "level", "way")
    return pivot(study, "denoising", rows, by, labels, columns, once=2, of=of_all)


def context(study: Study) -> dict[str, object]:
    """What was spent on the networks."""
    return {"spent": spent(study.cell("explore_denoising"))}


TABLES = (quality,)
FIGURES = (figures.psnr, figures.epochs, figures.denoised)
CLAIMS = (removes_noise, ahead_of_filters, needs_training, noise_in_training, only_its_noise)
