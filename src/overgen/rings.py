"""The two-dimensional study (Spigler 2019, Figure 2): points uniform on three rings, one class a ring.

A denoising autoencoder with a classifier on top learns them from noisy points; then its output and its confidence are
evaluated over the whole plane, most of which no data ever come from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from overgen.confidence import distance, input_curvature, log_gate, log_reconstruction
from overgen.networks import PointAutoencoder
from overgen.runtime import Steps, generator

BLOCK = 500  # optimiser steps of one Lightning step, its own epoch: Lightning's share of a single one is longer than it
CHUNK = 4096  # points evaluated together


def sample(
    count: int, centres: Tensor, *, inner_radius: float, thickness: float, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points uniform in area on the rings, each ring as likely: (count, 2), and the numbers of their rings, (count,).

    centres: (C, 2). A ring lies between inner_radius and inner_radius + thickness, in the unit of the centres.
    """
    labels = torch.randint(len(centres), (count,), generator=draws, device=draws.device)
    u, v = torch.rand(2, count, generator=draws, device=draws.device)
    radius = (inner_radius**2 + u * ((inner_radius + thickness) ** 2 - inner_radius**2)).sqrt()
    angle = 2 * math.pi * v
    return centres[labels] + radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1), labels


def distance_to_rings(points: Tensor, centres: Tensor, *, inner_radius: float, thickness: float) -> Tensor:
    """How far points (N, 2) are from the nearest ring, (N,); 0 on it."""
    from_middle = (torch.cdist(points, centres) - (inner_radius + thickness / 2)).abs()
    return (from_middle.min(1).values - thickness / 2).clip(min=0)


def plane(resolution: int, extent: float) -> Tensor:
    """The centres of resolution² equal cells of [−extent, extent]², (resolution², 2): rows of rising y, x within."""
    edge = extent * (1 - 1 / resolution)
    axis = torch.linspace(-edge, edge, resolution)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], 2).view(-1, 2)


def optimal_reconstruction(
    x: Tensor, centres: Tensor, *, inner_radius: float, thickness: float, noise_std: float
) -> Tensor:
    """The reconstruction that no denoiser beats in squared error, E[clean | noisy = x], (N, 2): what training aims at.

    By quadrature over the rings, 200 angles by 9 radii: far finer than the noise.
    """
    angle = torch.arange(200) * (2 * math.pi / 200)
    radius = inner_radius + thickness * (torch.arange(9) + 0.5) / 9
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    nodes = centres[:, None, None] + radius[:, None, None] * circle  # (C, 9, 200, 2)
    area = radius.log()[:, None].expand(nodes.shape[:3])
    likelihood = -torch.cdist(x, nodes.view(-1, 2)).square() / (2 * noise_std**2)
    return torch.softmax(likelihood + area.flatten(), 1) @ nodes.view(-1, 2)


class RingsTraining(pl.LightningModule):
    """Training on fresh noisy points at every step: cross-entropy + reconstruction_weight × squared error.

    The squared error is a mean over coordinates and points, against the clean points. Adam (0.9, 0.999).
    settings: the section `train_rings` of params.yaml; key: names the random stream of points and noise.
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
        found = {"step": first + count, **dict(zip(names, means, strict=True))}
        self.curves.append(found)
        # Lightning takes a metric named "step" for the step to log at; its own count stands still here.
        self.log_dict({"step": float(first + count), **{f"train/{name}": found[name] for name in names}})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), lr=self.settings.learning_rate, fused=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curves"] = self.curves

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.curves = checkpoint["curves"]


def point_outputs(network: PointAutoencoder, points: Tensor) -> dict[str, np.ndarray]:
    """All that α and β need to know of points (N, 2): float32 log_y (N, C), distance (N,) and exact gamma (N,)."""
    parts: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for x in points.split(CHUNK):
            log_y, reconstruction = network(x)
            parts.append((log_y, distance(x, reconstruction), input_curvature(network, x)))
    names = ("log_y", "distance", "gamma")
    return {name: torch.cat(values).numpy() for name, values in zip(names, zip(*parts, strict=True), strict=True)}


def scores(outputs: dict[str, np.ndarray], *, alpha: float, beta: float) -> dict[str, np.ndarray]:
    """From `point_outputs`, each in [0, 1]: y and ỹ, (N, C); `ungated`, ỹ with Γ = 1, (N, C); the factors of c̃, (N,).

    These are named `reconstruction`, exp(−(α/D)·‖r − x‖₂) with D = 2, and `gate`, Γ (Eq. 3–6).
    """
    y = np.exp(outputs["log_y"])
    reconstruction = np.exp(log_reconstruction(outputs["distance"], alpha=alpha, pixels=2))
    gate = np.exp(log_gate(outputs["gamma"], beta=beta))
    ungated = y * reconstruction[:, None]
    return {
        "y": y,
        "ungated": ungated,
        "scaled": ungated * gate[:, None],
        "reconstruction": reconstruction,
        "gate": gate,
    }
