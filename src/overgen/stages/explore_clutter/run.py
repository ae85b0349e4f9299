"""Clutter: digits over photographs, one and several. What do networks make of the whole picture, and of its parts?

    python -m overgen.run explore_clutter --dataset mnist --model networks

A picture is seen in several ways: whole; within the true mask of its object (all else black); and within a mask that
is found by the reconstruction of an autoencoder alone (`overgen.measures.attention`). Canvases of 2 × 2 places hold
several objects: they are seen whole, at half their size, or as the sum over their places of the scores ỹ of each class.

Reads: data/<dataset>; models/<dataset>/networks/, the first seed of each.
Writes the cell: scenes.csv, a row a network, way, strength and class; canvases.csv, a row a network, way, number of
objects and class; examples.npz, pictures in each way with their answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.data import clutter
from overgen.measures.attention import attention
from overgen.measures.outputs import image_outputs
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_clutter import summary

Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell. Raises OvergenError for images in colour."""
    name = stage.item["dataset"]
    settings, dataset = stage.params(f"explore_clutter.{name}"), data.load(name)
    if dataset.shape[0] != 1:
        raise OvergenError(f"params.yaml, clutter_datasets: images of {name} are in colour; scenes are gray")
    made = stage.members(["pictures"], lambda i, run: pictures(stage, settings, dataset))
    if stage.rank != 0:
        return
    seen = [judged(stage, dataset, made[0], model) for model in settings.networks]
    confidence = stage.params(f"confidence.{name}")
    rows, tables, examples = summary.cell(
        dict(zip(settings.networks, seen, strict=True)), made[0], settings.strengths, settings.objects, confidence.beta,
        lambda reconstructs: threshold_pairs(confidence.thresholds, reconstructs=reconstructs),
    )  # fmt: skip
    spent = {key: getattr(settings, key) for key in ("images", "canvases")} | {
        "attention.steps": settings.attention.steps
    }
    budget = {f"explore_clutter.{name}.{key}": count for key, count in spent.items()}
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=examples)


def judged(stage: Stage, dataset: data.Dataset, made: Arrays, model: str) -> Arrays:
    """`<picture>.<output>` of a network, as `image_outputs` gives them. made: of `pictures`."""
    chunk, probes = (stage.params(f"engine.{dataset.name}.{key}") for key in ("chunk", "probes"))
    network, _ = registry.trained(dataset.name, model, device=stage.device)
    images = {name: x for name, x in made.items() if name.startswith(("scene.", "canvas."))}
    return {
        f"{name}.{output}": array
        for name, x in images.items()
        for output, array in image_outputs(
            network, torch.from_numpy(x).to(stage.device), chunk=chunk, probes=probes
        ).items()
    }


def pictures(stage: Stage, settings: Any, dataset: data.Dataset) -> Arrays:
    """All pictures, uint8, and whose they are.

    scene.<way>.<strength>: (N, 1, H, W); canvas.<way>.<objects>: whole (M, 1, H, W), else the four places of each
    canvas, (4·M, 1, H, W); labels: (N,) of the scenes; labels.<objects>: (M, objects); mask.<strength>: (N, H, W).
    """
    network, _ = registry.trained(dataset.name, settings.autoencoder, device=stage.device)
    network.requires_grad_(False)
    objects, labels = by_class(dataset, settings.images, "scenes")
    side = dataset.shape[1]
    ground = clutter.grounds(settings.photographs, len(objects), side, generator("clutter", dataset.name, "grounds"))
    arrays: Arrays = {"labels": labels.numpy()}
    for strength in settings.strengths:
        scene = clutter.over(objects, ground, strength)
        mask = masks_of(network, scene, settings, stage)
        arrays[f"scene.whole.{strength:g}"] = scene.numpy()
        arrays[f"scene.true.{strength:g}"] = (scene * clutter.masks(objects)).numpy()
        arrays[f"scene.found.{strength:g}"] = within(scene, mask).numpy()
        arrays[f"mask.{strength:g}"] = (255 * mask[:, 0]).round().byte().numpy()
    for count in settings.objects:
        draws = generator("clutter", dataset.name, "canvases", count)
        chosen = torch.randperm(len(dataset.test_images), generator=draws)[: count * settings.canvases]
        canvas, _ = clutter.canvases(dataset.test_images[chosen], count, draws)
        arrays[f"labels.{count}"] = dataset.test_labels[chosen].view(-1, count).numpy()
        photographed = clutter.grounds(settings.photographs, len(canvas), 2 * side, draws)
        scene = clutter.over(canvas, photographed, settings.strengths[-1])
        parts, inside = (clutter.windows(x).flatten(0, 1) for x in (scene, clutter.masks(canvas)))
        arrays[f"canvas.whole.{count}"] = clutter.halved(scene).numpy()
        arrays[f"canvas.places.{count}"] = parts.numpy()
        arrays[f"canvas.true.{count}"] = (parts * inside).numpy()
        arrays[f"canvas.found.{count}"] = within(parts, masks_of(network, parts, settings, stage)).numpy()
    return arrays


def masks_of(network: nn.Module, images: Tensor, settings: Any, stage: Stage) -> Tensor:
    """The masks that the network's reconstruction finds, (N, 1, H, W) in [0, 1]."""
    chosen = settings.attention.model_dump()
    blocks = images.split(stage.params(f"engine.{stage.item['dataset']}.chunk"))
    found = [attention(network, data.floats(block).to(stage.device), **chosen).cpu() for block in blocks]
    return torch.cat(found)


def within(images: Tensor, mask: Tensor) -> Tensor:
    """Images (N, 1, H, W) uint8 times masks in [0, 1], uint8."""
    return (images * mask).round().byte()


def by_class(dataset: data.Dataset, count: int, *key: str) -> tuple[Tensor, Tensor]:
    """At most so many random test images of each class, and their labels."""
    order = torch.randperm(len(dataset.test_images), generator=generator("clutter", dataset.name, *key))
    labels = dataset.test_labels[order]
    chosen = torch.cat([order[labels == c][:count] for c in range(len(dataset.classes))])
    return dataset.test_images[chosen], dataset.test_labels[chosen]
