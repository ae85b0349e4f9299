"""Views of one fixed object in three dimensions, by plain ray casting: pictures all of whose freedom is known.

An orthographic camera looks along −z at the square [−1, 1]², all of which a picture of 28 × 28 shows. The object is
three balls and two boxes that hang together, without a symmetry. It is white on black, lit by one distant lamp
(Lambert's law) and some light from everywhere; it casts no shadows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

SIDE = 28  # pixels
FINE = 2  # rays along each side of a pixel, of which it is the mean
AMBIENT = 0.15  # light from everywhere; the lamp adds up to 1
# The degrees of freedom, each with its range. Angles in radians, about x, y and z in this order; shifts in halves of
# the picture, so that 0.15 is two pixels; the lamp's direction by its angles from the camera's axis.
PARAMETERS: Mapping[str, tuple[float, float]] = {
    "turn_x": (-math.pi / 6, math.pi / 6),
    "turn_y": (-math.pi / 6, math.pi / 6),
    "turn_z": (-math.pi / 6, math.pi / 6),
    "shift_x": (-0.15, 0.15),
    "shift_y": (-0.15, 0.15),
    "lamp_x": (-math.pi / 3, math.pi / 3),
    "lamp_y": (-math.pi / 3, math.pi / 3),
}
BALLS = np.array([[0.0, -0.15, 0.0, 0.38], [0.12, 0.38, 0.1, 0.24], [-0.42, -0.3, 0.25, 0.2]])  # centre and radius
BOXES = np.array([[0.42, -0.12, -0.05, 0.24, 0.1, 0.16], [-0.1, 0.1, 0.35, 0.1, 0.2, 0.08]])  # centre and half sides
BLOCK = 4  # views drawn together: what they take fits into a cache


def drawn(draw: np.random.Generator, count: int, varied: tuple[str, ...] = tuple(PARAMETERS)) -> np.ndarray:
    """Parameters of views, (count, 7) in the order of `PARAMETERS`: uniform in their ranges, or in the middle.

    varied: those that are not in the middle. Raises ValueError for one that is none of them.
    """
    if unknown := set(varied) - set(PARAMETERS):
        raise ValueError(f"{sorted(unknown)[0]!r} is none of {', '.join(PARAMETERS)}")
    low, high = np.array(list(PARAMETERS.values())).T
    uniform = low + (high - low) * draw.random((count, len(PARAMETERS)))
    return np.where([name in varied for name in PARAMETERS], uniform, (low + high) / 2)


def views(parameters: np.ndarray) -> np.ndarray:
    """Pictures of the object. parameters: (N, 7), as of `drawn`. Returns (N, 28, 28) float32 in [0, 1].

    Raises ValueError for another shape.
    """
    parameters = np.asarray(parameters, dtype=np.float64)
    if parameters.ndim != 2 or parameters.shape[1] != len(PARAMETERS):
        raise ValueError(f"parameters: shape {parameters.shape}, must be (N, {len(PARAMETERS)})")
    parts = [_block(parameters[start : start + BLOCK]) for start in range(0, len(parameters), BLOCK)]
    return np.concatenate([np.zeros((0, SIDE, SIDE), np.float32), *parts])


def _block(parameters: np.ndarray) -> np.ndarray:
    """`views` of a few. Rays go through p = (x, y, ·) along −z: the nearest surface is that with the largest z."""
    turn, lamp = (a.astype(np.float32) for a in (rotation(parameters[:, :3]), _lamp(parameters[:, 5:])))
    rays = (np.arange(SIDE * FINE) + 0.5) / (SIDE * FINE / 2) - 1
    x, y = (grid.ravel() for grid in np.meshgrid(rays, -rays))  # the first row of pixels is at the top
    x = (x - parameters[:, 3:4]).astype(np.float32)  # (N, P), as if the object stood in the middle
    y = (y - parameters[:, 4:5]).astype(np.float32)
    depth, light = np.full(x.shape, -np.inf, np.float32), np.zeros_like(x)
    for *centre, radius in BALLS.tolist():
        at = turn @ np.array(centre, np.float32)  # (N, 3)
        dx, dy = x - at[:, :1], y - at[:, 1:2]
        up = np.sqrt(np.maximum(radius**2 - dx**2 - dy**2, 0))
        hit = (up > 0) & (at[:, 2:] + up > depth)
        shade = (dx * lamp[:, :1] + dy * lamp[:, 1:2] + up * lamp[:, 2:]) / radius
        depth, light = np.where(hit, at[:, 2:] + up, depth), np.where(hit, shade, light)
    for box in BOXES:
        far, shade = _box(x, y, turn, lamp, box[:3], box[3:])
        depth, light = np.where(far > depth, far, depth), np.where(far > depth, shade, light)
    value = np.where(depth > -np.inf, AMBIENT + (1 - AMBIENT) * np.maximum(light, 0), 0)
    return value.reshape(len(x), SIDE, FINE, SIDE, FINE).mean((2, 4), dtype=np.float64).astype(np.float32)


def _box(
    x: np.ndarray, y: np.ndarray, turn: np.ndarray, lamp: np.ndarray, centre: np.ndarray, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where rays meet a box first, (N, P) z or −∞, and n·l of its face there.

    In the box's own axes a ray is o + z·e, with e the third row of R: it is between two faces for z between
    (−h − o)/e and (h − o)/e, and meets the box where all three ranges overlap.
    """
    enter, leave, shade = np.full_like(x, np.inf), np.full_like(x, -np.inf), np.zeros_like(x)
    for axis in range(3):
        normal = turn[:, :, axis]  # (N, 3), of the face, as the camera sees it
        offset = x * normal[:, :1] + y * normal[:, 1:2] - np.float32(centre[axis])
        slope = np.where(np.abs(normal[:, 2:]) < 1e-9, np.float32(1e-9), normal[:, 2:])
        middle, reach = -offset / slope, np.float32(half[axis]) / np.abs(slope)
        near, far = middle + reach, middle - reach
        first = near < enter
        facing = np.sign(slope) * (normal * lamp).sum(1, keepdims=True)
        shade = np.where(first, facing, shade)
        enter, leave = np.where(first, near, enter), np.maximum(leave, far)
    return np.where(enter > leave, enter, -np.inf), shade


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rotations about x, then y, then z. angles: (N, 3), radians. Returns (N, 3, 3), which turn column vectors."""
    turned = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        step = np.broadcast_to(np.eye(3), (len(angles), 3, 3)).copy()
        cos, sin = np.cos(angles[:, axis]), np.sin(angles[:, axis])
        step[:, a, a], step[:, a, b], step[:, b, a], step[:, b, b] = cos, -sin, sin, cos
        turned = step @ turned
    return turned


def _lamp(angles: np.ndarray) -> np.ndarray:
    """Unit vectors to the lamp, (N, 3), from its angles (N, 2) off the camera's axis along x and along y."""
    x, y = np.sin(angles[:, 0]) * np.cos(angles[:, 1]), np.sin(angles[:, 1])
    return np.stack([x, y, np.cos(angles[:, 0]) * np.cos(angles[:, 1])], 1)
