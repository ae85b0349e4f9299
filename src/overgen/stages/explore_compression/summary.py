"""From the errors and bits of codes to the rows of the cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.means import mean_row
from overgen.run import results

EXPERIMENT = "compression"
ERROR = "squared error per pixel"
POSITIVE = (0.0, np.inf)


def rows(
    errors: pd.DataFrame, rates: pd.DataFrame, alone: Mapping[str, np.ndarray], *, size: int, pixels: int, hidden: int
) -> list[dict[str, Any]]:
    """The rows of the cell.

    errors, rates: as the stage's run makes them; alone: bits of each image in lossless files, by codec; size: at which
    kinds of images, losses and files are compared; pixels, hidden: of the deep networks.
    """
    test = errors[errors["on"] == "test"]
    return [
        *error_rows(test),
        *kind_rows(errors[errors["size"] == size], size),
        *exact_rows(test),
        *loss_rows(test[test["size"] == size], size),
        *file_rows(rates, alone),
        *jpeg_rows(rates, size),
        decoder_row(size, pixels, hidden),
    ]


def over_seeds(name: str, values: pd.Series | np.ndarray, unit: str, **keys: Any) -> dict[str, Any]:
    """A mean over seeds with its interval."""
    array = np.asarray(values, dtype=np.float64)
    return mean_row(EXPERIMENT, results.metric(name, **keys), array, unit=unit, over="seeds", bounds=POSITIVE)


def error_rows(test: pd.DataFrame) -> list[dict[str, Any]]:
    """The error of each kind and size on test images, and in percent of PCA's. test: of errors.csv."""
    made = []
    pca = test[test["kind"] == "pca"].set_index("size")
    for kind, size in test[["kind", "size"]].drop_duplicates().itertuples(index=False):
        group = test[(test["kind"] == kind) & (test["size"] == size)]
        if kind == "pca":  # which has no seeds: its interval is over images
            value, n = float(group["squared_error"].iloc[0]), int(group["images"].iloc[0])
            half = 1.96 * float(group["spread"].iloc[0]) / np.sqrt(n)
            name = results.metric("squared_error", kind=kind, size=size)
            kind_of = f"95 % normal interval of the mean over {n} images"
            made.append(
                results.row(EXPERIMENT, name, value, unit=ERROR, n=n, interval=(value - half, value + half),
                            kind=kind_of)
            )  # fmt: skip
            continue
        made.append(over_seeds("squared_error", group["squared_error"], ERROR, kind=kind, size=size))
        if size in pca.index and kind != "ae_mse":
            share = 100 * group["squared_error"] / pca.loc[size, "squared_error"]
            made.append(over_seeds("error_of_pca", share, "percent", kind=kind, size=size))
    return made


def kind_rows(errors: pd.DataFrame, size: int) -> list[dict[str, Any]]:
    """The relative error on each kind of images, and in times of that on the code's own. errors: of one size."""
    made = []
    for kind in [kind for kind in ("ae", "dae", "pca") if (errors["kind"] == kind).any()]:
        group = errors[errors["kind"] == kind]
        own = group[group["on"] == "test"].set_index("seed")["relative_error"]
        for on in group["on"].unique():
            values = group[group["on"] == on].set_index("seed")["relative_error"]
            keys = {"kind": kind, "size": size, "on": on}
            made.append(over_seeds("relative_error", values, "percent", **keys))
            if on != "test":
                made.append(over_seeds("times_own", values / own, "times", **keys))
    return made


def exact_rows(test: pd.DataFrame) -> list[dict[str, Any]]:
    """How many test images the deep code of each size gives back as they were: of seed 0."""
    first = test[(test["kind"] == "ae") & (test["seed"] == 0)]
    return [
        results.rate_row(EXPERIMENT, results.metric("exact", kind="ae", size=size), [exact], images, of="images")
        for size, exact, images in first[["size", "exact", "images"]].itertuples(index=False)
    ]


def loss_rows(test: pd.DataFrame, size: int) -> list[dict[str, Any]]:
    """Each measure of what was trained on cross-entropy (ae) and on the squared error (ae_mse), of equal budgets.

    loss_ratio is, seed by seed, the measure where the other loss was trained, in percent of where it was trained
    itself. None where there is one of the two only.
    """
    by = {kind: test[test["kind"] == kind].set_index("seed") for kind in ("ae", "ae_mse")}
    seeds = by["ae"].index.intersection(by["ae_mse"].index)
    if seeds.empty:
        return []
    made = []
    units = {"cross_entropy": "nats per pixel", "psnr": "dB"}
    for kind, table in by.items():
        for measure, unit in units.items():
            made.append(over_seeds(measure, table.loc[seeds, measure], unit, kind=kind, size=size))
    for measure, trained in (("squared_error", "ae_mse"), ("cross_entropy", "ae")):
        other = "ae" if trained == "ae_mse" else "ae_mse"
        ratio = 100 * by[other].loc[seeds, measure] / by[trained].loc[seeds, measure]
        made.append(over_seeds("loss_ratio", ratio, "percent", measure=measure))
    return made


def file_rows(rates: pd.DataFrame, alone: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Bits an image of lossless files: of one image each, and of all in one."""
    made = []
    for codec, bits in alone.items():
        name = results.metric("bits", of=codec, how="alone")
        unit = "bits per image"
        made.append(mean_row(EXPERIMENT, name, bits.astype(np.float64), unit=unit, over="images", bounds=POSITIVE))
        together = rates[(rates["of"] == codec) & (rates["how"] == "together")]["bits"].iloc[0]
        name = results.metric("bits", of=codec, how="together")
        made.append(results.row(EXPERIMENT, name, float(together), unit=unit, n=len(bits)))
    return made


def jpeg_rows(rates: pd.DataFrame, size: int) -> list[dict[str, Any]]:
    """The error of the deep code of one size in 8 bits a unit, and the bits of JPEG with no larger one.

    JPEG's quality is that with the fewest bits, for each seed's error; where none is good enough there is no row.
    """
    code = rates[(rates["of"] == "ae") & (rates["size"] == size)]
    made = [over_seeds("squared_error_8_bits", code["squared_error"], ERROR, kind="ae", size=size)]
    for how in ("together", "alone"):
        jpeg = rates[(rates["of"] == "jpeg") & (rates["how"] == how)]
        bits = [jpeg.loc[jpeg["squared_error"] <= error, "bits"].min() for error in code["squared_error"]]
        if np.isfinite(bits).all():
            made.append(over_seeds("bits_of_jpeg", np.array(bits), "bits per image", size=size, how=how))
            share = 100 * np.array(bits) / (8 * size)
            made.append(over_seeds("jpeg_of_code", share, "percent", size=size, how=how))
    return made


def decoder_row(size: int, pixels: int, hidden: int) -> dict[str, Any]:
    """Bits of the deep decoder's weights in float16, without which no code is an image."""
    weights = hidden * (size + 1) + pixels * (hidden + 1)
    return results.row(EXPERIMENT, results.metric("decoder_bits", size=size), 16.0 * weights, unit="bits", n=1)
