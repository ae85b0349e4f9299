"""What `attack_denoiser` adds to the rows of `attack_scores`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from overgen.measures.means import mean_row
from overgen.measures.separation import area
from overgen.run import results
from overgen.stages.attack_denoiser.names import EXPERIMENT

Arrays = Mapping[str, np.ndarray]
TOLD = "told."


def told_rows(found: Mapping[str, Arrays]) -> list[dict[str, Any]]:
    """AUROC of each score between known images and each kind of unknown ones, without an attack.

    found: by method; of it `told.known` and `told.<kind>`, (N,) scores each.
    """
    made = []
    for method, arrays in found.items():
        told = {name.removeprefix(TOLD): scores for name, scores in arrays.items() if name.startswith(TOLD)}
        for kind, scores in told.items():
            if kind == "known":
                continue
            of = area(told["known"], scores)
            metric = results.metric("auroc", method=method, unknown=kind)
            n = len(told["known"]) + len(scores)
            made.append(results.row(EXPERIMENT, metric, of.value, unit="fraction", n=n, interval=of.interval,
                                    kind="95 % DeLong interval over images"))  # fmt: skip
    return made


def restored_rows(restored: Arrays) -> list[dict[str, Any]]:
    """How well each network restores test images, and by how much the denoiser does it better, image by image.

    restored: PSNR in dB of the same images, `denoiser` and `beside`, (N,) each.
    """
    values = {name: restored[name] for name in ("denoiser", "beside")}
    values["difference"] = values["denoiser"] - values["beside"]
    return [
        mean_row(EXPERIMENT, results.metric("restored_psnr", network=name), each, unit="dB", over="test images")
        for name, each in values.items()
    ]
