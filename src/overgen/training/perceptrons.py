"""Training one of the perceptrons of Szegedy et al. 2013 on some images, as those of Table 1 are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import data
from overgen.measures.outputs import image_outputs, part
from overgen.models import check_shape
from overgen.models.perceptrons import Perceptron
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.training.members import curve_arrays, train_together, weight_arrays
from overgen.training.module import Training


def trained(
    stage: Stage,
    run: Any,
    network: Perceptron,
    images: Tensor,
    labels: Tensor,
    *,
    member: str,
    key: tuple[object, ...],
    settings: Any,
    decays: Mapping[str, float],
    training: type[Training] = Training,
    **options: Any,
) -> tuple[nn.Module, dict[str, np.ndarray]]:
    """Train a perceptron in place, in float32, by Adam with a rate that falls to 0 on a line.

    run: to log to; images: (N, 1, 28, 28) uint8; labels: (N,).
    member: names the progress file; key: names the random streams, those of the initial weights too.
    settings: has batch_size, epochs and learning_rate; decays: the factors of Σw² by weight, as in `Training`.
    training, options: a class derived from `Training`, and its further arguments.
    Returns the network, in evaluation mode with float16-rounded weights, and its arrays: `weight.*` and `curve.*`.
    """
    check_shape("perceptron", tuple(images.shape[1:]), stage.item["dataset"])
    network.initialise(generator(*key, "weights"))  # type: ignore[misc]  # it is CNN's own
    module = training(
        network.train().to(stage.device),
        images.to(stage.device),
        labels.to(stage.device),
        key=key,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        l2=0.0,
        decays=decays,
        falling=True,
        **options,
    )
    after, curves = train_together(stage, [run], {member: module}, epochs=settings.epochs, precision="32")[0]
    return after, weight_arrays(after) | curve_arrays(curves)


def restored(arrays: Mapping[str, np.ndarray], hidden: Sequence[int], classes: int) -> Perceptron:
    """The network whose `weight.*` arrays hold, float32, in evaluation mode, frozen."""
    network = Perceptron(hidden, classes)
    network.load_state_dict({k: torch.from_numpy(v).float() for k, v in part(arrays, "weight").items()})
    return network.eval().requires_grad_(False)


def wrong(stage: Stage, network: nn.Module, images: Tensor, labels: Tensor) -> np.ndarray:
    """Which images a network labels wrong, bool (N,). images: (N, 1, 28, 28) uint8; labels: (N,)."""
    engine = stage.params(f"engine.{data.load(stage.item['dataset']).name}")
    outputs = image_outputs(network, images.to(stage.device), chunk=engine.chunk, probes=engine.probes)
    return outputs["log_y"].argmax(1) != labels.numpy()
