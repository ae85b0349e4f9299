"""Noise of images: how much there is of it, and that levels share their draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen.data.corruptions import KINDS, corrupted

IMAGES = torch.full((40, 1, 28, 28), 0.25)


def test_noise_has_the_level_that_is_asked_for() -> None:
    noise = corrupted(IMAGES, "gaussian", 0.4, 0) - IMAGES
    assert abs(float(noise.std()) - 0.4) < 0.01
    changed = corrupted(IMAGES, "salt_and_pepper", 0.3, 0)
    assert set(changed.unique().tolist()) == {0.0, 0.25, 1.0}
    assert abs(float((changed != 0.25).float().mean()) - 0.3) < 0.01
    assert abs(float((changed == 1).float().mean()) - 0.15) < 0.01
    covered = corrupted(IMAGES, "occlusion", 0.25, 0) == 0.5
    assert (covered.sum((1, 2, 3)) == 14 * 14).all()
    assert len({tuple(image.nonzero()[0].tolist()) for image in covered}) > 30, "squares lie anywhere"
    tall = corrupted(torch.full((200, 1, 28, 20), 0.25), "occlusion", 0.25, 0) == 0.5
    for rows in (tall.any(3), tall.any(2)):
        assert rows.any(0).all(), "to the last row and column"
    assert (corrupted(IMAGES, "occlusion", 1.0, 0) == 0.5).all()


@settings(deadline=None, max_examples=20)
@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_low_level_spares_what_a_higher_one_spares(low: float, high: float) -> None:
    low, high = sorted((low, high))
    some, more = (corrupted(IMAGES[:3], "salt_and_pepper", level, 1) != 0.25 for level in (low, high))
    assert not bool((some & ~more).any())
    field = corrupted(IMAGES[:3], "gaussian", 1.0, 1) - IMAGES[:3]
    torch.testing.assert_close(corrupted(IMAGES[:3], "gaussian", low, 1), IMAGES[:3] + low * field)


def test_channels_of_a_pixel_are_replaced_together() -> None:
    changed = corrupted(torch.full((5, 3, 8, 6), 0.25), "salt_and_pepper", 0.5, 2)
    assert torch.equal(changed[:, 0], changed[:, 2])
    assert changed.shape == (5, 3, 8, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_noise_changes_nothing_and_a_key_fixes_it(kind: str) -> None:
    assert torch.equal(corrupted(IMAGES, kind, 0.0, 3), IMAGES)
    assert torch.equal(corrupted(IMAGES, kind, 0.5, 3), corrupted(IMAGES, kind, 0.5, 3))
    assert not torch.equal(corrupted(IMAGES, kind, 0.5, 3), corrupted(IMAGES, kind, 0.5, 4))


@pytest.mark.parametrize(("kind", "level"), [("occlusion", 1.1), ("gaussian", -0.1), ("speckle", 0.1)])
def test_what_is_no_noise_is_refused(kind: str, level: float) -> None:
    with pytest.raises(ValueError, match=kind):
        corrupted(IMAGES, kind, level)
