"""Training on the rings."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F

from overgen.models.points import PointAutoencoder
from overgen.run.streams import generator
from overgen.run.trainer import Steps
from overgen.stages.train_rings.geometry import sample

BLOCK = 500  # optimiser steps of one Lightning step, its own epoch: Lightning's share of a single one is longer than it


class RingsTraining(pl.LightningModule):
    """Training on fresh noisy points at every step: cross-entropy + reconstruction_weight × squared error.

    network: on the device that trains; settings: the section `train_rings` of params.yaml.
    key: names the random stream of points and noise.
    The squared error is a mean over coordinates and points, against the clean points. Adam (0.9, 0.999).
    `curves` gets a row each BLOCK steps, with the means over them: step, classification_loss (nats),
    reconstruction_loss (squared length) and accuracy on the noisy points (a fraction).
    """

    def __init__(self, network: PointAutoencoder, settings: Any, *, key: tuple[object, ...]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.settings, self.key = network, settings, key
        self.curves: list[dict[str, float]] = []

    @property
    def epochs(self) -> int:
        """How many there are to train: one for each block."""
        return math.ceil(self.settings.steps / BLOCK)

    def train_dataloader(self) -> Steps:
        """One Lightning step, which knows its block by the epoch."""
        return Steps([0])

    def training_step(self, _: int) -> None:
        first = self.current_epoch * BLOCK
        count, batch = min(BLOCK, self.settings.steps - first), self.settings.batch_size
        draws = generator(*self.key, "points", first, device=self.device)
        clean, labels = sample(
            count * batch,
            torch.tensor(self.settings.centres, device=self.device),
            inner_radius=self.settings.inner_radius,
            thickness=self.settings.thickness,
            draws=draws,
        )
        noise = torch.randn(clean.shape, generator=draws, device=self.device)
        noisy = clean + self.settings.noise_std * noise
        adam: Any = self.optimizers()
        outputs = []  # measured together at the end: cheaper than after every step
        steps = zip(noisy.split(batch), clean.split(batch), labels.split(batch), strict=True)
        for x, target, classes in steps:
            log_y, reconstruction = self.network(x)
            loss = F.nll_loss(log_y, classes) + self.settings.reconstruction_weight * F.mse_loss(reconstruction, target)
            adam.zero_grad()
            loss.backward()
            adam.step()
            outputs.append((log_y.detach(), reconstruction.detach()))
        log_y, reconstruction = (torch.cat(parts) for parts in zip(*outputs, strict=True))
        right = (log_y.argmax(1) == labels).float().mean()
        means = [float(mean) for mean in (F.nll_loss(log_y, labels), F.mse_loss(reconstruction, clean), right)]
        if not all(map(math.isfinite, means)):
            raise FloatingPointError(f"the training losses are {means[0]} and {means[1]} by step {first + count}")
        names = ("classification_loss", "reconstruction_loss", "accuracy")
        curve = {"step": first + count, **dict(zip(names, means, strict=True))}
        self.curves.append(curve)
        # Lightning takes a metric named "step" for the step to log at; its own count stands still here.
        self.log_dict({"step": float(first + count), **{f"train/{name}": curve[name] for name in names}})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate, fused=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curves"] = self.curves

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.curves = checkpoint["curves"]
