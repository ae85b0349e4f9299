"""Capital letters in the fonts that come with matplotlib, as large and as central as MNIST's digits, white on black.

Fonts of the operating system are left out: images would differ from machine to machine.
"""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

LETTERS = string.ascii_uppercase
LOOKALIKES = "BDGIOQSZ"  # that a reader may take for 8, 0, 6, 1, 0, 0, 5 and 2
FONTS = (
    *(f"DejaVu{name}" for name in ("Sans", "Sans-Bold", "Sans-Oblique", "SansMono", "SansMono-Bold", "Serif",
                                   "Serif-Bold", "Serif-Italic")),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
    *("cmr10", "cmss10", "cmtt10"),  # Computer Modern
)  # fmt: skip
SIDE, BOX = 28, 20  # pixels of an image, and of the box of MNIST's digits
LEAST = 16  # pixels of the longer side of the smallest letter
SHIFT = 2  # pixels from the middle, at most
LARGE = 120  # points at which a letter is drawn before it is made smaller


def letters(count: int, draws: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images of every letter, (26·count, 28, 28) uint8, and their letters, (26·count,): numbers in `LETTERS`.

    count: of each, every one of a font, a size (the longer side of 16 to 20 pixels) and a shift of its own.
    """
    total = count * len(LETTERS)
    font = torch.randint(0, len(FONTS), (total,), generator=draws).tolist()
    size = torch.randint(LEAST, BOX + 1, (total,), generator=draws).tolist()
    shift = torch.randint(-SHIFT, SHIFT + 1, (total, 2), generator=draws).tolist()
    numbers = np.repeat(np.arange(len(LETTERS)), count)
    masks = {(f, n): mask(LETTERS[n], FONTS[f]) for f, n in set(zip(font, numbers.tolist(), strict=True))}
    images = [placed(masks[f, n], s, *by) for f, n, s, by in zip(font, numbers.tolist(), size, shift, strict=True)]
    return np.stack(images), numbers


def mask(letter: str, font: str) -> Image.Image:
    """A letter, cut to its ink."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts/ttf" / f"{font}.ttf"
    canvas = Image.new("L", (3 * LARGE, 3 * LARGE))
    ImageDraw.Draw(canvas).text((LARGE, LARGE // 2), letter, fill=255, font=ImageFont.truetype(str(path), LARGE))
    return canvas.crop(canvas.getbbox())


def placed(ink: Image.Image, size: int, right: int, down: int) -> np.ndarray:
    """A letter whose longer side is `size` pixels, in the middle but for a shift: (28, 28) uint8."""
    scale = size / max(ink.size)
    width, height = (max(1, round(scale * side)) for side in ink.size)
    image = Image.new("L", (SIDE, SIDE))
    small = ink.resize((width, height), Image.Resampling.BOX)
    image.paste(small, ((SIDE - width) // 2 + right, (SIDE - height) // 2 + down))
    return np.asarray(image)
