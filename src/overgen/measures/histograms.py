"""Histograms of distances and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def histograms(values: Mapping[str, np.ndarray], bins: int) -> pd.DataFrame:
    """How often each kind's values fall into `bins` equal bins from 0 to the largest of all.

    values: arrays of any shape, ≥ 0, by kind.
    bins: how many.
    Returns a row for each kind and bin: kind, low, high, count.
    """
    edges = np.linspace(0, max(float(array.max()) for array in values.values()), bins + 1)
    return pd.concat(
        [
            pd.DataFrame({"kind": kind, "low": edges[:-1], "high": edges[1:], "count": np.histogram(array, edges)[0]})
            for kind, array in values.items()
        ],
        ignore_index=True,
    )


def histogram(kinds: Mapping[str, np.ndarray], bins: int, *, span: Sequence[str]) -> pd.DataFrame:
    """How often scores fall into equal bins; what lies beyond the first and the last counts to these.

    kinds: (N,) scores by kind.
    bins: how many.
    span: the kinds between whose 0.5 % and 99.5 % quantiles the bins lie.
    Returns a row for each kind and bin: kind, low, high, count.
    """
    low, high = np.quantile(np.concatenate([kinds[kind] for kind in span]), [0.005, 0.995])
    edges = np.array([float(f"{edge:.6g}") for edge in np.linspace(low, high, bins + 1)])
    if not (np.diff(edges) > 0).all():  # scores that are all alike
        edges = np.linspace(low - 1, low + 1, bins + 1)
    parts = [
        pd.DataFrame({"kind": kind, "low": edges[:-1], "high": edges[1:],
                      "count": np.histogram(values.clip(edges[0], edges[-1]), edges)[0]})
        for kind, values in kinds.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)
