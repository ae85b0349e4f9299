"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from overgen.attacks import pictures
from overgen.attacks.attacked import Block
from overgen.models import PIXELS, SHAPE
from overgen.run import results
from overgen.run.example import blobs, reconstructs, spent
from overgen.stages.fool_evolution import summary

GENERATIONS, RUNS = 40, 2
ENCODINGS = {"direct": 40, "cppn": 10}  # and after how many generations a run ended


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    fooled: int = 5,
    speed: float = 8.0,
    classes: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """Confidences rise as 1 − exp(−generation/speed), and those of the first champions of each encoding fool at last.

    fooled: how many of an encoding's 2 × classes.
    """
    settings = SimpleNamespace(encodings=list(ENCODINGS), generations=GENERATIONS, stored_generations=[0, GENERATIONS])
    alpha = 3.0 if reconstructs(path.name) else 0.0
    blocks = [Block(f"{encoding}-seed0-run0", 0, encoding, range(RUNS)) for encoding in ENCODINGS]
    evolved = [run(draw, ended, fooled, speed, classes) for ended in ENCODINGS.values()]
    rows, tables, examples = summary.cell_of(blocks, evolved, settings, summary.attacked_score(alpha, PIXELS))
    trials, pair = tables["trials"], (0.99, alpha)
    hits = summary.hits_of(trials, pair)
    champions = np.concatenate([result["champions"].reshape(-1, PIXELS) for result in evolved])[hits["trial"]]
    for bits, score in ((8, trials["confidence"]), (16, trials["confidence"])):
        trials[f"score_in_{bits}_bits"] = score.where(trials.index.isin(hits["trial"]))
    kept = {name: hits[name].to_numpy() for name in ("trial", "tau", "alpha")}
    kept |= {"score": trials.loc[hits["trial"], "confidence"].to_numpy()}
    results.write(
        path,
        budget=dict(budget or {}) | spent(path, runs=RUNS, generations=GENERATIONS),
        metrics=rows + summary.fooling_rows(trials, pair[0], range(classes)),
        tables=tables,
        examples=examples,
        successes=kept | {"image": pictures.rounded(champions, SHAPE, np.uint16)},
    )


def run(draw: np.random.Generator, ended: int, fooled: int, speed: float, classes: int) -> dict[str, np.ndarray]:
    """The arrays of a `Result`."""
    rise = 0.98 * (1 - np.exp(-np.arange(ended + 1) / speed))
    confidence = np.tile(rise[:, None, None], (1, RUNS, classes)).astype(np.float32)
    confidence[-1].reshape(-1)[:fooled] = 0.9987654
    stored = np.array(sorted({0, ended}))
    return {
        "confidence": confidence,
        "ended": np.full(RUNS, ended),
        "kept": np.arange(classes),
        "stored": stored,
        "images": blobs(draw, len(stored), classes),
        "champions": blobs(draw, RUNS, classes).reshape(RUNS, classes, PIXELS),
    }
