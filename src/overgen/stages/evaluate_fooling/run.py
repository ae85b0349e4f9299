"""What a network that was not attacked sees in the images that fooled the others.

    python -m overgen.run evaluate_fooling --dataset mnist --models attacked   # or --model dae_sym

Reads the model's network, the judge, and the cells of the attacks on the other models. Writes the cell: for each attack
and attacked network what the judge sees, and a row for each image.

A network that took no part in the attack was trained apart, and shares with the fooled one the training images only.
What it sees in an image is transfer between networks of one kind, not what a person sees. In cells the judge is called
a witness.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.attacks.evidence import evidence, smallest_budget
from overgen.measures.outputs import scores_of_images
from overgen.measures.thresholds import threshold_pairs
from overgen.models import registry
from overgen.run import results
from overgen.run.files import LEFT_OUT, read_json
from overgen.run.stage import Stage

COLUMNS = ["attack", "variant", "tau", "alpha", "target", "score", "fooled", "attacked", "seen", "witness_score"]


def main(stage: Stage) -> None:
    """Write the cell of a judge. Where no other network is attacked there is nothing to see: it has no rows."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    confidence, probes = stage.params(f"confidence.{dataset}"), stage.params(f"engine.{dataset}.probes")
    network, metadata = registry.trained(dataset, model)
    # What the judge would accept is judged with the α that the paper has for each τ.
    paper_alpha = dict(reversed(threshold_pairs(confidence.thresholds, reconstructs=hasattr(network, "decode"))))
    tables, budgets = [], [metadata["budget"]]
    networks = [attacked for attacked in stage.params("attacked") if attacked != model]
    for attack, attacked in product(stage.params("evaluate_fooling").attacks, networks):
        folder = Path("reports/cells", dataset, attack, attacked)
        if (folder / LEFT_OUT).exists():
            continue
        evolution_alpha = stage.params(f"fool_evolution.{dataset}.alpha")
        table, images = papers_own(*evidence(folder, confidence.thresholds, evolution_alpha=evolution_alpha))
        alphas = table["tau"].map(paper_alpha).to_numpy(dtype=np.float64)
        scores = scores_of_images(network, images, alphas, beta=confidence.beta, probes=probes, device=stage.device)
        tables.append(table.assign(attacked=attacked, seen=scores.argmax(1), witness_score=scores.max(1)))
        budgets.append(read_json(folder / "metrics.json")["budget"])
    if stage.rank == 0:
        whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
        results.write(stage.cell, budget=smallest_budget(budgets), metrics=rows(whole), tables={"images": whole})


def papers_own(table: pd.DataFrame, images: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The images at the first α of each τ, which is the paper's; those of further strengths of ỹ are left out."""
    first = (table["alpha"] == table.groupby("tau")["alpha"].transform("first")).to_numpy()
    return table[first], images[first]


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Of the images that fooled: how many the judge labels as the target, and how many it accepts as such."""
    rows = []
    groups: Any = table.groupby(["attack", "attacked", "tau"], sort=False)
    for (attack, attacked, tau), images in groups:
        fooled = images[images["fooled"]]
        as_target = fooled["seen"] == fooled["target"]
        accepted = as_target & (fooled["witness_score"] > tau)
        for metric, hits in (("seen_as_target_rate", as_target), ("accepted_as_target_rate", accepted)):
            name, of = f"{metric}@attack={attack.removeprefix('fool_')}@attacked={attacked}", "images that fooled"
            if len(fooled):
                rows.append(results.rate_row("witness", name, [int(hits.sum())], len(fooled), of=of, tau=tau))
            else:
                rows.append(results.row("witness", name, None, unit="percent", n=0, tau=tau, note="no image fooled"))
    return rows
