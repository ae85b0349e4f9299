"""Train a denoising autoencoder with a classifier on three rings of points, and map its output over the plane.

    python -m overgen.run train_rings --dataset rings --model dae

It needs no data: points are drawn fresh at every step.

Writes the cell of Figure 2 (Spigler 2019): curves.csv, a row a seed and block of steps; what the outputs come to on the
rings, far from them and over the plane; the maps of seed 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from overgen import OvergenError
from overgen.models.points import PointAutoencoder
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.run.tracking import lightning_logger
from overgen.stages.train_rings import geometry, summary
from overgen.stages.train_rings.module import RingsTraining
from overgen.stages.train_rings.outputs import point_outputs

CHECKPOINT = 10  # blocks; a killed training goes on from the last one
ENGINE = "train_rings"  # the section that holds `threads`


def main(stage: Stage) -> None:
    """Write the cell."""
    settings = stage.params("train_rings")
    names = [f"seed{seed}" for seed in settings.seeds]
    trained = stage.members(names, lambda i, run: train(stage, run, settings.seeds[i]))
    if stage.rank == 0:
        columns = ["seed", "step", "classification_loss", "reconstruction_loss", "accuracy"]
        curves = [pd.DataFrame({name: arrays[name] for name in columns}) for arrays in trained]
        results.write(
            stage.cell,
            budget={"train_rings.steps": settings.steps, "train_rings.seeds": len(settings.seeds)},
            metrics=summary.rows(trained, settings),
            tables={"curves": pd.concat(curves)},
            examples=summary.maps(trained[0], settings),
        )


def train(stage: Stage, run: Any, seed: int) -> dict[str, np.ndarray]:
    """The network of one seed: its curves, and its `point_outputs` on fresh points, whose `labels` come too, then on
    the plane."""
    settings, key = stage.params("train_rings"), ("rings", seed)
    network = PointAutoencoder(settings.hidden, len(settings.centres))
    network.initialise(generator(*key, "weights"))  # type: ignore[misc]  # it is CNN's own
    module = RingsTraining(network, settings, key=key)
    last = stage.progress / f"seed{seed}.blocks" / "last.ckpt"
    keep = ModelCheckpoint(
        dirpath=last.parent, filename="last", save_top_k=1, enable_version_counter=False, every_n_epochs=CHECKPOINT
    )
    trainer = stage.trainer(
        epochs=module.epochs, callbacks=[keep], enable_checkpointing=True, logger=lightning_logger(run)
    )
    try:
        trainer.fit(module, ckpt_path=str(last) if last.exists() else None, weights_only=False)
    except FloatingPointError as error:
        raise OvergenError(f"train_rings, seed {seed}: {error}; lower train_rings.learning_rate") from error
    network = network.cpu().eval().requires_grad_(False)
    points, labels = geometry.fresh(settings, settings.test_points, key)
    outputs = point_outputs(network, torch.cat([points, geometry.plane(settings.resolution, settings.extent)]))
    curves = {str(name): column.to_numpy() for name, column in pd.DataFrame(module.curves).items()}
    return outputs | curves | {"labels": labels.numpy(), "seed": np.full(len(module.curves), seed)}
