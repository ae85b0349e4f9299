"""Paths from one test image to another: along straight lines in pixels and in latents, and along the data.

    python -m overgen.run explore_paths --dataset digits --model networks

Reads: data/<dataset>; weights, models/<dataset>/networks. Writes the cell: curves.csv, what is measured along the way,
as quantiles over pairs; pairs.csv, a row a pair and way; examples.npz, the images along some paths.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.measures.neighbours import nearest
from overgen.measures.outputs import image_outputs, scaled_scores
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_paths import summary
from overgen.stages.explore_paths.geodesics import Graph
from overgen.stages.explore_paths.pairs import Pairs, draw_pairs

Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell."""
    work = Work(stage)
    ways = ["pixels", *work.settings.latents, "geodesic"]
    made = dict(zip(ways, stage.members(ways, lambda i, run: work.of_way(ways[i])), strict=False))
    if stage.rank != 0:
        return
    pairs = summary.pairs_table(made, work.pairs, work.tau)
    budget = {f"explore_paths.{stage.item['dataset']}.pairs": work.settings.pairs}
    for model in dict.fromkeys([*work.settings.latents, work.settings.denoiser, work.settings.classifier]):
        budget |= registry.trained(stage.item["dataset"], model)[1]["budget"]
    results.write(
        stage.cell,
        budget=budget,
        metrics=summary.rows(pairs, work.tau),
        tables={"pairs": pairs.round(4), "curves": summary.curves(made, work.pairs)},
        examples=summary.shown(made, work.pairs, work.settings.shown),
    )


