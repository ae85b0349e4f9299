"""From the smallest changes of several networks' images to the cell: numbers, tables and the images it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen.attacks.neighbours import brought_to, fit_stability
from overgen.data import Dataset, floats
from overgen.measures.intervals import mean_interval, wilson
from overgen.models import PIXELS
from overgen.run.results import rate_row, row

SHOWN = 10  # images of each network that the cell keeps
STABILITY = ["network", "pixels", "images", "kept", "fitted"]  # the columns of stability.csv
RESAMPLES = 200  # of the images, for the interval of ε
Outcomes = Mapping[str, Mapping[str, np.ndarray]]  # of each network by name, as the stage's `attack` gives it


def distortion(arrays: Mapping[str, np.ndarray], source: Dataset) -> np.ndarray:
    """√(Σ(x′ − x)² / 784) of each image, (N,), pixels in [0, 1]; NaN where no change succeeded."""
    original = floats(source.test_images[arrays["index"]])[:, 0].double().numpy()
    rms = np.sqrt(np.square(arrays["image"] - original).mean((1, 2)))
    return np.where(arrays["fooled"], rms, np.nan)


@torch.no_grad()
def transfer(judges: Mapping[str, nn.Module], outcomes: Outcomes, source: Dataset, *, magnified: float) -> pd.DataFrame:
    """What every network makes of the examples made for each one. A row a pair of networks, and images they are shown.

    judges: by name. magnified: rms that examples are brought to in the third kind. Columns: made_for, judge, images
    ("unchanged", "smallest", "magnified"), n (examples that succeeded), wrong (not labelled as the digit that it was).
    """
    table = []
    for name, arrays in outcomes.items():
        fooled = torch.from_numpy(arrays["fooled"])
        index = torch.from_numpy(arrays["index"])[fooled]
        unchanged, labels = floats(source.test_images[index]).flatten(1), source.test_labels[index]
        changed = torch.from_numpy(arrays["image"])[fooled].flatten(1)
        norm = torch.full((len(unchanged),), magnified * PIXELS**0.5, dtype=torch.float64)
        far = brought_to(unchanged.double(), (changed - unchanged).double(), norm).float()
        for judge, network in judges.items():
            for kind, images in (("unchanged", unchanged), ("smallest", changed), ("magnified", far)):
                judged = network.cpu()(images.view(-1, 1, 28, 28)).log_y.argmax(1)
                table.append([name, judge, kind, len(images), int((judged != labels).sum())])
    return pd.DataFrame(table, columns=["made_for", "judge", "images", "n", "wrong"])


def rows(outcomes: Outcomes, transferred: pd.DataFrame, source: Dataset, settings: Any) -> list[dict[str, Any]]:
    """The numbers of the cell. transferred: what `transfer` gave; settings: the section of params.yaml."""
    rows = []
    for name, arrays in outcomes.items():
        rows += distortion_rows(name, arrays, source)
        for counts, suffix in (("changed", ""), ("changed_magnified", f"@rms={settings.magnified:g}")):
            shares = 100 * arrays[counts][arrays["fooled"]] / settings.draws
            rows.append(noise_row(f"label_changed{suffix}", shares, settings.draws, name))
        rows += stability_rows(arrays["kept"], settings.pixels, name)
    suffixes = {"unchanged": "@rms=0", "smallest": "", "magnified": f"@rms={settings.magnified:g}"}
    for made_for, judge, images, n, wrong in transferred.itertuples(index=False):
        if n:
            metric = f"error@made_for={made_for}{suffixes[images]}"
            rows.append(rate_row("lbfgs_transfer", metric, [wrong], n, of="examples", model=judge))
    return rows


def distortion_rows(name: str, arrays: Mapping[str, np.ndarray], source: Dataset) -> list[dict[str, Any]]:
    """How many images of one network were changed so that they fool it, and how far; for a linear one, the least."""
    n, hits = len(arrays["index"]), int(arrays["fooled"].sum())
    kind = "95 % t interval of the mean over images"
    rms, least = distortion(arrays, source)[arrays["fooled"]], arrays["least"][arrays["fooled"]]
    rows = [
        rate_row("lbfgs", "fooling_rate", [hits], n, of="images", model=name),
        row(
            "lbfgs", "mean_distortion", float(rms.mean()) if hits else None, unit="rms pixel in [0,1]", n=hits,
            interval=mean_interval(rms) if hits > 1 else None, kind=kind,
            note="test images; seed spread not measured", model=name,
        ),
    ]  # fmt: skip
    if hits and np.isfinite(least).all():
        rows.append(
            row(
                "lbfgs", "least_distortion", float(least.mean()), unit="rms pixel in [0,1]", n=hits,
                interval=mean_interval(least) if hits > 1 else None, kind=kind,
                note="exact, of the same images and targets", model=name,
            )
        )  # fmt: skip
    return rows


def noise_row(metric: str, shares: np.ndarray, draws: int, name: str) -> dict[str, Any]:
    """The share of noisy images whose label changed, from each image's share in percent."""
    n = len(shares) * draws
    if not n:
        return row("lbfgs_noise", metric, None, unit="percent", n=0, model=name)
    low, high = (100 * end for end in wilson(round(shares.sum() / 100 * draws), n))
    of_images = mean_interval(shares, bounds=(0, 100)) or (low, high)
    return row(
        "lbfgs_noise", metric, float(shares.mean()), unit="percent", n=n,
        interval=(min(low, of_images[0]), max(high, of_images[1])),
        kind=f"95 % t interval over {len(shares)} images, no narrower than Wilson over all draws", model=name,
    )  # fmt: skip


