"""A random image is noise: what networks say of noise, and how much of the cube of all images they call a class.

    python -m overgen.run explore_noise --dataset mnist --model networks

Noise is uniform or normal, or test images with their pixels shuffled or their phases drawn anew. The volume is that of
the set where the largest y, or ỹ, lies above τ: its share of the cube of all images, estimated by subset simulation
(`measures.volume`), which is checked on balls whose volume is known. In the simulation Γ = 1 is taken for ỹ; what Γ
changes is counted on the images of the set afterwards.

Reads: data/<dataset>; the first seed's networks. Writes the cell: noise.csv, a row a network, kind, score and τ;
volumes.csv, a row a run; balls.csv; examples.npz, the noise that each network is surest of, and images of each set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.confidence import curvature, distance, log_gate, log_reconstruction
from overgen.data import unknowns
from overgen.measures.volume import log_volumes
from overgen.models import registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_noise import summary

KINDS = ("uniform", "normal", "shuffled", "phase")
BALL_LEVELS = 2000  # more than any ball of 784 dimensions takes with chains of 10


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset = stage.item["dataset"]
    settings = stage.params(key := f"explore_noise.{dataset}")
    pairs = summary.paper_pairs(stage.params(f"confidence.{dataset}").thresholds)
    names = [*settings.networks, "balls"]

    def explore(i: int, _: Any) -> dict[str, np.ndarray]:
        return of_network(stage, names[i], pairs) if i < len(names) - 1 else of_balls(settings)

    found = stage.members(names, explore)
    if stage.rank == 0:
        budgets = [registry.trained(dataset, name)[1]["budget"] for name in settings.networks]
        budget = {name: spent for each in budgets for name, spent in each.items()}
        counts = ("images", "runs", "chains", "length", "levels")
        budget |= {f"{key}.{name}": getattr(settings, name) for name in counts}
        of_networks = dict(zip(settings.networks, found[:-1], strict=True))
        rows, tables, examples = summary.cell(of_networks, found[-1]["runs"], pairs, KINDS)
        results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples)


def of_network(stage: Stage, name: str, pairs: Sequence[tuple[float, float]]) -> dict[str, np.ndarray]:
    """What one network says. P pairs (τ, α), of which the network without a reconstruction has y alone, S scores.

    Returns of each kind scores (S, N), max log y and, of each pair, max log ỹ; label (N,); of the image with the
    largest y the image (1, …) and its score and label; volumes, as `summary.VOLUMES` names its columns; and inside and
    sure, an image of each set of `volumes`, (V, …) uint8, and its score.
    """
    dataset = data.load(stage.item["dataset"])
    settings = stage.params(f"explore_noise.{dataset.name}")
    chunk, probes = (stage.params(f"engine.{dataset.name}.{part}") for part in ("chunk", "probes"))
    beta = stage.params(f"confidence.{dataset.name}").beta
    network, _ = registry.trained(dataset.name, name, device=stage.device)
    judge = partial(judged, network, pairs=pairs, beta=beta, probes=probes)
    streams = {kind: generator(dataset.name, "noise", kind) for kind in KINDS}
    arrays: dict[str, np.ndarray] = {}
    for kind, images in unknowns.generated(dataset.test_images, settings.images, streams).items():
        parts = [judge(data.floats(block.to(stage.device))) for block in images.split(chunk)]
        scores, labels = (torch.cat([part[k] for part in parts], -1).cpu() for k in (0, 1))
        surest = int(scores[0].argmax())
        arrays |= {
            f"{kind}.scores": scores.numpy(),
            f"{kind}.label": labels.numpy(),
            f"{kind}.image": images[surest].numpy(),
        }
    return arrays | volumes(network, dataset.shape, judge, stage, name, pairs)


@torch.no_grad()
def judged(
    network: nn.Module,
    x: Tensor,
    *,
    pairs: Sequence[tuple[float, float]],
    beta: float,
    probes: int,
    gated: bool = True,
) -> tuple[Tensor, Tensor]:
    """The largest log y and, of a network that reconstructs, the largest log ỹ at the α of each pair; and the class.

    x: (N, C, H, W) in [0, 1]; pairs: (τ, α). gated: with Γ, which is computed only where ỹ may be above some τ: below
    all of them, what is returned is an upper bound. Returns (1 or 1 + P, N) and (N,).
    """
    log_y, reconstruction = network(x)
    best, label = log_y.max(1)
    if reconstruction is None:
        return best[None], label
    gap, pixels = distance(x, reconstruction), reconstruction.shape[1]
    scaled = torch.stack([best + log_reconstruction(gap, alpha=alpha, pixels=pixels) for _, alpha in pairs])
    limits = torch.tensor([[math.log(tau)] for tau, _ in pairs], device=scaled.device)
    rows = (scaled > limits).any(0)
    if gated and bool(rows.any()):
        scaled[:, rows] += log_gate(curvature(network, x[rows], probes=probes)[0], beta=beta)
    return torch.cat([best[None], scaled]), label


def volumes(
    network: nn.Module,
    shape: tuple[int, ...],
    judge: Any,
    stage: Stage,
    name: str,
    pairs: Sequence[tuple[float, float]],
) -> dict[str, np.ndarray]:
    """The volumes that the network calls a class, see `of_network`."""
    dataset = stage.item["dataset"]
    settings = stage.params(f"explore_noise.{dataset}")
    chunk = stage.params(f"engine.{dataset}.chunk")
    chains = {part: getattr(settings, part) for part in ("chains", "length", "levels")}
    taus = sorted(tau for tau, _ in pairs)
    rows, inside, sure = [], [], []
    with torch.no_grad():
        reconstructs = network(torch.zeros(1, *shape, device=stage.device)).reconstruction is not None
    asked: list[tuple[int, Sequence[float]]] = [(0, taus)]
    if name in settings.scaled_volumes:
        if not reconstructs:
            raise OvergenError(
                f"params.yaml, explore_noise.{dataset}.scaled_volumes: {name} does not reconstruct, so that ỹ is y; "
                "leave it out"
            )
        asked += [(1 + k, [tau]) for k, (tau, _) in enumerate(pairs)]
    for score, of in asked:

        def log_score(points: Tensor, score: int = score) -> Tensor:
            blocks = points.view(-1, *shape).split(chunk)
            return torch.cat([judge(block.to(stage.device), gated=False)[0][score] for block in blocks])

        draws = [generator(dataset, "noise", "volume", name, score, run) for run in range(settings.runs)]
        runs = log_volumes(log_score, math.prod(shape), [math.log(tau) for tau in of], draws, **chains)
        for (k, tau), (run, found) in ((t, r) for t in enumerate(of) for r in enumerate(runs)):
            volume, kept, image, log_sure = found[k], 1.0, torch.zeros(shape), math.nan
            if volume.reached:
                images = volume.inside.view(-1, *shape)
                parts = [judge(block.to(stage.device))[0][score] for block in images.split(chunk)]
                scores = torch.cat(parts).cpu()
                kept = float((scores > math.log(tau)).double().mean())
                image, log_sure = images[0], float(scores[0])
            alpha = pairs[score - 1][1] if score else math.nan
            rows.append([score > 0, tau, alpha, run, *volume[:-1], len(volume.inside), kept])
            inside.append((255 * image).round().byte().numpy())
            sure.append(log_sure)
    return {"volumes": np.array(rows, float), "inside": np.stack(inside), "sure": np.array(sure)}


def of_balls(settings: Any) -> dict[str, np.ndarray]:
    """The estimator on the largest balls in cubes: runs, dimension and log10 of each estimate, (B · R, 2)."""

    def inwards(points: Tensor) -> Tensor:
        return -(points - 0.5).norm(dim=1)

    rows = []
    for dimension in settings.balls:
        draws = [generator("noise", "ball", dimension, run) for run in range(settings.runs)]
        chains = {"chains": settings.chains, "length": settings.length, "levels": BALL_LEVELS}
        for (found,) in log_volumes(inwards, dimension, [-0.5], draws, **chains):
            rows.append([dimension, found.log10])
    return {"runs": np.array(rows, float)}
