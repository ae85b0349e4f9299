"""Tables of the witnesses in the report."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from overgen.report.names import ATTACK_NAMES, model_name, number
from overgen.report.tables import Table, find, markdown_table, measured


def witnesses(frame: pd.DataFrame, models: Sequence[str]) -> Table:
    """What networks that were not attacked see in images that fooled: a row an attacked model, attack and τ."""
    rows = frame[frame["experiment"] == "witness"]
    attacks = list(dict.fromkeys(re.findall(r"@attack=(\w+)", " ".join(rows["metric"]))))
    header = ["fooled", "by", "τ", "images", *(f"{model_name(model)} sees the target, %" for model in models)]
    lines, used = [], []
    for attacked in models:
        for attack in attacks:
            suffix = f"@attack={attack}@attacked={attacked}"
            for tau in sorted(set(rows.loc[rows["metric"].str.endswith(suffix), "tau"]), key=float):
                found = {m: find(rows, "witness", m, f"seen_as_target_rate{suffix}", tau) for m in models}
                n = max((row["n"] for row in found.values() if row), default=0)
                if not n:
                    continue
                line = [f"**{model_name(attacked)}**", ATTACK_NAMES.get(attack, attack), tau, f"{n:,}"]
                for model, row in found.items():
                    accepted = find(rows, "witness", model, f"accepted_as_target_rate{suffix}", tau)
                    used += [each for each in (row, accepted) if each]
                    if row is None or accepted is None:
                        line.append("–")
                    else:
                        accepts = number(accepted["reproduced"], accepted["metric"], accepted["unit"])
                        line.append(f"{measured(row, between='<br>')}<br>accepts {accepts}")
                lines.append(line)
    return Table("witnesses", markdown_table(lines, header) if lines else "", pd.DataFrame(used, columns=frame.columns))
