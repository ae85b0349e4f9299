"""Members with different images, labels and weights, trained together or alone: for tests on the CPU and on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import Logger

from overgen.models import registry
from overgen.run.streams import generator
from overgen.training.module import Training
from overgen.training.together import Together

SIZES = [13, 12, 8, 4]  # in batches of 5: three steps and two, one and two short batches, a member that ends early


DENOISING = {"noise_std": 0.2, "reconstruction_weight": 0.5}


CASES = {
    "cnn": ({"network": "cnn", "classes": 3}, {}),
    "cool": ({"network": "cool", "classes": 3, "omega": 4}, {}),
    "dae": ({"network": "dae", "classes": 3}, DENOISING),
    "dae, clean": ({"network": "dae", "classes": 3, "tied": False}, DENOISING | {"classifier_input": "clean"}),
    "dae, switches": ({"network": "dae", "classes": 3, "unpooling": "switches"}, DENOISING),
    "dae, bernoulli": (
        {"network": "dae", "classes": 3, "output": "sigmoid"},
        DENOISING | {"reconstruction_loss": "bernoulli"},
    ),
    "autoencoder": ({"network": "autoencoder", "hidden": 8}, {"noise_std": 0.1}),
}


def members(case: str, sizes: list[int] = SIZES, dtype: torch.dtype = torch.float64) -> dict[str, Training]:
    """Members with different images, labels, weights and numbers of images."""
    made = {}
    for i, size in enumerate(sizes):
        (options, settings), stream = CASES[case], generator("data", i)
        network = registry.build(**options).to(dtype)
        network.initialise(generator("weights", i))  # type: ignore[operator]
        images = torch.randint(0, 256, (size, 1, 28, 28), generator=stream, dtype=torch.uint8)
        labels = torch.randint(0, 3, (size,), generator=stream)
        made[f"m{i}"] = Training(
            network, images, labels, key=("m", i), batch_size=5, learning_rate=1e-3, l2=2.0, **settings
        )
    return made


def train(
    module: pl.LightningModule,
    loggers: Sequence[Logger],
    epochs: int = 2,
    precision: Any = "64-true",
    accelerator: str = "cpu",
) -> None:
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator=accelerator, devices=1, precision=precision, deterministic=True, logger=loggers,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
        reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    trainer.fit(module)
    if isinstance(module, Together):
        module.unstack()


def fitted(module: Training, *, epochs: int) -> Training:
    """A module after some epochs on the CPU, with nothing that is not asked for."""
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    trainer.fit(module)
    return module


def assert_same(member: Training, alone: Training) -> None:
    torch.testing.assert_close(member.network.state_dict(), alone.network.state_dict(), rtol=0, atol=1e-10)
    for curve, expected in zip(member.curves, alone.curves, strict=True):
        assert curve == pytest.approx(expected, rel=1e-6)
