"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.explore_latents import summary
from overgen.stages.explore_latents.ways import PRIOR, WAYS

SETTINGS = SimpleNamespace(noises=[0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0], tau=0.99)
SOURCES = {("images", ""): "real", ("autoencoder", "network"): "", ("ae_k16_seed0", "codes"): "",
           ("ae_k16_seed1", "codes"): "", ("ae_k16_seed2", "codes"): "", ("vae_k16_seed0", "variational"): "prior",
           ("vae_k16_seed1", "variational"): "prior"}  # fmt: skip
SURE = {"real": 0.8, "restored": 0.7, "uniform": 0.02, "standard": 0.01, "gaussian": 0.2, "mixture": 0.5}
CLASSES, SHOWN, DRAWN, PICTURES = 10, 200, 150, 8


def example_cell(path: Path, draw: np.random.Generator, *, budget: Mapping[str, int] | None = None) -> None:
    """Blind draws are recognised seldom, and those of a prior half the time."""
    labels = np.arange(SHOWN) % CLASSES
    spaces = {"pixels": 0.8, "latents": 0.75, "plane": 0.35, "tsne": 0.7}
    centres = draw.normal(0, 2, (CLASSES, 2))
    plane: dict[str, np.ndarray] = {name: centres[labels] + draw.normal(0, 1, (SHOWN, 2)) for name in ("plane", "tsne")}
    plane |= {"label": labels, "variance": np.array([0.3, 0.2, *[0.5 / 14] * 14])}
    for name, share in spaces.items():
        plane |= {f"pure.{name}": draw.binomial(10, share, SHOWN) / 10, f"silhouette.{name}": np.array(share / 3)}
    kept = np.stack([draw.random(SHOWN) < 1 - level / 5 for level in SETTINGS.noises])
    noise = {"label": labels, "kept": kept, "image": blobs(draw, len(SETTINGS.noises), CLASSES)}
    judged = {source: of_source(draw, kind) for source, kind in SOURCES.items()}
    rows, tables = summary.cell(plane, noise, judged, SETTINGS)
    dataset, names = path.parts[-3], [f"class {c}" for c in range(CLASSES)]
    spent = {f"explore_latents.{dataset}.{name}": n for name, n in (("shown", SHOWN), ("drawn", DRAWN))}
    results.write(
        path, budget=dict(budget or {}) | spent, metrics=rows, tables=tables,
        examples=summary.examples(plane, noise, {"image": blobs(draw, 2, 9)}, judged, names),
    )  # fmt: skip


def of_source(draw: np.random.Generator, kind: str) -> dict[str, np.ndarray]:
    """What `run.Work.judged` gives."""
    shares = {"real": SURE["real"]} if kind == "real" else {"restored": SURE["restored"]} | {w: SURE[w] for w in WAYS}
    shares = {"restored": 0.6, PRIOR: 0.5} if kind == "prior" else shares
    arrays: dict[str, np.ndarray] = {}
    for way, share in shares.items():
        arrays |= {
            f"{way}.y": draw.random(DRAWN) < (1 + share) / 2,
            f"{way}.scaled": draw.random(DRAWN) < share,
            f"{way}.nearest": 6 + draw.gamma(4, 2 - share, DRAWN),
            f"{way}.frechet": np.array(40 + 200 * (1 - share) + draw.normal()),
            f"{way}.image": as_bytes(blobs(draw, PICTURES)),
        }
    return arrays
