"""Train a small noise-conditional denoiser on the images of a data set, without their labels.

    python -m overgen.run train_denoiser --dataset digits --model denoiser

It is to today's diffusion models what the paper's denoising autoencoder was to its time: a network that restores noisy
images, at every level of noise. `attack_denoiser` asks it for a confidence.

Reads: data/<dataset>.
Writes: models/<dataset>/denoiser/seed<seed>.safetensors; `overgen.models.denoisers` loads them. And the cell:
curves.csv, a row a seed and epoch; how well held-out images are restored at each level of noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen import data
from overgen.data.corruptions import corrupted
from overgen.measures.means import mean_row, seeds_row
from overgen.measures.outputs import part
from overgen.measures.pixels import psnr
from overgen.models import denoisers
from overgen.run import results
from overgen.run.files import replace_directory
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.train_denoiser.module import DenoiserTraining
from overgen.stages.train_denoiser.split import split
from overgen.training.members import curve_arrays, save_member, train_together, weight_arrays

EXPERIMENT = "denoiser"
COLUMNS = ["seed", "epoch", "loss", "error", "test_psnr"]


def main(stage: Stage) -> None:
    """Write weights and the cell."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"train_denoiser.{source.name}")
    trained = stage.members([f"seed{s}" for s in settings.seeds], lambda i, run: train(stage, run, settings.seeds[i]))
    if stage.rank != 0:
        return
    budget = {f"{key}.epochs": settings.epochs, f"{key}.seeds": len(settings.seeds)}
    with replace_directory(denoisers.path_of(source.name, 0).parent) as folder:
        for seed, arrays in zip(settings.seeds, trained, strict=True):
            about = {"dataset": source.name, "seed": seed, "network": options(stage, source), "budget": budget}
            save_member(folder / f"seed{seed}.safetensors", arrays, about)
    curves = [
        pd.DataFrame(part(arrays, "curve")).assign(seed=s) for s, arrays in zip(settings.seeds, trained, strict=True)
    ]
    table = pd.concat(curves).rename(columns={"reconstruction_loss": "error"})[COLUMNS].astype({"epoch": int})
    restored = np.stack([arrays["psnr"] for arrays in trained])  # (seeds, levels, images)
    results.write(stage.cell, budget=budget, metrics=rows(restored, settings.levels), tables={"curves": table})


def options(stage: Stage, source: data.Dataset) -> dict[str, Any]:
    """What `Denoiser` takes. Its own σ is that of the noise that the data set's dAE is trained on."""
    settings = stage.params(f"train_denoiser.{source.name}")
    sigma = stage.params(f"training.{source.name}.noise_std")
    return {"shape": list(source.shape), "width": settings.width, "data_std": settings.data_std, "sigma": sigma}


def train(stage: Stage, run: Any, seed: int) -> dict[str, np.ndarray]:
    """One denoiser: its `weight.*`, its `curve.*`, and psnr (levels, images) of restored held-out images, in dB."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"train_denoiser.{source.name}")
    key = (source.name, "denoiser", seed)
    network = denoisers.Denoiser(**options(stage, source))
    network.initialise(generator(*key, "weights"))
    seen, left_out = split(source, settings.held_out)
    clean = data.floats(source.train_images[left_out])
    noisy = {sigma: corrupted(clean, "gaussian", sigma, source.name) for sigma in (network.sigma, *settings.levels)}
    flat = clean.flatten(1).to(stage.device)
    module = DenoiserTraining(
        network.to(stage.device),
        source.train_images[seen].to(stage.device),
        log_sigma=settings.log_sigma,
        log_sigma_std=settings.log_sigma_std,
        average=settings.average,
        tested=(flat, noisy[network.sigma].flatten(1).to(stage.device)),
        key=key,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
    )
    trained, curves = train_together(stage, [run], {f"seed{seed}": module}, epochs=settings.epochs, precision="32")[0]
    restored = [restored_psnr(trained, flat, noisy[sigma].flatten(1), sigma) for sigma in settings.levels]
    return weight_arrays(trained) | curve_arrays(curves) | {"psnr": np.stack(restored)}


@torch.no_grad()
def restored_psnr(network: Any, clean: Tensor, noisy: Tensor, sigma: float) -> np.ndarray:
    """Of each restored image, cut at 0 and 1, its PSNR in dB. clean, noisy: (N, D); sigma: of the noise."""
    restored = torch.cat([network.restore(block, sigma) for block in noisy.to(clean.device).split(250)]).clamp(0, 1)
    return psnr((restored - clean).square().double().mean(1).cpu().numpy())


def rows(restored: np.ndarray, levels: list[float]) -> list[dict[str, Any]]:
    """How well images are restored at each level. restored: PSNR, (seeds, levels, images)."""
    made = []
    for i, sigma in enumerate(levels):
        metric, each = results.metric("restored_psnr", sigma=sigma), restored[:, i]
        if len(each) > 1:
            n = len(each) * each.shape[1]
            made.append(seeds_row(EXPERIMENT, metric, each.mean(1).tolist(), unit="dB", n=n))
        else:
            made.append(mean_row(EXPERIMENT, metric, each[0], unit="dB", over="held-out images"))
    return made
