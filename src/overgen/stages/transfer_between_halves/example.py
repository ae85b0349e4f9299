"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from overgen.data import Dataset
from overgen.models import PIXELS, Output
from overgen.run import results
from overgen.run.example import as_bytes, blobs, spent
from overgen.stages.fool_lbfgs.summary import examples, successes
from overgen.stages.transfer_between_halves import summary
from overgen.stages.transfer_between_halves.params import OnHalf, TransferBetweenHalves

DECAYS = [0.0, 0.0, 0.0]
SETTINGS = TransferBetweenHalves(
    networks={
        "fc100_100_10": OnHalf(hidden=[100, 100], decays=DECAYS, half=0),
        "fc123_456_10": OnHalf(hidden=[123, 456], decays=DECAYS, half=0),
        "fc100_100_10_other_half": OnHalf(hidden=[100, 100], decays=DECAYS, half=1),
    },
    seeds=[0, 1], batch_size=10, epochs=3, learning_rate=0.1, images=8, magnified=[0.1], noise=[0.06, 0.1],
    noise_images=8,
)  # fmt: skip
LIMITS = {"fc100_100_10": 0.03, "fc123_456_10": 0.08, "fc100_100_10_other_half": 0.2}  # rms from the nearest image
WRONG = 20  # of 1,000 images that a network was not trained on


class Nearest(nn.Module):
    """Labels an image as the nearest of some images, if it is nearer than `limit`, rms; else as the next class."""

    def __init__(self, images: Tensor, labels: Tensor, limit: float) -> None:
        super().__init__()
        self.images, self.labels, self.limit = images.flatten(1), labels, limit

    def forward(self, x: Tensor) -> Output:
        distance, place = torch.cdist(x.flatten(1), self.images).min(1)
        seen = (self.labels[place] + (distance > self.limit * PIXELS**0.5).long()) % 10
        return Output(torch.log_softmax(9.0 * nn.functional.one_hot(seen, 10), 1), None)


def example_cell(path: Path, draw: np.random.Generator, *, limits: Mapping[str, float] = LIMITS) -> None:
    """Networks that err on whatever is further from the images than their limit, on noise too."""
    n, labels = SETTINGS.images, torch.arange(SETTINGS.images)
    images = torch.from_numpy(as_bytes(blobs(draw, n)))
    source = Dataset("example", tuple("0123456789"), images[:, None], labels, images[:, None], labels)
    networks, outcomes, judges = {}, {}, {}
    for seed in SETTINGS.seeds:
        for name, described in SETTINGS.networks.items():
            networks[seed, name] = {
                f"wrong_{part}": np.arange(1000) < (0 if own else WRONG + seed)
                for part, own in (("first_half", described.half == 0), ("second_half", described.half), ("test", False))
            }
            change = draw.normal(0, 1, (n, 28, 28))
            norms = np.sqrt(np.square(change).sum((1, 2), keepdims=True))
            sizes = 1.01 * limits[name] * PIXELS**0.5
            outcomes[seed, name] = {
                "index": np.arange(n),
                "target": (np.arange(n) + 1) % 10,
                "c": np.full(n, 0.5),
                "fooled": np.ones(n, bool),
                "score": np.full(n, 0.6),
                "image": (images.numpy() / 255 + change / norms * sizes).astype(np.float32),
            }
            judges[seed, name] = Nearest(images.float() / 255, labels, limits[name])
    trials, noise = summary.trials(judges, outcomes, source, SETTINGS), summary.noise(judges, source, SETTINGS)
    results.write(
        path,
        budget=spent(path, epochs=3, seeds=2, images=n),
        metrics=summary.rows(networks, trials, noise, SETTINGS),
        tables={"halves": summary.halves(networks, SETTINGS), "trials": trials, "noise": noise},
        examples=examples({name: arrays for (seed, name), arrays in outcomes.items() if seed == 0}, source),
        successes=successes(outcomes),
    )
