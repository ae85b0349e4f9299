"""Views of the fixed object, against a plain march along every ray."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from overgen.data import scene


def marched(parameters: np.ndarray, step: float = 0.01) -> np.ndarray:
    """One view by walking from the camera until a point lies inside of something. Returns (28, 28)."""
    turn = scene.rotation(parameters[None, :3])[0]
    a, b = parameters[5:]
    lamp = np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
    fine = scene.SIDE * scene.FINE
    value, reached = np.zeros((fine, fine)), np.zeros((fine, fine), bool)
    rays = (np.arange(fine) + 0.5) / (fine / 2) - 1
    x, y = np.meshgrid(rays - parameters[3], -rays - parameters[4])
    for z in np.arange(1.2, -1.2, -step):
        p = np.stack([x, y, np.full_like(x, z)], 2) @ turn  # in the object's own axes
        for *centre, radius in scene.BALLS:
            gap = p - centre
            inside = ((gap**2).sum(2) < radius**2) & ~reached
            normal = gap / np.linalg.norm(gap, axis=2, keepdims=True)
            value[inside] = scene.AMBIENT + (1 - scene.AMBIENT) * (normal @ turn.T @ lamp)[inside].clip(0)
            reached |= inside
        for box in scene.BOXES:
            gap = (p - box[:3]) / box[3:]
            inside = (np.abs(gap) < 1).all(2) & ~reached
            depth = (1 - np.abs(gap)) * box[3:]  # the face that was just passed is the nearest one along the ray
            along = np.abs(turn[2]) + 1e-9
            axis = (depth / along).argmin(2)
            normal = np.sign(np.take_along_axis(gap, axis[:, :, None], 2)) * np.eye(3)[axis]
            value[inside] = scene.AMBIENT + (1 - scene.AMBIENT) * (normal @ turn.T @ lamp)[inside].clip(0)
            reached |= inside
    return value.reshape(scene.SIDE, scene.FINE, scene.SIDE, scene.FINE).mean((1, 3))


def test_views_are_those_of_a_march_along_each_ray() -> None:
    parameters = scene.drawn(np.random.default_rng(0), 1)
    (drawn,) = scene.views(parameters)
    assert drawn.max() > 0.5
    gap = np.abs(drawn - marched(parameters[0]))
    assert gap.mean() < 3e-3
    assert np.quantile(gap, 0.99) < 0.04


def test_a_view_hangs_on_its_own_parameters_alone() -> None:
    parameters = scene.drawn(np.random.default_rng(1), scene.BLOCK + 3)
    whole = scene.views(parameters)
    np.testing.assert_array_equal(scene.views(parameters[-2:]), whole[-2:])
    assert (whole.dtype, whole.shape) == (np.float32, (scene.BLOCK + 3, 28, 28))
    assert whole.min() == 0
    assert whole.max() <= 1


@pytest.mark.parametrize("name", scene.PARAMETERS)
def test_every_parameter_moves_the_view(name: str) -> None:
    parameters = scene.drawn(np.random.default_rng(2), 2, (name,))
    column = list(scene.PARAMETERS).index(name)
    assert np.ptp(parameters, axis=0).nonzero()[0].tolist() == [column]
    first, second = scene.views(parameters)
    assert np.abs(first - second).max() > 0.05


def test_a_shift_by_whole_pixels_shifts_the_picture() -> None:
    parameters = np.zeros((2, 7))
    parameters[1, 3:5] = 2 / 14, 1 / 14
    still, moved = scene.views(parameters)
    np.testing.assert_allclose(moved, np.roll(still, (-1, 2), (0, 1)), atol=1e-6)


def test_the_lamp_lights_its_own_side() -> None:
    parameters = np.zeros((2, 7))
    parameters[:, 5] = 1.0, -1.0
    right, left = scene.views(parameters)
    assert right[:, 15:].sum() > left[:, 15:].sum()
    assert right[:, :13].sum() < left[:, :13].sum()


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 6\), must be \(N, 7\)"):
        scene.views(np.zeros((2, 6)))
    with pytest.raises(ValueError, match="'zoom' is none of turn_x"):
        scene.drawn(np.random.default_rng(0), 1, ("zoom",))
    assert scene.views(np.zeros((0, 7))).shape == (0, 28, 28)


def test_rotations_are_scipys_about_fixed_axes() -> None:
    angles = np.random.default_rng(0).uniform(-2, 2, (20, 3))
    np.testing.assert_allclose(scene.rotation(angles), Rotation.from_euler("xyz", angles).as_matrix(), atol=1e-12)


def test_what_does_not_vary_stands_in_the_middle() -> None:
    drawn = scene.drawn(np.random.default_rng(0), 300, ("turn_y", "lamp_x"))
    for k, (name, (low, high)) in enumerate(scene.PARAMETERS.items()):
        if name not in ("turn_y", "lamp_x"):
            assert (drawn[:, k] == (low + high) / 2).all()
            continue
        assert low <= drawn[:, k].min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < drawn[:, k].max() <= high
