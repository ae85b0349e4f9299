"""Histograms of oriented gradients, against scikit-image, SciPy and sums that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import hog as skimage_hog

from overgen.measures import hog as module
from overgen.measures.hog import FLOOR, ORIENTATIONS, blocks, histograms, hog, smooth

FINE = 40  # orientations of scikit-image's to one of ours


def pictures(count: int, channels: int = 1, side: int = 28, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return ndimage.gaussian_filter(draw.uniform(size=(count, channels, side, side)), (0, 0, 1, 1)).astype(np.float32)


def merged(fine: np.ndarray) -> np.ndarray:
    """Histograms of fine bins (..., O·FINE) with each bin shared between the two nearest of the O orientations."""
    centre = (np.arange(ORIENTATIONS * FINE) + 0.5) / FINE - 0.5
    apart = np.abs(centre[:, None] - np.arange(ORIENTATIONS))
    return fine @ np.maximum(1 - np.minimum(apart, ORIENTATIONS - apart), 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_histograms_are_scikit_images_with_shared_orientations(channels: int) -> None:
    """scikit-image gives no histograms as they are, but of one block that is the whole image: but for its length."""
    images = pictures(3, channels)
    ours = histograms(images, 4)
    assert ours.shape == (3, 7, 7, ORIENTATIONS)
    for image, own in zip(images, ours, strict=True):
        fine = skimage_hog(
            image.transpose(1, 2, 0).astype(np.float64), orientations=ORIENTATIONS * FINE, pixels_per_cell=(4, 4),
            cells_per_block=(7, 7), block_norm="L2", channel_axis=2, feature_vector=False,
        )  # fmt: skip
        expected = merged(fine[0, 0])
        expected *= own.sum() / expected.sum()
        np.testing.assert_allclose(own, expected, atol=0.02 * expected.max())


def test_edges_along_one_axis_give_scikit_images_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their gradient points at the middle of an orientation, so that nothing is shared."""
    monkeypatch.setattr(module, "BLUR", 0.0)
    images = np.repeat(np.random.default_rng(0).uniform(size=(2, 1, 28, 1)), 28, 3)
    for image, own in zip(images, hog(images, floor=1e-5), strict=True):
        expected = skimage_hog(image[0], 9, pixels_per_cell=(4, 4), cells_per_block=(2, 2), block_norm="L2")
        np.testing.assert_allclose(own, expected, atol=1e-6)


def test_features_are_blocks_of_smoothed_images() -> None:
    images = pictures(2)
    smoothed = np.stack([[ndimage.gaussian_filter(x[0], 1.0, mode="nearest", truncate=3)] for x in images])
    np.testing.assert_allclose(smooth(images, 4), smoothed, atol=1e-6)
    cells = histograms(smoothed, 4)
    expected = [
        block / np.sqrt((block**2).sum() + FLOOR**2)
        for image in cells
        for i in range(6)
        for j in range(6)
        for block in [image[i : i + 2, j : j + 2].ravel()]
    ]
    np.testing.assert_allclose(hog(images), np.reshape(expected, (2, -1)), rtol=1e-4, atol=1e-6)
    assert blocks(cells, FLOOR).shape == (2, 36 * 36)


def test_an_image_has_the_same_features_alone_and_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(7, 3, 20)
    together = hog(images)
    monkeypatch.setattr(module, "AT_ONCE", 2 * images[0].size)
    np.testing.assert_array_equal(hog(images), together)
    np.testing.assert_array_equal(hog(images[3:4])[0], together[3])


def test_light_does_not_count_and_a_turned_edge_does() -> None:
    image = pictures(1) / 2
    np.testing.assert_allclose(hog(image + np.float32(0.4)), hog(image), atol=1e-5)
    np.testing.assert_allclose(hog(1 - image), hog(image), atol=1e-5)  # an edge has no sign
    assert np.abs(hog(image.swapaxes(2, 3)) - hog(image)).max() > 0.1


def test_weak_noise_counts_little_beside_edges() -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, (1, 1, 28, 28)).astype(np.float32)
    flat = np.full((1, 1, 28, 28), np.float32(0.5))
    assert np.linalg.norm(hog(flat + noise)) < 0.3 * np.linalg.norm(hog(flat + noise, floor=1e-5))
    assert not hog(flat).any()


def test_what_has_no_room_for_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="H, W >= 8"):
        hog(np.zeros((1, 1, 7, 28)))
    with pytest.raises(ValueError, match="shape"):
        hog(np.zeros((1, 784)))
