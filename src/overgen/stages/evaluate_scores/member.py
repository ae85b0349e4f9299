"""The scores of one member of the open-set study: what is judged, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import data
from overgen.data.unknowns import shuffled, uniform_images
from overgen.measures.outputs import image_outputs
from overgen.models import registry
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores import methods
from overgen.scores.fitting import fitted_scores, output_scores
from overgen.scores.names import OF_OUTPUTS
from overgen.scores.views import held_out, views


def option(stage: Stage, name: str) -> Any:
    """An option of the section `evaluate_scores`."""
    return stage.params(f"evaluate_scores.{name}")


def scores_of(
    stage: Stage, path: Path, outputs: dict[str, np.ndarray], further: dict[str, Tensor], names: list[str]
) -> dict[str, np.ndarray]:
    """The scores of one member: `<method>.<part>`, (N,) each.

    path: of its weights; outputs: its stored arrays, (1, ...) each; further: of `further_images`.
    names: of the methods.
    The parts are held_out, test and the kinds of `summary.KINDS` that there are: scores, larger = more in-distribution;
    and predicted: the class of each test image.
    """
    dataset, confidence = data.load(stage.item["dataset"]), stage.params(f"confidence.{stage.item['dataset']}")
    chunk, probes = (stage.params(f"engine.{dataset.name}.{name}") for name in ("chunk", "probes"))
    known = np.flatnonzero(outputs["known"][0]).tolist()
    network, _ = registry.of_model(path, dataset.name, stage.item["model"], device=stage.device, known=known)
    draws = generator("scores", dataset.name, *known)
    fit, left_out = held_out(dataset.train_labels, known, draws, option(stage, "held_out"))
    images = {"held_out": dataset.train_images[left_out], "test": dataset.test_images}
    images |= unknown_images(dataset, known, dataset.train_images[fit], draws, option(stage, "noise_images"))
    images |= further
    answers = outputs["log_y"][0].argmax(1)

    def see(x: Tensor, wanted: set[str]) -> dict[str, np.ndarray]:
        return views(network, x.to(stage.device), wanted, chunk=chunk)

    fitted = [name for name in names if name not in OF_OUTPUTS]
    on, labels = dataset.train_images[fit], dataset.train_labels[fit].numpy()
    options = methods.options_on(dataset.name, partial(option, stage))
    scores = fitted_scores(
        fitted, see, images, on, labels, draws, answers, options=options, fit_images=option(stage, "fit_images")
    )
    if set(names) & set(OF_OUTPUTS):
        stored = {"test": outputs}
        for kind, x in images.items():
            if kind == "test":  # its outputs are stored
                continue
            values = image_outputs(network, x.to(stage.device), chunk=chunk, probes=probes)
            stored[kind] = {name: array[None] for name, array in values.items()}
        scores |= output_scores(names, confidence, stored, answers)
    return scores


def unknown_images(
    dataset: data.Dataset, known: Sequence[int], fitted: Tensor, draws: torch.Generator, count: int
) -> dict[str, Tensor]:
    """Images of no class, by kind: uniform noise, normal noise, and test images of known classes with shuffled pixels.

    known: the known classes; fitted: images (N, C, H, W) uint8, whose mean and deviation the normal noise has.
    Returns (count, C, H, W) uint8 each.
    """
    uniform = uniform_images(count, dataset.shape, draws)
    pixels = fitted.float()
    normal = torch.randn(uniform.shape, generator=draws) * pixels.std() + pixels.mean()
    place = torch.isin(dataset.test_labels, torch.tensor(known)).nonzero()[:, 0]
    chosen = place[torch.randint(len(place), (count,), generator=draws)]
    return {
        "uniform": uniform,
        "normal": normal.round().clamp(0, 255).byte(),
        "shuffled": shuffled(dataset.test_images[chosen], draws),
    }
