"""Tables of how far scores can be trusted in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.report.tables import Table, by_metric


def curvature(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How often γ > 0, that is, how often Γ of Eq. 4 takes part at all."""
    return by_metric(frame, "curvature", "curvature", models)


def confidence(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """How well the scores are calibrated on test images, and how much noise is accepted."""
    return by_metric(frame, "confidence", "confidence", models)
