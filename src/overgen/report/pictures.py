"""Figures as a page holds them: as small as they are still good to look at. The files beside it are whole."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import NamedTuple

from PIL import Image

SMALL = 40_000  # bytes of an SVG that is held as it is
HEAVY = 60_000  # bytes of a picture, beyond which it has `COARSE` pixels a CSS pixel
FINE = 1.5  # pixels a CSS pixel of other pictures
COARSE = 0.9


class Picture(NamedTuple):
    """data: a data URI; width, height: CSS pixels of the figure as it was drawn."""

    data: str
    width: int
    height: int


def picture(path: Path, width: int = 0) -> Picture:
    """A figure of a report's folder. path: its SVG or PNG, both of which are there; width: of a thumbnail."""
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    with Image.open(png) as file:
        image = file.convert("RGB")
    points = re.search(r'<svg[^>]* width="([\d.]+)pt"', svg.read_text(encoding="utf-8"))
    drawn = round(float(points[1]) * 4 / 3) if points else image.width
    height = round(drawn * image.height / image.width)
    if width:
        return Picture(_uri(_webp(image, width, 60), "webp"), drawn, height)
    if svg.stat().st_size < SMALL:
        return Picture(_uri(svg.read_bytes(), "svg+xml"), drawn, height)
    data = _webp(image, round(FINE * drawn), 80)
    if len(data) > HEAVY:
        data = _webp(image, round(COARSE * drawn), 50)
    return Picture(_uri(data, "webp"), drawn, height)


def _webp(image: Image.Image, width: int, quality: int) -> bytes:
    """An image of at most some width in pixels as WebP."""
    width = min(image.width, width)
    height = max(1, round(image.height * width / image.width))
    data = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(data, "WEBP", quality=quality, method=4)
    return data.getvalue()


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
