"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from overgen.data import Dataset
from overgen.models import PIXELS
from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.fool_lbfgs.summary import examples, successes
from overgen.stages.train_adversarially import summary
from overgen.stages.train_adversarially.params import Pools, Setting, TrainAdversarially

DECAYS = [0.0, 0.0, 0.0]
SETTINGS = TrainAdversarially(
    hidden=[100, 100], held_out=100, seeds=[0, 1], batch_size=10, epochs=3, learning_rate=0.1, images=9,
    pools=Pools(size=10, replaced=5, share=5, c=1.0, minimisations=2, iterations=5),
    trainings={
        "weight_decay": [Setting(decays=DECAYS), Setting(decays=[1.0, 1.0, 1.0])],
        "dropout": [Setting(decays=DECAYS, dropout=[0.0, 0.5, 0.5])],
        "adversarial": [Setting(decays=DECAYS, levels=[0, 1], weight=1.0)],
        "adversarial_pixels": [Setting(decays=DECAYS, levels=[0], weight=1.0)],
    },
)  # fmt: skip
WRONG = {"weight_decay": 16, "dropout": 13, "adversarial": 11, "adversarial_pixels": 16}  # of 1,000 test images
DISTORTION = {"weight_decay": 0.06, "dropout": 0.07, "adversarial": 0.12, "adversarial_pixels": 0.11}  # rms


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    wrong: Mapping[str, int] = WRONG,
    distortion: Mapping[str, float] = DISTORTION,
) -> None:
    """Trainings with so many errors of 1,000 test images in every seed, each changed image being changed alike."""
    n, labels = SETTINGS.images, torch.arange(9)
    images = torch.from_numpy(as_bytes(blobs(draw, n)))
    source = Dataset("example", tuple("0123456789"), images[:, None], labels, images[:, None], labels)
    trainings, outcomes = {}, {}
    for name in SETTINGS.trainings:
        for seed in SETTINGS.seeds:
            trainings[name, seed] = {
                "wrong_test": np.arange(1000) < wrong[name] + seed,
                "wrong_train": np.zeros(1000, bool),
                "curve.epoch": np.arange(3),
                "curve.loss": np.array([1, 0.5, 0.2]),
                "curve.accuracy": np.array([0.8, 0.9, 0.99]),
            }
            if SETTINGS.trainings[name][0].levels:
                pool = {"found": np.ones(3), "distortion": distortion[name] * np.array([0.5, 0.8, 1.0])}
                trainings[name, seed] |= {f"curve.{key}": values for key, values in pool.items()}
            change = draw.normal(0, 1, (n, 28, 28))
            norms = np.sqrt(np.square(change).sum((1, 2), keepdims=True))
            sizes = distortion[name] * np.linspace(0.95, 1.05, n)[:, None, None] * PIXELS**0.5
            outcomes[name, seed] = {
                "index": np.arange(n),
                "target": (np.arange(n) + 1) % 10,
                "c": np.full(n, 0.5),
                "fooled": np.ones(n, bool),
                "score": np.full(n, 0.6),
                "image": (images.numpy() / 255 + change / norms * sizes).astype(np.float32),
            }
    errors = {(name, i): 3 + i for name, each in SETTINGS.trainings.items() for i in range(len(each))}
    chosen, trials = summary.best(errors), summary.trials(outcomes, source)
    results.write(
        path,
        budget=spent(path, epochs=3, seeds=2, images=n),
        metrics=summary.rows(errors, chosen, trainings, trials, SETTINGS),
        tables={
            "settings": summary.settings_table(errors, chosen, SETTINGS),
            "curves": summary.curves(trainings),
            "errors": summary.errors_table(trainings),
            "trials": trials,
        },
        examples=examples({name: arrays for (name, seed), arrays in outcomes.items() if seed == 0}, source),
        successes=successes(outcomes),
    )
