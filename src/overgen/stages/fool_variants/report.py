"""Tables of variants of networks in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overgen.models.params import base_of
from overgen.report.names import model_name
from overgen.report.tables import Table, fooling_table


def network_variants(frame: pd.DataFrame, attacked: Sequence[str], variants: Sequence[str]) -> Table:
    """As `fooling`, for variants of the networks (Spigler 2019, Section 4.2), each below the one that it changes."""
    lines = []
    for model in attacked:
        mine = [variant for variant in variants if base_of(variant, attacked) == model]
        lines += [(f"{model_name(model)}, as in the study", "fgn", model)] if mine else []
        for variant in mine:
            change = variant.removeprefix(f"{model}_")
            lines.append((model_name(variant), f"fgn_{change}", model))
            if ((frame["experiment"] == "fgn_on_scaled_output") & (frame["model"] == variant)).any():
                lines.append(("the same, attack on ỹ", "fgn_on_scaled_output", variant))
    return fooling_table(frame, "network_variants", lines)
