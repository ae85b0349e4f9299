"""Whether one picture is an anomaly to an autoencoder: what `overgen anomaly` does.

It is judged by the error of its reconstruction and by its code, each against mean + k·deviation of the same of known
images, which the cell of `explore_anomaly` holds: the data are not needed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from overgen import OvergenError
from overgen.data.reader import borders, bright_borders, read_picture
from overgen.measures.outputs import part
from overgen.measures.reconstruction import codes_and_errors, weights_digest
from overgen.models import registry
from overgen.models.weights import weights_path
from overgen.run.results import Cell
from overgen.scores.mahalanobis import Mahalanobis

STAGE = "explore_anomaly"


class Judged(NamedTuple):
    """One measure of a picture. what: its name; value: of the picture; mean, deviation: of n known images."""

    what: str
    value: float
    mean: float
    deviation: float
    n: int

    def threshold(self, k: float) -> float:
        return self.mean + k * self.deviation

    def strange(self, k: float) -> bool:
        return self.value > self.threshold(k)


def judged(cell: str, picture: str, *, invert: bool | None = None) -> list[Judged]:
    """Error and code of a picture. cell: a network that reconstructs, such as "mnist/autoencoder".

    picture: a file; invert: of `read_picture`. The code is left out where the cell does not hold what it is judged by,
    because it is large.
    Raises OvergenError for a network that explore_anomaly has not judged, or has judged with other weights, and for a
    file that cannot be read.
    """
    dataset, model = cell.split("/")
    results = Cell(dataset, STAGE, "networks", Path("reports/cells", dataset, STAGE, "networks"))
    numbers, kept = _numbers(results, model), results.examples()
    own = part(kept, model)
    if not numbers or "weights" not in own:
        names = ", ".join(name.removesuffix(".weights") for name in kept if name.endswith(".weights"))
        raise OvergenError(
            f"{cell}: {results.path} has no errors of it, only of {names}; a network that reconstructs is named in "
            f"params.yaml, {STAGE}.{dataset}.networks, and judged by `{results.command}`"
        )
    if str(own["weights"]) != weights_digest(weights_path(dataset, model, 0)):
        raise OvergenError(
            f"{cell}: {results.path} is of other weights than those here; `{results.command}` makes it anew"
        )
    image = torch.from_numpy(_read(picture, cell, kept["mean_image"], invert))[None]
    network, _ = registry.trained(dataset, model)
    code, errors = codes_and_errors(network, image, chunk=1)
    found = [Judged("RMS error of the reconstruction", float(errors["rmse"][0]), *numbers["rmse"])]
    if "whitening" in own:
        known = Mahalanobis.from_state({"means": own["means"], "whitening": own["whitening"], "ridge": np.array(0.0)})
        distance = float(np.sqrt(-known.score(code)[0]))
        found.append(Judged("Mahalanobis distance of the code", distance, *numbers["mahalanobis"]))
    return found


def _numbers(cell: Cell, model: str) -> dict[str, tuple[float, float, int]]:
    """Mean, deviation and n of the known images' errors, by measure."""
    rows = {row["metric"]: row for row in cell.summary["metrics"] if row.get("model") == model}
    names = [name.partition("=")[2] for name in rows if name.startswith("error_mean@")]
    return {
        name: (
            rows[f"error_mean@measure={name}"]["reproduced"],
            rows[f"error_deviation@measure={name}"]["reproduced"],
            rows[f"error_mean@measure={name}"]["n"],
        )
        for name in names
    }


def _read(picture: str, cell: str, mean_image: np.ndarray, invert: bool | None) -> np.ndarray:
    """A picture of a mean image's shape, (C, H, W) uint8; with a word where its ground is bright and theirs is not."""
    mean = mean_image[None] if mean_image.ndim == 2 else np.moveaxis(mean_image, 2, 0)
    shape: Any = mean.shape
    dark = shape[0] == 1 and borders(mean[None])[0] < 64
    if invert is None and dark and bright_borders(read_picture(picture, shape, fit="stretch")[None]):
        print(
            f"{picture}: its ground is bright, where that of the pictures of {cell} is dark; it is read so. "
            "--invert: as dark ink on paper; --no-invert: it is meant so",
            file=sys.stderr,
        )
    return read_picture(picture, shape, invert=bool(invert))
