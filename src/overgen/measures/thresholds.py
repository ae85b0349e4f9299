"""The section `confidence`: the (τ, α) pairs that outputs are judged at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field

from overgen.run.sections import Name, NonNegative, Section


class Threshold(Section):
    tau: Annotated[float, Field(gt=0, lt=1)]
    alpha: NonNegative


class Confidence(Section):
    beta: NonNegative
    thresholds: Annotated[list[Threshold], Field(min_length=1)]


SECTIONS = {"confidence": dict[Name, Confidence]}


def threshold_pairs(thresholds: Iterable[Any], *, reconstructs: bool) -> list[tuple[float, float]]:
    """The (τ, α) pairs to judge on; without a reconstruction c̃ = 1, and α, written as 0, has no part in it."""
    return list(dict.fromkeys((t.tau, t.alpha if reconstructs else 0.0) for t in thresholds))


def pair_at(thresholds: Iterable[Any], alpha: float) -> tuple[float, float]:
    """The (τ, α) to judge ỹ at one α on: the first τ that goes with it, else the last τ."""
    pairs = [(t.tau, t.alpha) for t in thresholds]
    return next((tau for tau, of in pairs if of == alpha), pairs[-1][0]), alpha


def alpha_suffix(pairs: Sequence[tuple[float, float]], pair: tuple[float, float]) -> str:
    """What a metric's name ends with: nothing for the first α of a τ, which is the paper's, else "@alpha=…"."""
    paper = next(p for p in pairs if p[0] == pair[0])
    return "" if pair == paper else f"@alpha={pair[1]:g}"
