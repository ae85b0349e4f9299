"""What a network that was not attacked sees in the images that fooled the others.

An image that fools is no fault of the network if it is simply one of the class. A network that took no part in the
attack is a witness: it was trained apart, and shares with the fooled one the training images only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.attacks.evidence import evidence
from overgen.measures.outputs import scores_of_images
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.models.weights import weights_path
from overgen.run import results
from overgen.run.files import read_json
from overgen.run.stage import Stage

COLUMNS = ["attack", "variant", "tau", "alpha", "target", "score", "fooled", "attacked", "seen", "witness_score"]


def main(stage: Stage) -> None:
    """Write the cell of a witness: for each attack and attacked network what it sees, and a row for each image.

    Where no other network is attacked there is nothing to witness: the cell has no rows.
    """
    dataset, model = stage.item["dataset"], stage.item["model"]
    confidence, engine = stage.params(f"confidence.{dataset}"), stage.params(f"engine.{dataset}")
    network, metadata = registry.load(weights_path(dataset, model, 0))
    # What it would accept is judged with the α that the paper has for each τ.
    own = dict(reversed(threshold_pairs(confidence.thresholds, reconstructs=hasattr(network, "decode"))))
    tables, budgets = [], [metadata["budget"]]
    for attack in stage.params("evaluate_fooling").attacks:
        for attacked in stage.params("attacked"):
            if attacked == model:
                continue
            folder = Path("reports/cells", dataset, attack, attacked)
            table, images = evidence(
                folder, confidence.thresholds, evolution_alpha=stage.params(f"fool_evolution.{dataset}.alpha")
            )
            # Other strengths of ỹ than the paper's, which come after it, are left out.
            first = (table["alpha"] == table.groupby("tau")["alpha"].transform("first")).to_numpy()
            table, images = table[first], images[first]
            alphas = table["tau"].map(own).to_numpy(dtype=np.float64)
            seen = scores_of_images(
                network, images, alphas, beta=confidence.beta, probes=engine.probes, device=stage.device
            )
            tables.append(table.assign(attacked=attacked, seen=seen.argmax(1), witness_score=seen.max(1)))
            budgets.append(read_json(folder / "metrics.json")["budget"])
    if stage.rank == 0:
        whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
        results.write(stage.cell, budget=smallest(budgets), metrics=rows(whole), tables={"images": whole})


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Of the images that fooled: how many the witness labels as the target, and how many it accepts as such."""
    found = []
    groups: Any = table.groupby(["attack", "attacked", "tau"], sort=False)
    for (attack, attacked, tau), images in groups:
        fooled = images[images["fooled"]]
        as_target = fooled["seen"] == fooled["target"]
        accepted = as_target & (fooled["witness_score"] > tau)
        for metric, hits in (("seen_as_target_rate", as_target), ("accepted_as_target_rate", accepted)):
            name = f"{metric}@attack={attack.removeprefix('fool_')}@attacked={attacked}"
            if len(fooled):
                of = "images that fooled"
                found.append(results.rate_row("witness", name, [int(hits.sum())], len(fooled), of=of, tau=tau))
            else:
                found.append(results.row("witness", name, None, unit="percent", n=0, tau=tau, note="no image fooled"))
    return found


def smallest(budgets: list[Mapping[str, int]]) -> dict[str, int]:
    """The smallest of what was spent on each thing: models of one stage may have been trained for different epochs."""
    found: dict[str, int] = {}
    for budget in budgets:
        for key, spent in budget.items():
            found[key] = min(spent, found.get(key, spent))
    return found
