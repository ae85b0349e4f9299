"""From which images keep their label under noise on n pixels to the cell of `explore_stability`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.stability import Law, fit, losses, misfit, survivors
from overgen.run.results import row


def cell(
    counted: Mapping[str, np.ndarray], pixels: Sequence[int], resamples: int
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame]]:
    """The rows and the table of the cell.

    counted: by network, bool (M, K), which images keep their label under noise on so many pixels; pixels: (K,) rising;
    resamples: of the images, for intervals.
    """
    rows, tables = [], []
    for name, kept in counted.items():
        counts = losses(kept)
        power, wider = fit(pixels, counts), fit(pixels, counts, exponent=None)
        rows += network_rows(name, pixels, counts, power, wider, resamples)
        columns = {"network": name, "pixels": pixels, "images": len(kept), "kept": kept.sum(0)}
        columns |= {"never_lost": survivors(counts), "power": power(pixels), "wider": wider(pixels)}
        tables.append(pd.DataFrame(columns))
    return rows, {"stability": pd.concat(tables, ignore_index=True)}


def network_rows(
    name: str, pixels: Sequence[int], counts: np.ndarray, power: Law, wider: Law, resamples: int
) -> list[dict[str, Any]]:
    """ε of (1 − ε)ⁿ, the exponent of exp(−(λn)ᵏ), how far the counts lie from the former, and its χ² test."""
    total = int(counts.sum())
    draws = np.random.default_rng(0).multinomial(total, counts / total, size=resamples)
    powers = [fit(pixels, draw) for draw in draws]
    exponents = [fit(pixels, draw, exponent=None).exponent for draw in draws]
    gaps = [largest_gap(pixels, draw, law) for draw, law in zip(draws, powers, strict=True)]
    of: dict[str, Any] = {"n": total, "kind": f"95 % bootstrap over images, {resamples} resamples", "model": name}
    test = misfit(pixels, counts, power, fitted=1)
    p = None if np.isnan(test.p) else test.p
    said = f"χ² = {test.chi_squared:.1f}, {test.freedom} degrees of freedom"
    epsilons = [law.epsilon for law in powers]
    return [
        row("power_law", "epsilon", power.epsilon, unit="a pixel", interval=ends(epsilons), **of),
        row("power_law", "exponent", wider.exponent, unit="exponent", interval=ends(exponents), **of),
        row("power_law", "largest_gap", largest_gap(pixels, counts, power), unit="percentage points",
            interval=ends(gaps), **of),
        row("power_law", "p", p, unit="probability", n=total, note=said, model=name),
    ]  # fmt: skip


def largest_gap(pixels: Sequence[int], counts: np.ndarray, law: Law) -> float:
    """How far the share that never lost its label lies from a law where it is furthest, in percentage points."""
    return float(100 * np.abs(survivors(counts) / counts.sum() - law(pixels)).max())


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile interval of resampled values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
