"""Bands of practical equality: how far from a reported number is still equal, as params.yaml says it."""

from __future__ import annotations

import re

SHARE = r"(\d+(?:\.\d+)?) ?%"  # of the reported number


def band_name(metric: str) -> str:
    """A metric's name among the bands: a dotted path, as of `dvc exp run -S`, could not name one with a dot."""
    return metric.replace(".", "_")


def half_width(band: float | str, reported: float) -> float:
    """How far a number may lie from the reported one and still be called equal, in the unit of both.

    band: a number, in the unit of the metric; or a text such as "25 %", of the reported number.
    Raises ValueError for another text.
    """
    if isinstance(band, str):
        share = re.fullmatch(SHARE, band)
        if share is None:
            raise ValueError(f"{band!r} is no band: give a number in the metric's unit, or a share such as 25 %")
        return abs(reported) * float(share[1]) / 100
    return float(band)
