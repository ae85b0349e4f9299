"""The one reader of picture files: what Pillow opens, as 8-bit pixels of a shape. What cannot be read right is named.

Read are PNG, JPEG, GIF, BMP, TIFF, WebP and what else Pillow knows, of several frames the first; gray, colour, palette
and CMYK; 1 to 16 bits of gray, and floating-point gray.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from overgen import OvergenError

if TYPE_CHECKING:
    from PIL import Image

Ground = Literal["black", "white"]
Fit = Literal["pad", "crop", "stretch"]
Interpolation = Literal["bilinear", "bicubic"]
# What is read of what Pillow knows: pictures only. It would start Ghostscript for PostScript.
FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "JPEG2000", "AVIF")
GRAY_MODES = ("1", "L", "LA", "La", "I", "F")  # Pillow's, and I;16 in its several byte orders
ORIENTATION = 0x0112  # EXIF's tag
TRANSPOSED = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
              7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
FULL_SCALE = {"L;2": 85, "L;4": 17}  # by which Pillow multiplies 2 and 4 bits of gray, but not their transparent value


def read_picture(
    file: str | Path | IO[bytes],
    shape: Sequence[int],
    *,
    ground: Ground | None = None,
    fit: Fit = "pad",
    invert: bool = False,
    white: float | None = None,
    interpolation: Interpolation = "bilinear",
    name: str = "",
) -> np.ndarray:
    """A picture as pixels of a shape.

    file: a path or an open file; name: what errors call it, by default its path.
    shape: (C, H, W), C = 1 for gray (ITU-R 601 luma) or 3 for RGB.
    ground: what lies under transparent pixels and, unless inverted, around a padded picture; by default black, or white
    if `invert`.
    fit: how another aspect ratio is brought to H × W: "pad" keeps the whole picture, in the middle; "crop" keeps the
    middle, "stretch" the whole, without its aspect ratio. interpolation: how it is resized, antialiased.
    invert: True for dark ink on a light ground, so that the ground becomes 0 as in MNIST.
    white: the value that is white in pictures of more than 8 bits: by default 1 in floating point and 65,535 else.
    Returns (C, H, W) uint8. EXIF's orientation is followed where it makes sense.
    Raises OvergenError naming the file if it is missing, cut, larger than Pillow takes, has values beyond white, or
    in 16 bits none above 255, where all would be black.
    """
    from PIL import ImageOps

    channels, height, width = shape
    name = name or str(getattr(file, "name", file))
    image, bits = decoded(file, name)
    dark = (ground or ("white" if invert else "black")) == "black"
    try:
        image = _on_ground(_eight_bits(image, white, bits), 0 if dark else 255).convert("L" if channels == 1 else "RGB")
        if invert:
            image = ImageOps.invert(image)
        image = _fitted(image, width, height, fit, 0 if dark != invert else 255, interpolation)
    except ValueError as error:
        raise OvergenError(f"{name}: cannot be read as a picture: {error}") from error
    pixels = np.asarray(image)
    return pixels[None].copy() if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def decoded(file: str | Path | IO[bytes], name: str = "") -> tuple[Image.Image, str]:
    """A picture as it is stored, upright, and Pillow's name for the form of its bits.

    Raises OvergenError, with the `name` or path, if it is missing or no whole picture.
    """
    from PIL import Image

    name = name or str(getattr(file, "name", file))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of senseless metadata, and of half a bomb
            with Image.open(file, formats=_formats()) as image:
                bits = str(image.tile[0][3]) if image.tile else ""
                image.load()
                return _upright(image), bits
    except FileNotFoundError as error:
        raise OvergenError(f"{name}: missing; a picture file is expected there") from error
    except Image.DecompressionBombError as error:
        raise OvergenError(f"{name}: too large a picture to be read ({error}); scale it down") from error
    except Exception as error:  # of many kinds: each decoder has its own
        raise OvergenError(f"{name}: cannot be read as a picture ({error}); repair or remove it") from error


def size_and_channels(file: str | Path | IO[bytes], name: str = "") -> tuple[tuple[int, int], int]:
    """The (height, width) of a picture when it stands upright, and 1 if it must be gray by its form, else 3.

    Of all but TIFF only the head of the file is read. Raises OvergenError as `decoded` does.
    """
    from PIL import Image

    name = name or str(getattr(file, "name", file))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_formats()) as image:
                if image.format == "TIFF":
                    image.load()  # Pillow itself turns TIFF, before or while it loads: versions differ
                width, height = image.size
                turned = (_orientation(image) or 1) >= 5
                gray = image.mode in GRAY_MODES or image.mode.startswith("I;16")
    except Image.DecompressionBombError as error:
        raise OvergenError(f"{name}: too large a picture to be read ({error}); scale it down") from error
    except Exception as error:  # as in `decoded`
        raise OvergenError(f"{name}: cannot be read as a picture ({error}); repair or remove it") from error
    return ((width, height) if turned else (height, width)), 1 if gray else 3


def borders(images: np.ndarray) -> np.ndarray:
    """The ground of pictures: of each the median of its outermost pixels, as (N,). images: (N, C, H, W)."""
    rows = images[:, :, [0, -1], :].reshape(len(images), -1)
    columns = images[:, :, 1:-1, [0, -1]].reshape(len(images), -1)
    return np.asarray(np.median(np.concatenate([rows, columns], axis=1), axis=1))


def bright_borders(images: np.ndarray) -> float:
    """The share of pictures whose ground is bright, above 127. images: (N, C, H, W) uint8, N ≥ 1."""
    return float((borders(images) > 127).mean())


def _formats() -> list[str]:
    """Those of `FORMATS` that this Pillow has."""
    from PIL import Image

    Image.init()
    return [kind for kind in FORMATS if kind in Image.OPEN]


def _orientation(image: Image.Image) -> int | None:
    """EXIF's number for how a picture must be turned; None where it says nothing that makes sense."""
    try:
        value = image.getexif().get(ORIENTATION)
        return value if value in TRANSPOSED else None
    except Exception:  # senseless metadata, in many ways: no reason to refuse a whole picture
        return None


