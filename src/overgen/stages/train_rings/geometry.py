"""Three rings of points in the plane (Spigler 2019, Figure 2)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from overgen.run.streams import generator


def of_rings(settings: Any) -> dict[str, Any]:
    """Where the rings lie, as the functions below take it. settings: the section `train_rings` of params.yaml."""
    return {
        "centres": torch.tensor(settings.centres),
        "inner_radius": settings.inner_radius,
        "thickness": settings.thickness,
    }


def fresh(settings: Any, count: int, key: tuple[object, ...]) -> tuple[Tensor, Tensor]:
    """Points on the rings that no training has seen, (count, 2), and the numbers of their rings, (count,).

    settings: the section `train_rings`; key: of the random stream.
    """
    return sample(count, draws=generator(*key, "test"), **of_rings(settings))


def sample(
    count: int, centres: Tensor, *, inner_radius: float, thickness: float, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points uniform in area on the rings, each ring as likely.

    count: points; centres: (C, 2) of the rings; inner_radius, thickness: of each ring, in the unit of the centres.
    draws: the random stream; points lie on its device.
    Returns the points, (count, 2), and the numbers of their rings, (count,).
    """
    labels = torch.randint(len(centres), (count,), generator=draws, device=draws.device)
    u, v = torch.rand(2, count, generator=draws, device=draws.device)
    radius = (inner_radius**2 + u * ((inner_radius + thickness) ** 2 - inner_radius**2)).sqrt()
    angle = 2 * math.pi * v
    return centres[labels] + radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1), labels


def distance_to_rings(points: Tensor, centres: Tensor, *, inner_radius: float, thickness: float) -> Tensor:
    """How far points are from the nearest ring; 0 on it.

    points: (N, 2); centres, inner_radius, thickness: as in `sample`. Returns (N,), in their unit.
    """
    from_middle = (torch.cdist(points, centres) - (inner_radius + thickness / 2)).abs()
    return (from_middle.min(1).values - thickness / 2).clip(min=0)


def plane(resolution: int, extent: float) -> Tensor:
    """The centres of equal cells of [−extent, extent]².

    resolution: cells along each side. Returns (resolution², 2): rows of rising y, x within.
    """
    edge = extent * (1 - 1 / resolution)
    axis = torch.linspace(-edge, edge, resolution)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], 2).view(-1, 2)


def optimal_reconstruction(
    x: Tensor, centres: Tensor, *, inner_radius: float, thickness: float, noise_std: float
) -> Tensor:
    """The reconstruction that no denoiser beats in squared error, E[clean | noisy = x]: what training aims at.

    x: (N, 2); centres, inner_radius, thickness: as in `sample`; noise_std: of the noise, in their unit. Returns (N, 2).
    By quadrature over the rings, 200 angles by 9 radii: far finer than the noise.
    """
    angle = torch.arange(200) * (2 * math.pi / 200)
    radius = inner_radius + thickness * (torch.arange(9) + 0.5) / 9
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    nodes = centres[:, None, None] + radius[:, None, None] * circle  # (C, 9, 200, 2)
    area = radius.log()[:, None].expand(nodes.shape[:3])
    likelihood = -torch.cdist(x, nodes.view(-1, 2)).square() / (2 * noise_std**2)
    return torch.softmax(likelihood + area.flatten(), 1) @ nodes.view(-1, 2)