def stability_rows(kept: np.ndarray, pixels: Sequence[int], name: str) -> list[dict[str, Any]]:
    """ε of (1 − ε)ⁿ and what that leaves unexplained. kept: bool (M, K), images by numbers of pixels."""
    shares = kept.mean(0)
    fit = fit_stability(pixels, shares)
    draws = np.random.default_rng(0).integers(len(kept), size=(RESAMPLES, len(kept)))
    ends = np.quantile([fit_stability(pixels, kept[draw].mean(0)).epsilon for draw in draws], [0.025, 0.975])
    gaps = shares - fit.fitted
    worst = int(np.abs(gaps).argmax())
    common: dict[str, Any] = {"n": len(kept), "model": name}
    return [
        row("stability", "epsilon", fit.epsilon, unit="a pixel", interval=(float(ends[0]), float(ends[1])),
            kind="95 % bootstrap over images", **common),
        row("stability", "unexplained", 100 * fit.unexplained, unit="percent",
            note="of the variance of the shares that keep their label", **common),
        row("stability", "largest_gap", 100 * float(gaps[worst]), unit="percentage points",
            note=f"at n = {pixels[worst]}", **common),
    ]  # fmt: skip


def tables(outcomes: Outcomes, transferred: pd.DataFrame, source: Dataset, settings: Any) -> dict[str, pd.DataFrame]:
    """The evidence: `trials`, a row an image attacked; `stability`, one a network and number of pixels; `transfer`."""
    trials, stability = [], []
    for name, arrays in outcomes.items():
        columns = {
            "network": name,
            "index": arrays["index"],
            "label": source.test_labels[arrays["index"]].numpy(),
            "target": arrays["target"],
            "found": arrays["fooled"],
            "distortion": distortion(arrays, source),
        }
        names = ("least", "c", "score", "changed", "changed_magnified")
        trials.append(pd.DataFrame(columns | {column: arrays[column] for column in names}))
        fit = fit_stability(settings.pixels, arrays["kept"].mean(0))
        fitted = {"pixels": settings.pixels, "kept": arrays["kept"].sum(0), "fitted": fit.fitted}
        stability.append(pd.DataFrame({"network": name, "images": len(arrays["kept"])} | fitted)[STABILITY])
    return {"trials": pd.concat(trials), "stability": pd.concat(stability), "transfer": transferred}


def successes(outcomes: Mapping[Any, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Every image that is seen as its target: trial (K,), its row of all networks' together, and image (K, 28, 28)."""
    fooled = np.concatenate([arrays["fooled"] for arrays in outcomes.values()])
    images = np.concatenate([arrays["image"] for arrays in outcomes.values()])
    return {"trial": np.flatnonzero(fooled), "image": images[fooled]}


def examples(outcomes: Outcomes, source: Dataset) -> dict[str, np.ndarray]:
    """The first images of each of S networks: network (S,); image and original (S, E, 28, 28), the original uint8.

    Of each image label, target, fooled, and score, y of the target, (S, E).
    """
    first = {name: {k: v[:SHOWN] for k, v in arrays.items()} for name, arrays in outcomes.items()}
    index = np.stack([arrays["index"] for arrays in first.values()])
    names = ("image", "target", "score", "fooled")
    return {name: np.stack([arrays[name] for arrays in first.values()]) for name in names} | {
        "network": np.array(list(outcomes)),
        "original": source.test_images[:, 0].numpy()[index],
        "label": source.test_labels.numpy()[index],
    }
