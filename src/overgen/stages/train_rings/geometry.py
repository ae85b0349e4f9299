"""Three rings of points in the plane (Spigler 2019, Figure 2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


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
