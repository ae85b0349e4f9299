"""What `explore_noise` makes of its networks' scores and volumes: rows, tables and the images it keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from overgen.data import pictures
from overgen.measures.intervals import mean_interval
from overgen.measures.volume import log10_of_ball
from overgen.run.results import metric, rate_row, row

# Of a network's `volumes`: whether of ỹ; τ, α and the run; the share of the cube, or what a run that did not reach the
# set ended at; its coefficient of variation; what was spent; and of so many images of the set the share that Γ leaves.
VOLUMES = ("scaled", "tau", "alpha", "run", "log10", "reached", "variation", "levels", "evaluations", "inside", "kept")
UNIT = "log10 of the share"
Arrays = Mapping[str, np.ndarray]


def paper_pairs(thresholds: Iterable[Any]) -> list[tuple[float, float]]:
    """The (τ, α) to judge at: of each τ the first α, which is the paper's."""
    pairs: dict[float, float] = {}
    for threshold in thresholds:
        pairs.setdefault(threshold.tau, threshold.alpha)
    return list(pairs.items())


def cell(
    networks: Mapping[str, Arrays], balls: np.ndarray, pairs: Sequence[tuple[float, float]], kinds: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """The rows, tables and examples of the cell.

    networks: by name, as the stage's `of_network` gives them; balls: dimension and estimate, (B · R, 2); pairs: (τ, α).
    """
    noise = pd.concat([noise_of(name, arrays, pairs, kinds) for name, arrays in networks.items()], ignore_index=True)
    volumes = pd.concat([volumes_of(name, arrays) for name, arrays in networks.items()], ignore_index=True)
    checked = pd.DataFrame(balls, columns=["dimension", "log10"]).astype({"dimension": int})
    checked["exact"] = [log10_of_ball(0.5, dimension) for dimension in checked["dimension"]]
    rows = [
        rate_row(
            "noise", metric("called_a_class", on=kind, score=score), [hits], n, of="images", tau=tau, model=name
        )
        for name, kind, score, tau, _, hits, n in noise.itertuples(index=False)
    ]  # fmt: skip
    for keys, runs in volumes.groupby(["network", "score", "tau"], sort=False):
        name, score, tau = cast(tuple[str, str, float], keys)
        rows.append(volume_row(metric("log_volume", score=score), runs, tau=tau, model=name))
    rows += [
        ball_row(dimension, checked[checked["dimension"] == dimension])
        for dimension in map(int, checked["dimension"].unique())
    ]
    return rows, {"noise": noise, "volumes": volumes, "balls": checked}, examples(networks, volumes, kinds)


def noise_of(name: str, arrays: Arrays, pairs: Sequence[tuple[float, float]], kinds: Sequence[str]) -> pd.DataFrame:
    """How much of each kind of noise a network calls a class: a row a kind, score and τ."""
    rows: list[tuple[Any, ...]] = []
    for kind in kinds:
        log_y, *scaled = arrays[f"{kind}.scores"].astype(np.float64)
        for k, (tau, alpha) in enumerate(pairs):
            rows.append((name, kind, "y", tau, math.nan, int((log_y > math.log(tau)).sum()), len(log_y)))
            if scaled:
                rows.append((name, kind, "scaled", tau, alpha, int((scaled[k] > math.log(tau)).sum()), len(log_y)))
    return pd.DataFrame(rows, columns=["network", "kind", "score", "tau", "alpha", "called", "images"])


def volumes_of(name: str, arrays: Arrays) -> pd.DataFrame:
    """A network's volumes, a row a run; log10 is then of the set with Γ, if any of its images are left."""
    table = pd.DataFrame(arrays["volumes"], columns=list(VOLUMES))
    counts = ["scaled", "run", "reached", "levels", "evaluations", "inside"]
    table = table.astype(dict.fromkeys(counts, int))
    table.insert(0, "network", name)
    table.insert(1, "score", np.where(table.pop("scaled"), "scaled", "y"))
    table["log10"] += np.log10(table["kept"].where(table["kept"] > 0, 1))
    table["reached"] = table["reached"].astype(bool) & (table["kept"] > 0)
    return table


def volume_row(name: str, runs: pd.DataFrame, *, tau: float, model: str) -> dict[str, Any]:
    """A volume with its t interval over runs; where a run did not reach the set, only how small it is at least.

    That is the largest of the runs' volumes with twice its coefficient of variation: an upper end alone.
    """
    values, spent = runs["log10"].to_numpy(), int(runs["evaluations"].sum())
    note = f"{spent:,} evaluations"
    if runs["reached"].all():
        return row(
            "volume", name, float(values.mean()), unit=UNIT, n=len(runs), tau=tau, interval=mean_interval(values),
            kind=f"95 % t interval of the mean over {len(runs)} runs of subset simulation", note=note, model=model,
        )  # fmt: skip
    bound = float((values + 2 * runs["variation"] / math.log(10)).max())
    missed = int((~runs["reached"]).sum())
    note = f"no smaller than reached: at most 10^{bound:.1f}, {missed} of {len(runs)} runs ended before the set; {note}"
    return row("volume", name, None, unit=UNIT, n=len(runs), tau=tau, note=note, model=model) | {"high": bound}


def ball_row(dimension: int, runs: pd.DataFrame) -> dict[str, Any]:
    """The volume of the largest ball in a cube as it was estimated, with the exact one in the note."""
    values, exact = runs["log10"].to_numpy(), float(runs["exact"].iloc[0])
    return row(
        "volume_check", metric("log_volume", on="ball", dimension=dimension), float(values.mean()), unit=UNIT,
        n=len(values), interval=mean_interval(values), note=f"exact: {exact:.2f}",
        kind=f"95 % t interval of the mean over {len(values)} runs of subset simulation",
    )  # fmt: skip


def examples(networks: Mapping[str, Arrays], volumes: pd.DataFrame, kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """Pictures, 8 bits.

    Of M networks and K kinds the noise each is surest of: network (M,), kind (K,), image (M, K, H, W), score and label
    (M, K). Of each set that was reached an image of the first run: inside (V, H, W), of inside_network, inside_score,
    inside_tau and, its own score, inside_sure (V,).
    """
    surest = {name: [int(arrays[f"{kind}.scores"][0].argmax()) for kind in kinds] for name, arrays in networks.items()}

    def of(part: str) -> np.ndarray:
        return np.array([[arrays[f"{kind}.{part}"] for kind in kinds] for arrays in networks.values()])

    score = [[arrays[f"{kind}.scores"][0][i] for kind, i in zip(kinds, surest[name], strict=True)]
             for name, arrays in networks.items()]  # fmt: skip
    label = [[arrays[f"{kind}.label"][i] for kind, i in zip(kinds, surest[name], strict=True)]
             for name, arrays in networks.items()]  # fmt: skip
    first = (volumes["run"] == 0).to_numpy() & volumes["reached"].to_numpy()
    inside = np.concatenate([arrays["inside"] for arrays in networks.values()])[first]
    sure = np.concatenate([arrays["sure"] for arrays in networks.values()])[first]
    shown = volumes[first]
    return {
        "network": np.array(list(networks)),
        "kind": np.array(kinds),
        "image": pictures(torch.from_numpy(of("image"))),
        "score": np.exp(score),
        "label": np.array(label),
        "inside": pictures(torch.from_numpy(inside)),
        "inside_network": shown["network"].to_numpy(str),
        "inside_score": shown["score"].to_numpy(str),
        "inside_tau": shown["tau"].to_numpy(),
        "inside_sure": np.exp(sure),
    }
