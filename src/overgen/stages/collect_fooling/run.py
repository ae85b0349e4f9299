"""Collect the fooling images that open-set scores are tried on: those of all attacks on the study's networks.

    python -m overgen.run collect_fooling --dataset mnist --model attacked

Reads the cells of the attacks. Writes the cell of the collection: the images, and how many there are of each attack.

Scores are comparable only on the same images, and a new run of an attack makes others. So a data set's collection can
be fixed: params.yaml then names the MD5 of its file, which stays as it is whatever becomes of the attacks' cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError
from overgen.attacks.evidence import ATTACKS, smallest_budget, stored
from overgen.run import results
from overgen.run.files import LEFT_OUT, directory_md5, read_json
from overgen.run.stage import Stage

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write the cell of a collection, or confirm that it is the fixed one.

    examples.npz: image (N, H, W), of colour (N, H, W, 3), uint8, each once; attack, attacked (the network), target and
    score (N,), of the first cell that has it, the score before the rounding to 8 bits; cell and cell_md5: all that were
    collected from.
    """
    dataset = stage.item["dataset"]
    fixed = stage.params(f"collect_fooling.{dataset}").fixed
    if fixed is not None:
        confirm(stage.cell / "examples.npz", fixed, key=f"collect_fooling.{dataset}.fixed")
        return
    examples = collected(stage)
    results.write(stage.cell, budget=spent(examples["cell"].tolist()), metrics=rows(examples), examples=examples)


def confirm(path: Path, fixed: str, *, key: str) -> None:
    """OvergenError unless the file has that MD5."""
    md5 = hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else None
    if md5 != fixed:
        state = "is missing" if md5 is None else f"has the MD5 {md5}"
        again = f"`git checkout -- {path.parent.as_posix()}` brings the published images back"
        raise OvergenError(
            f"{path.as_posix()} {state}, but params.yaml, {key}, fixes {fixed}. {again}; with {key}: null they are "
            "collected anew from the attacks' cells."
        )


def spent(cells: Iterable[str]) -> dict[str, int]:
    """The budgets of the attacks' cells, of each the smallest.

    A fixed collection has none: its cells, by their MD5, may be others than those that are there now.
    """
    return smallest_budget(read_json(Path(cell) / "metrics.json")["budget"] for cell in cells)


def collected(stage: Stage) -> dict[str, np.ndarray]:
    """The arrays of examples.npz: of the examples of every attack and attacked network those that fooled, in 8 bits."""
    dataset, tables, images, sources = stage.item["dataset"], [], [], {}
    thresholds = stage.params(f"confidence.{dataset}").thresholds
    alpha = stage.params(f"fool_evolution.{dataset}.alpha")
    for attack, attacked in product(ATTACKS, stage.params("attacked")):
        if attack == "fool_evolution" and attacked not in stage.params("evolved"):
            continue
        folder = Path("reports/cells", dataset, attack, attacked)
        if (folder / LEFT_OUT).exists():
            continue
        table, examples = stored(folder, thresholds, evolution_alpha=alpha)
        fooled = table["fooled"].to_numpy()
        tables.append(table[fooled].assign(attacked=attacked))
        images.append(np.rint(255 * examples[fooled]).astype(np.uint8))
        sources[folder.as_posix()] = directory_md5(folder)
    whole = np.concatenate(images) if images else np.zeros((0, 0, 0), np.uint8)
    image, first = np.unique(whole, axis=0, return_index=True)
    types = {"attack": str, "attacked": str, "target": np.int64, "score": np.float64}
    about = pd.concat([pd.DataFrame(columns=list(types)), *tables], ignore_index=True).iloc[first]
    return {"image": image} | {name: about[name].to_numpy().astype(type_) for name, type_ in types.items()} | {
        "cell": np.array(list(sources), str), "cell_md5": np.array(list(sources.values()), str),
    }  # fmt: skip


def rows(examples: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """How many images there are of each attack and attacked network."""
    rows = []
    for folder in examples["cell"].tolist():
        attack, attacked = folder.split("/")[-2:]
        count = int(((examples["attack"] == attack) & (examples["attacked"] == attacked)).sum())
        name = f"images@attack={attack.removeprefix('fool_')}@attacked={attacked}"
        rows.append(results.row("fooling_images", name, count, unit="images", n=len(examples["image"])))
    return rows
