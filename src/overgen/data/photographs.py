"""Photographs that come with scikit-image and scikit-learn, under licences that let them be changed and published."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from overgen import OvergenError


class Photograph(NamedTuple):
    """package: of which it is a part, "skimage" or "sklearn"; file: how it calls it; source: author and licence."""

    package: str
    file: str
    source: str


PHOTOGRAPHS = {
    "astronaut": Photograph("skimage", "astronaut", "NASA, public domain"),
    "brick": Photograph("skimage", "brick", "CC0Textures, CC0"),
    "camera": Photograph("skimage", "camera", "Lav Varshney, CC0"),
    "cat": Photograph("skimage", "chelsea", "Stéfan van der Walt, CC0"),
    "coffee": Photograph("skimage", "coffee", "Rachel Michetti, CC0"),
    "galaxies": Photograph("skimage", "hubble_deep_field", "NASA and ESA, public domain"),
    "retina": Photograph("skimage", "retina", "Mikael Häggström, CC0"),
    "rocket": Photograph("skimage", "rocket", "SpaceX, CC0"),
    "temple": Photograph("sklearn", "china.jpg", "Dapeng Liu, CC BY 2.0"),
    "flower": Photograph("sklearn", "flower.jpg", "dany13, CC BY 2.0"),
}


def photograph(name: str, side: int) -> np.ndarray:
    """One of PHOTOGRAPHS: its largest square about the centre, bicubic to (3, side, side) uint8.

    Raises OvergenError, with what to install, where scikit-image is missing.
    """
    package, file, _ = PHOTOGRAPHS[name]
    if package == "sklearn":
        from sklearn.datasets import load_sample_image

        return square(load_sample_image(file), side)
    try:
        from skimage import data
    except ImportError as error:
        raise OvergenError(f"photograph {name!r}: needs scikit-image; `pip install overgen[imagenet]`") from error
    return square(getattr(data, file)(), side)


def square(pixels: np.ndarray, side: int) -> np.ndarray:
    """The largest square about the centre of a picture (H, W) or (H, W, 3) uint8, bicubic to (3, side, side)."""
    image = Image.fromarray(pixels).convert("RGB")
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    image = image.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.BICUBIC)
    return np.moveaxis(np.asarray(image), 2, 0).copy()
