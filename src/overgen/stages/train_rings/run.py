"""Train a denoising autoencoder with a classifier on three rings of points, and map its output over the plane.

    python -m overgen.run train_rings --dataset rings --model dae

Needs no data: points are drawn fresh at every step. Writes the cell of Figure 2 (Spigler 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from overgen import OvergenError
from overgen.confidence import distance, log_reconstruction
from overgen.measures.intervals import prediction_interval
from overgen.models.points import PointAutoencoder
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.run.tracking import lightning_logger
from overgen.stages.train_rings import geometry as train_rings_geometry
from overgen.stages.train_rings import module as train_rings_module
from overgen.stages.train_rings import outputs as train_rings_outputs

CHECKPOINT = 10  # blocks; a killed training goes on from the last one
ENGINE = "train_rings"  # the section that holds `threads`


def main(stage: Stage) -> None:
    """Write the cell: curves, numbers of all seeds, and the maps of seed 0 in examples.npz."""
    settings = stage.params("train_rings")
    trained = stage.members(
        [f"seed{seed}" for seed in settings.seeds], lambda i, run: train(stage, run, settings.seeds[i])
    )
    if stage.rank == 0:
        columns = ["seed", "step", "classification_loss", "reconstruction_loss", "accuracy"]
        curves = [pd.DataFrame({name: t[name] for name in columns}) for t in trained]
        results.write(
            stage.cell,
            budget={"train_rings.steps": settings.steps, "train_rings.seeds": len(settings.seeds)},
            metrics=rows(trained, settings),
            tables={"curves": pd.concat(curves)},
            examples=maps(trained[0], settings),
        )


def train(stage: Stage, run: Any, seed: int) -> dict[str, np.ndarray]:
    """One network: its curves and its `point_outputs` on fresh points, whose `labels` come too, then on the plane."""
    settings, key = stage.params("train_rings"), ("rings", seed)
    network = PointAutoencoder(settings.hidden, len(settings.centres))
    network.initialise(generator(*key, "weights"))  # type: ignore[misc]  # it is CNN's own
    module = train_rings_module.RingsTraining(network, settings, key=key)
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
    points, labels = fresh(settings, settings.test_points, key)
    outputs = train_rings_outputs.point_outputs(
        network, torch.cat([points, train_rings_geometry.plane(settings.resolution, settings.extent)])
    )
    curves = {str(name): column.to_numpy() for name, column in pd.DataFrame(module.curves).items()}
    return outputs | curves | {"labels": labels.numpy(), "seed": np.full(len(module.curves), seed)}


def geometry(settings: Any) -> dict[str, Any]:
    """Where the rings lie, as the functions of `rings` take it."""
    return {
        "centres": torch.tensor(settings.centres),
        "inner_radius": settings.inner_radius,
        "thickness": settings.thickness,
    }


def fresh(settings: Any, count: int, key: tuple[object, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Points on the rings that no training has seen, (count, 2), and the numbers of their rings."""
    return train_rings_geometry.sample(count, draws=generator(*key, "test"), **geometry(settings))


def rows(trained: list[dict[str, np.ndarray]], settings: Any) -> list[dict[str, Any]]:
    """The numbers of the cell: what training reached, and outputs on the rings, far from them, and over the plane.

    For y, ỹ with Γ = 1 (`ungated`) and ỹ (`scaled`): the mean of the highest output, and where it is above τ.
    """
    seeds = len(settings.seeds)

    def over_seeds(metric: str, values: list[float], unit: str, n: int, tau: float | None = None) -> dict[str, Any]:
        return results.row(
            "rings",
            metric,
            float(np.mean(values)),
            unit=unit,
            n=n,
            tau=tau,
            interval=prediction_interval(values, bounds=(0, {"percent": 100, "fraction": 1}.get(unit, np.inf))),
            kind=f"95 % t prediction interval over {seeds} seeds",
            note="seed spread not measured" if seeds == 1 else "",
        )

    last = (
        (settings.steps - 1) % train_rings_module.BLOCK + 1
    ) * settings.batch_size  # points of the last block of steps
    found = [
        over_seeds(f"final_{loss}", [float(t[loss][-1]) for t in trained], unit, last)
        for loss, unit in (("classification_loss", "nats"), ("reconstruction_loss", "squared length"))
    ]
    hits = [int((t["log_y"][: settings.test_points].argmax(1) == t["labels"]).sum()) for t in trained]
    found.append(results.rate_row("rings", "test_accuracy", hits, settings.test_points, of="fresh points"))
    apart = train_rings_geometry.distance_to_rings(
        train_rings_geometry.plane(settings.resolution, settings.extent), **geometry(settings)
    ).numpy()
    fresh_points, elsewhere = np.ones(settings.test_points, bool), np.zeros(settings.test_points, bool)
    where = {
        "rings": np.r_[fresh_points, apart < 0],
        "far": np.r_[elsewhere, apart > settings.far],
        "plane": np.r_[elsewhere, apart >= 0],
    }
    judged = [train_rings_outputs.scores(t, alpha=settings.alpha, beta=settings.beta) for t in trained]
    for place, chosen in where.items():
        n = int(chosen.sum())
        for name in ("y", "ungated", "scaled"):
            best = [scores[name][chosen].max(1) for scores in judged]
            found.append(over_seeds(f"mean_{name}@{place}", [float(b.mean()) for b in best], "fraction", n))
            above = [100 * float((b > settings.tau).mean()) for b in best]
            found.append(over_seeds(f"share_{name}@{place}", above, "percent", n, settings.tau))
        positive = [100 * float((t["gamma"][chosen] > 0).mean()) for t in trained]
        found.append(over_seeds(f"gamma_positive@{place}", positive, "percent", n))
    on_ring = 100 * float((apart == 0).mean())
    found.append(results.row("rings", "on_a_ring@plane", on_ring, unit="percent", n=len(apart)))
    found.append(optimal_confidence(settings))
    return found


def optimal_confidence(settings: Any) -> dict[str, Any]:
    """The mean of c̃ with Γ = 1 on the rings, for the denoiser that has the least squared error."""
    x, _ = fresh(settings, settings.test_points, ("rings", settings.seeds[0]))
    reconstruction = train_rings_geometry.optimal_reconstruction(x, noise_std=settings.noise_std, **geometry(settings))
    log_confidence = log_reconstruction(distance(x, reconstruction), alpha=settings.alpha, pixels=2)
    return results.row(
        "rings", "optimal_confidence@rings", float(log_confidence.exp().mean()), unit="fraction", n=len(x)
    )


def maps(arrays: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
    """What Figure 2 shows: points with their labels, and maps of [−extent, extent]², rows of rising y.

    y and scaled: (G, G, C), reconstruction and gate (the factors of c̃): (G, G); uint8, 255 for 1.
    """
    scores = train_rings_outputs.scores(arrays, alpha=settings.alpha, beta=settings.beta)
    points, labels = fresh(settings, settings.shown_points, ("rings", "shown"))

    def bytes_of(values: np.ndarray) -> np.ndarray:
        values = values[settings.test_points :].reshape(settings.resolution, settings.resolution, *values.shape[1:])
        return np.round(255 * values).astype(np.uint8)

    shown = {name: bytes_of(scores[name]) for name in ("y", "scaled", "reconstruction", "gate")}
    shown |= {"points": points.half().numpy(), "labels": labels.to(torch.uint8).numpy()}
    return shown | {"extent": np.array(settings.extent)}
