"""From what ways of denoising make of images to the tables and rows of the cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import mean_interval
from overgen.measures.outputs import part
from overgen.run import results

EXPERIMENT = "denoising"
UNTRAINED = ("median", "gaussian", "nlm")  # filters that know nothing of the data
Arrays = Mapping[str, np.ndarray]
Found = Mapping[tuple[str, float], Arrays]  # by kind and level of noise


def trials(found: Found) -> pd.DataFrame:
    """A row a noise, way and seed: mean PSNR (dB) and SSIM over the images; a filter's strength, chosen by held_out."""
    rows: list[dict[str, Any]] = []
    for (noise, level), arrays in found.items():
        strengths, held_out = part(dict(arrays), "strength"), part(dict(arrays), "held_out")
        similar = part(dict(arrays), "ssim")
        for way, values in part(dict(arrays), "psnr").items():
            text = " ".join(f"{value:g}" for value in strengths.get(way, ()))
            for seed, (of_images, ssim) in enumerate(zip(values, similar[way], strict=True)):
                rows.append(
                    {"noise": noise, "level": level, "way": way, "seed": seed, "psnr": of_images.mean(),
                     "ssim": ssim.mean(), "strength": text, "held_out": float(held_out.get(way, np.nan))}
                )  # fmt: skip
    return pd.DataFrame(rows)


def rows(found: Found, epochs: pd.DataFrame, *, sigma: float, share: float) -> list[dict[str, Any]]:
    """The rows of the cell.

    epochs: seed, epoch and psnr of the denoising autoencoder under Gaussian noise of σ, from epoch 1; share: of salt
    and pepper where the median filter is compared.
    """
    made = []
    for (noise, level), arrays in found.items():
        for measure, unit in (("psnr", "dB"), ("ssim", "fraction")):
            for way, values in part(dict(arrays), measure).items():
                made.append(over(measure, values, unit, noise=noise, level=level, way=way))
    gaussian, pepper = (part(dict(found[at]), "psnr") for at in (("gaussian", sigma), ("salt_and_pepper", share)))
    best = best_filter(found["gaussian", sigma])
    compared: dict[str, np.ndarray] = {name: gaussian[name] for name in ("noisy", "ae", "nlm") if name in gaussian}
    if best:
        compared["best_filter"] = gaussian[best]
    for name, values in compared.items():
        made.append(over("gain", gaussian["dae"] - values, "dB", noise="gaussian", level=sigma, over=name))
    if "median" in pepper:
        difference = pepper["dae"] - pepper["median"]
        made.append(over("gain", difference, "dB", noise="salt_and_pepper", level=share, over="median"))
    first = epochs[epochs["epoch"] == 1].sort_values("seed")["psnr"].to_numpy()
    if "nlm" in gaussian and len(first):
        behind = (first - gaussian["nlm"].mean())[:, None]
        made.append(over("gain", behind, "dB", noise="gaussian", level=sigma, over="nlm", epochs=1, of_seeds=True))
    return made


def best_filter(arrays: Arrays) -> str:
    """The filter, of those that know nothing of the data, with the highest PSNR on held-out images; "" for none."""
    held_out = part(dict(arrays), "held_out")
    return max((name for name in UNTRAINED if name in held_out), key=lambda name: float(held_out[name]), default="")


def over(name: str, values: np.ndarray, unit: str, *, of_seeds: bool = False, **keys: Any) -> dict[str, Any]:
    """A mean of (S, N) values of seeds and images, with Student's interval over seeds; of one seed over its images.

    of_seeds: the values are of seeds, even if there is one only.
    """
    several = of_seeds or len(values) > 1
    each = values.mean(1) if several else values[0]
    interval = mean_interval(each)
    whose = "seeds" if several else "images"
    text = f"95 % t interval of the mean over {whose}"
    return results.row(
        EXPERIMENT, results.metric(name, **keys), float(values.mean()), unit=unit, n=len(each), interval=interval,
        kind=text, note=f"over {whose}",
    )  # fmt: skip


def pictures(shown: Mapping[str, Arrays]) -> dict[str, np.ndarray]:
    """The first images under each noise and what ways make of them: <noise> (R, I, H, W) uint8, and way (R,)."""
    ways = [name.partition(".")[2] for name in next(iter(shown.values())) if name.startswith("picture.")]
    order = ["image", *(way for way in ways if way != "image")]
    stacked = {noise: np.stack([arrays[f"picture.{way}"] for way in order]) for noise, arrays in shown.items()}
    return stacked | {"way": np.array(order)}
