"""Tables of the trained networks in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.report.tables import Table, by_metric


def training(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What training reached on the test images: accuracy, reconstruction, the plain autoencoder's error."""
    return by_metric(frame, "training", ("train", "ae_anomaly"), models)
