"""Filters against noise that are not trained on noise, each with a strength to choose.

All take images (N, H, W, C) in and about [0, 1] and give images of the same form; `restored` cuts them at 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from overgen.scores.pca import PcaError

FILTERS = {
    "median": "side of the window",
    "gaussian": "σ, in pixels",
    "nlm": "side of the patches and h (Buades et al. 2005)",
    "pca": "components",
}
REACH = 6  # pixels in which non-local means looks for like patches: skimage's is 11, for larger images


def restored(x: np.ndarray, name: str, strength: Sequence[float], pca: PcaError) -> np.ndarray:
    """Images after a filter. name, strength: of `FILTERS`; pca: fitted on clean training images."""
    return np.clip(_ways()[name](x, strength, pca), 0, 1)


def _ways() -> dict[str, Callable[[np.ndarray, Sequence[float], PcaError], np.ndarray]]:
    return {"median": median, "gaussian": gaussian, "nlm": non_local_means, "pca": projection}


def median(x: np.ndarray, strength: Sequence[float], _: PcaError) -> np.ndarray:
    side = int(strength[0])
    return ndimage.median_filter(x, size=(1, side, side, 1), mode="nearest")


def gaussian(x: np.ndarray, strength: Sequence[float], _: PcaError) -> np.ndarray:
    return ndimage.gaussian_filter(x, sigma=(0, strength[0], strength[0], 0), mode="nearest")


def non_local_means(x: np.ndarray, strength: Sequence[float], _: PcaError) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    side, h = int(strength[0]), strength[1]
    made = [denoise_nl_means(image, patch_size=side, patch_distance=REACH, h=h, channel_axis=-1) for image in x]
    return np.stack(made).reshape(x.shape)  # an axis of one channel does not come back


def projection(x: np.ndarray, strength: Sequence[float], pca: PcaError) -> np.ndarray:
    """Onto the mean and the leading components. They are of planes (C, H, W), as data sets hold them."""
    rows = np.moveaxis(x, 3, 1)
    axes = pca.axes[:, : int(strength[0])]
    back = (rows.reshape(len(x), -1) - pca.mean) @ axes @ axes.T + pca.mean
    return np.moveaxis(back.reshape(rows.shape), 1, 3)