def _upright(image: Image.Image) -> Image.Image:
    from PIL import Image

    value = _orientation(image)
    return image if value is None else image.transpose(Image.Transpose[TRANSPOSED[value]])


def _eight_bits(image: Image.Image, white: float | None, bits: str) -> Image.Image:
    """A picture of 8 bits, by `white` where it has more, with its transparency.

    Pillow's own conversion cuts at 255, and does not find a transparent value of 2, 4 and 16 bits.
    Raises ValueError for values beyond white.
    """
    from PIL import Image

    clear = image.info.get("transparency")
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        if bits in FULL_SCALE and isinstance(clear, int):
            image.info["transparency"] = clear * FULL_SCALE[bits]
        if isinstance(clear, tuple) and max(clear) > 255:
            raise ValueError(f"its transparent colour {clear} is of 16 bits; save it with an alpha channel")
        return image
    deep = np.asarray(image)
    top = (1.0 if image.mode == "F" else 65535.0) if white is None else white
    low, high = float(deep.min()), float(deep.max())
    shallow = white is None and image.mode != "F" and 0 < high <= 255  # most likely 8 bits, kept in more
    if not (low >= 0 and high <= top) or shallow:  # NaN, too
        kind = "floating-point" if image.mode == "F" else "16-bit gray"
        raise ValueError(
            f"{kind} values from {low:g} to {high:g}, where 0 is black and {top:g} white; give `white`, or save it "
            "in 8 bits"
        )
    if white is None and image.mode != "F":
        pixels = (deep.astype(np.int64) >> 8).astype(np.uint8)
    else:
        pixels = np.rint(deep.astype(np.float64) * (255 / top)).astype(np.uint8)
    gray = Image.fromarray(pixels)
    if not isinstance(clear, int):
        return gray
    return Image.merge("LA", (gray, Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8))))


def _on_ground(image: Image.Image, level: int) -> Image.Image:
    """A picture without transparency: laid on a ground of one gray level."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    ground = Image.new("RGBA", image.size, (level, level, level, 255))
    return Image.alpha_composite(ground, image.convert("RGBA"))


def _fitted(
    image: Image.Image, width: int, height: int, fit: Fit, around: int, interpolation: Interpolation
) -> Image.Image:
    """A picture of width × height. around: the level that pads it."""
    from PIL import Image, ImageOps

    method = Image.Resampling[interpolation.upper()]
    if fit == "stretch":
        return image.resize((width, height), method)
    if fit == "crop":
        return ImageOps.fit(image, (width, height), method)
    scale = min(width / image.width, height / image.height)
    inner = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), method)
    whole = Image.new(image.mode, (width, height), around if image.mode == "L" else (around, around, around))
    whole.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return whole
