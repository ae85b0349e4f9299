"""What `explore_latents` makes of its members: tables, the rows of its cell, and what is kept to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.intervals import difference_interval, mean_interval, median_interval, stratified_mean
from overgen.measures.means import mean_row
from overgen.measures.outputs import part
from overgen.run import results
from overgen.stages.explore_latents.ways import BLIND, PRIOR, WAYS

Arrays = Mapping[str, np.ndarray]
Judged = Mapping[tuple[str, str], Arrays]  # by name and group, what `run.Work.judged` gives
EXPERIMENT = "latents"
JUDGES = {"y": "classifier", "scaled": "judge"}
RESAMPLES = 1000


def cell(
    plane: Arrays, noise: Arrays, judged: Judged, settings: Any
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame]]:
    """The rows and the tables of the cell. settings: the section."""
    tables = {"variance": variances(plane), "purity": purities(plane), "noise": of_noise(noise, settings.noises),
              "drawn": of_draws(judged)}  # fmt: skip
    rows = plane_rows(plane, tables["purity"]) + noise_rows(tables["noise"]) + drawn_rows(judged, settings)
    return rows, tables


def variances(plane: Arrays) -> pd.DataFrame:
    """A row a principal component of the latents, with its share of their variance in percent."""
    shares = 100 * plane["variance"]
    return pd.DataFrame({"component": np.arange(1, len(shares) + 1), "share": shares})


def purities(plane: Arrays) -> pd.DataFrame:
    """A row a space and class: how many of the nearest others are of the class, in percent."""
    labels = plane["label"]
    return pd.DataFrame(
        [
            {"space": space, "class": int(c), "images": int((labels == c).sum()),
             "purity": 100 * float(values[labels == c].mean())}
            for space, values in part(plane, "pure").items()
            for c in np.unique(labels)
        ]
    )  # fmt: skip


def of_noise(noise: Arrays, levels: list[float]) -> pd.DataFrame:
    """A row a level of noise and class: how many answers stayed, in percent."""
    labels = noise["label"]
    return pd.DataFrame(
        [
            {"noise": level, "class": int(c), "images": int((labels == c).sum()),
             "kept": 100 * float(kept[labels == c].mean())}
            for level, kept in zip(levels, noise["kept"], strict=True)
            for c in np.unique(labels)
        ]
    )  # fmt: skip


def of_draws(judged: Judged) -> pd.DataFrame:
    """A row a source and way: shares in percent, the median distance to the nearest image, the Fréchet distance."""
    return pd.DataFrame(
        [
            {"source": name, "group": group, "way": way, "images": len(of["y"]), "y": 100 * float(of["y"].mean()),
             "scaled": 100 * float(of["scaled"].mean()), "nearest": float(np.median(of["nearest"])),
             "frechet": float(of["frechet"])}
            for (name, group), arrays in judged.items()
            for way in ways(arrays)
            for of in [part(arrays, way)]
        ]
    )  # fmt: skip


def ways(arrays: Arrays) -> list[str]:
    return list(dict.fromkeys(name.split(".")[0] for name in arrays))


def plane_rows(plane: Arrays, purity: pd.DataFrame) -> list[dict[str, Any]]:
    """Shares of variance, purity as a mean over classes, and silhouettes."""
    n, shares = len(plane["label"]), 100 * plane["variance"].cumsum()
    rows = [
        results.row(EXPERIMENT, results.metric("variance", components=str(count)), float(shares[count - 1]),
                    unit="percent", n=len(shares), note="of the latents of training images")
        for count in (1, 2, 10) if count <= len(shares)
    ]  # fmt: skip
    for space, own in purity.groupby("space", sort=False):
        name = results.metric("purity", space=str(space))
        rows.append(
            mean_row(EXPERIMENT, name, own["purity"].to_numpy(), unit="percent", over="classes", bounds=(0, 100))
        )
        name, value = results.metric("silhouette", space=str(space)), float(plane[f"silhouette.{space}"])
        rows.append(results.row(EXPERIMENT, name, value, unit="fraction", n=n))
    return rows


def noise_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """How many answers stay, as a mean over classes, by noise."""
    rows = []
    for level, own in table.groupby("noise", sort=False):
        name, kept = results.metric("kept", noise=f"{level:g}"), own["kept"].to_numpy()
        rows.append(mean_row(EXPERIMENT, name, kept, unit="percent", over="classes", bounds=(0, 100)))
    return rows


def drawn_rows(judged: Judged, settings: Any) -> list[dict[str, Any]]:
    """By group of seeds and way: shares that are recognised, distances, and what a VAE gains over blind draws."""
    groups: dict[tuple[str, str], list[Arrays]] = {}
    for (_, group), arrays in judged.items():
        for way in ways(arrays):
            groups.setdefault((group, way), []).append(part(arrays, way))
    usual = float(np.median(groups["", "real"][0]["nearest"]))
    rows, shares = [], dict[tuple[str, str, str], dict[str, Any]]()
    rates: dict[tuple[str, str, str], np.ndarray] = {}
    for (group, way), members in groups.items():
        of = {"of": group or "images", "way": way}
        for key, judge in JUDGES.items():
            hits, n = [int(each[key].sum()) for each in members], len(members[0][key])
            name = results.metric("recognised", judge=judge, **of)
            row = results.rate_row(EXPERIMENT, name, hits, n, of="trials", tau=settings.tau)
            shares[group, way, judge] = row
            rates[group, way, judge] = 100 * np.array(hits) / n
            rows.append(row)
        rows.append(nearest_row(results.metric("nearest", **of), [each["nearest"] / usual for each in members]))
        rows.append(frechet_row(results.metric("frechet", **of), [float(each["frechet"]) for each in members],
                                sum(len(each["y"]) for each in members)))  # fmt: skip
    for judge in JUDGES.values():
        for group in ("network", "codes"):
            best = max(((group, way, judge) for way in BLIND), key=lambda key: shares[key]["reproduced"])
            rows.append(shares[best] | {"metric": results.metric("recognised_blind", judge=judge, of=group)})
        prior = ("variational", PRIOR, judge)
        rows.append(gain_row(shares[prior], shares[best], judge, [rates[prior], rates[best]]))
    return rows


def frechet_row(name: str, values: list[float], pictures: int) -> dict[str, Any]:
    """A Fréchet distance, as a mean over seeds; with an interval over three or more."""
    interval = mean_interval(values) if len(values) > 2 else None
    kind = f"95 % t interval of the mean over {len(values)} seeds"
    note = "" if interval else "seed spread not measured"
    return results.row(EXPERIMENT, name, float(np.mean(values)), unit="squared features", n=pictures,
                       interval=interval, kind=kind, note=note)  # fmt: skip


def nearest_row(name: str, ratios: list[np.ndarray]) -> dict[str, Any]:
    """The median distance to the nearest training image, in that of test images, with an interval over pictures."""
    values = np.concatenate(ratios)
    interval = median_interval(values[:, None], np.arange(len(values)), resamples=RESAMPLES)
    return results.row(
        EXPERIMENT, name, float(np.median(values)), unit="times", n=len(values), interval=interval,
        kind="95 % percentile bootstrap of the median over pictures",
    )  # fmt: skip


def gain_row(prior: dict[str, Any], best: dict[str, Any], judge: str, rates: Sequence[np.ndarray]) -> dict[str, Any]:
    """What the share of a VAE's draws from its prior is above the larger one of blind draws of an autoencoder.

    rates: of the seeds of both, (S,) in percent. A bootstrap of two or three seeds is too narrow to decide a claim: of
    two seeds each or more the interval is Welch's over seeds, no narrower than the one of both shares.
    """
    ends = [(row["reproduced"], (row["low"], row["high"])) for row in (prior, best)]
    both = list(difference_interval(*ends[0], *ends[1]))
    kind = "95 %, put together from those of both shares (Newcombe 1998)"
    if min(map(len, rates)) > 1:
        _, half = stratified_mean([rates[0], -rates[1]], (-50, 50))  # of half the difference
        both += [2 * end for end in half or ()]
        kind = "95 % t interval over seeds (Welch), no narrower than that of both shares (Newcombe 1998)"
    return results.row(
        EXPERIMENT, results.metric("recognised_gain", judge=judge), prior["reproduced"] - best["reproduced"],
        unit="percentage points", n=prior["n"], tau=prior["tau"], interval=(min(both), max(both)), kind=kind,
    )  # fmt: skip


def examples(
    plane: Arrays, noise: Arrays, between: Arrays, judged: Judged, classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """Places of test images, names of the classes; pictures under noise, between two, and drawn.

    Drawn are those of the first seed of each group; fitted ones of the autoencoders of `train_codes` are left out.
    """
    kept = {name: plane[name].astype(np.float32) for name in ("plane", "tsne")} | {"label": plane["label"]}
    kept |= {"class": np.array(classes)}
    kept |= {"noisy": as_bytes(noise["image"]), "between": as_bytes(between["image"])}
    names, pictures, passed = [], [], []
    seen = set()
    for (_, group), arrays in judged.items():
        if group in seen:
            continue
        seen.add(group)
        for way in ways(arrays):
            if group == "codes" and way in WAYS and way not in BLIND:
                continue
            of = part(arrays, way)
            names.append(f"{group or 'images'}.{way}")
            pictures.append(of["image"])
            passed.append(of["scaled"][: len(of["image"])])
    return kept | {"drawn": np.stack(pictures), "passed": np.stack(passed), "name": np.array(names)}


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Pictures in [0, 1] in 8 bits."""
    return np.rint(255 * images).clip(0, 255).astype(np.uint8)