class Work:
    """The images of a data set, the pairs, and what is said of the images along the way.

    images: (N, C, H, W) uint8 test images; tau, alpha: the largest τ, with the first α that goes with it.
    """

    def __init__(self, stage: Stage) -> None:
        self.name = stage.item["dataset"]
        self.settings = stage.params(f"explore_paths.{self.name}")
        self.chunk, self.probes = (stage.params(f"engine.{self.name}.{key}") for key in ("chunk", "probes"))
        confidence = stage.params(f"confidence.{self.name}")
        self.device, self.beta = stage.device, confidence.beta
        pairs = threshold_pairs(confidence.thresholds, reconstructs=True)
        self.tau, self.alpha = max(pairs, key=lambda pair: pair[0])  # the first of them
        dataset = data.load(self.name)
        self.images = dataset.test_images
        self.pairs: Pairs = draw_pairs(dataset.test_labels.numpy(), self.settings.pairs, self.name)
        wanted, there = self.settings.graph_images + self.settings.reference_images, len(dataset.train_images)
        if wanted > there:
            raise OvergenError(
                f"params.yaml, explore_paths.{self.name}: graph_images and reference_images are {wanted} together, and "
                f"data/{self.name} has {there} training images; give fewer"
            )
        order = torch.randperm(there, generator=generator("explore_paths", "training images"))
        self.graph_images, self.reference = (
            points(dataset.train_images[own])
            for own in order[:wanted].split([self.settings.graph_images, self.settings.reference_images])
        )

    def of_way(self, way: str) -> Arrays:
        """What is said along all paths of a way, (P, T) each, as `said`, and image: (P, T, ...) uint8.

        Values are NaN along a path that there is not.
        """
        images = self.geodesics() if way == "geodesic" else self.lines(way)
        there = ~images[:, 0].flatten(1).isnan().any(1)
        in_8_bits = torch.zeros(images.shape, dtype=torch.uint8)
        in_8_bits[there] = (255 * images[there]).round().clamp(0, 255).byte()
        found: Arrays = {"image": data.pictures(in_8_bits)}
        for name, values in self.said(in_8_bits[there].flatten(0, 1)).items():
            found[name] = np.full(images.shape[:2], np.nan, np.float32)
            found[name][there.numpy()] = values.reshape(-1, images.shape[1])
        return found

    @torch.no_grad()
    def lines(self, way: str) -> Tensor:
        """Images on straight lines, in pixels or in the latents of a network: (P, T, C, H, W) in [0, 1]."""
        ends = [data.floats(self.images[own]) for own in (self.pairs.first, self.pairs.second)]
        at = torch.linspace(0, 1, self.settings.positions)
        if way == "pixels":
            return torch.stack([(1 - t) * ends[0] + t * ends[1] for t in at.tolist()], 1)
        network, _ = registry.trained(self.name, way, device=self.device)
        if not hasattr(network, "decode") or getattr(network, "switches", lambda x: None)(ends[0][:1]) is not None:
            raise OvergenError(
                f"params.yaml, explore_paths.{self.name}.latents: {way} has no decoder that takes its code alone; "
                "leave it out"
            )
        codes = [network.encode(end.to(self.device)) for end in ends]  # type: ignore[operator]
        steps = [network.decode((1 - t) * codes[0] + t * codes[1]).cpu() for t in at.tolist()]  # type: ignore[operator]
        return torch.stack([step.view_as(ends[0]).clamp(0, 1) for step in steps], 1)

    def geodesics(self) -> Tensor:
        """Images along the shortest paths through training images, evenly by length: (P, T, C, H, W), NaN for none."""
        first, second = (points(self.images[own]) for own in (self.pairs.first, self.pairs.second))
        graph = Graph(self.graph_images, self.settings.neighbours)
        paths = graph.shortest(first, second)
        at = np.linspace(0, 1, self.settings.positions)
        empty = np.full((len(at), first.shape[1]), np.nan, np.float32)
        images = np.stack([empty if path is None else along(path, at) for path in paths])
        return torch.from_numpy(images).view(*images.shape[:2], *self.images.shape[1:])

    def said(self, images: Tensor) -> Arrays:
        """Of images (N, C, H, W) uint8, (N,) each.

        distance: to the nearest reference image; error: ‖r(x) − x‖₂ of the denoiser; scaled: its largest ỹ; score: the
        classifier's largest y; answer: its class.
        """
        denoiser, classifier = (
            registry.trained(self.name, model, device=self.device)[0]
            for model in (self.settings.denoiser, self.settings.classifier)
        )
        own = images.to(self.device)
        seen = image_outputs(denoiser, own, chunk=self.chunk, probes=self.probes)
        if "distance" not in seen or "log_y" not in seen:
            raise OvergenError(
                f"params.yaml, explore_paths.{self.name}.denoiser: {self.settings.denoiser} does not both reconstruct "
                "and classify; name a dAE"
            )
        stacked = {name: values[None] for name, values in seen.items()}
        log_scaled = scaled_scores(stacked, 0, alpha=self.alpha, beta=self.beta)
        log_y = image_outputs(classifier, own, chunk=self.chunk, probes=self.probes)["log_y"]
        return {
            "distance": nearest(self.reference, 1, points(images)).distances[:, 0],
            "error": seen["distance"],
            "scaled": np.exp(log_scaled.max(1)),
            "score": np.exp(log_y.max(1)),
            "answer": log_y.argmax(1),
        }


def points(images: Tensor) -> np.ndarray:
    """Images (N, C, H, W) uint8 as points, (N, D) float32 in [0, 1]."""
    return data.floats(images).flatten(1).numpy()


def along(path: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Points on a path of straight pieces. path: (V, D) corners; at: (T,) shares of its length. Returns (T, D)."""
    lengths = np.linalg.norm(np.diff(path.astype(np.float64), axis=0), axis=1)
    place = np.r_[0, np.cumsum(lengths)]
    place /= place[-1]
    piece = np.clip(np.searchsorted(place, at, side="right") - 1, 0, len(lengths) - 1)
    share = ((at - place[piece]) / np.diff(place)[piece])[:, None]
    return ((1 - share) * path[piece] + share * path[piece + 1]).astype(np.float32)
