"""How well autoencoders and filters take noise away, at every level of three kinds of noise.

    python -m overgen.run explore_denoising --dataset mnist --model codes

Reads: data/<dataset>; networks of `train_codes`, models/<dataset>/codes/, and of models/<dataset>/networks/; the cell
of `train_codes`, for the error after each epoch.
Writes the cell: trials.csv, a row a way of denoising, seed and noise; epochs.csv, a row a seed and epoch; pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.data.corruptions import corrupted
from overgen.measures.pixels import psnr
from overgen.models import codes, registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.scores.pca import PcaError
from overgen.stages.explore_denoising import filters, summary
from overgen.stages.train_codes.params import Member

SHOWN = ("gaussian", "salt_and_pepper")  # of which pictures are kept


def main(stage: Stage) -> None:
    """Write the cell."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"explore_denoising.{source.name}")
    sigma = stage.params(f"training.{source.name}.noise_std")
    pairs = noises(settings, sigma)
    names = [f"{noise}-{level:g}" for noise, level in pairs]
    pca = fitted_pca(settings, source.train_images[: stage.params(f"train_codes.{source.name}").images])
    made = stage.members(names, lambda i, _: denoise(stage, source, pca, *pairs[i]))
    if stage.rank != 0:
        return
    trained = stage.params(f"train_codes.{source.name}")
    table = pd.read_csv(f"reports/cells/{source.name}/train_codes/codes/curves.csv")
    of_dae = table[(table["kind"] == "dae") & (table["size"] == settings.size)]
    epochs = of_dae[["seed", "epoch", "test_psnr"]].rename(columns={"test_psnr": "psnr"}).assign(
        epoch=lambda t: t["epoch"] + 1
    )  # fmt: skip
    found = dict(zip(pairs, made, strict=True))
    rows = summary.rows(found, epochs, sigma=sigma, share=settings.median_at)
    key = f"train_codes.{source.name}"
    budget = {f"{key}.{name}": getattr(trained, name) for name in ("images", "epochs", "test_images")}
    budget |= {f"explore_denoising.{source.name}.held_out": settings.held_out}
    tables = {"trials": summary.trials(found), "epochs": epochs}
    shown = {noise: found[noise, sigma if noise == "gaussian" else settings.median_at] for noise in SHOWN}
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables, examples=summary.pictures(shown))


def noises(settings: Any, sigma: float) -> list[tuple[str, float]]:
    """Every kind and level of noise; σ of the training and the share where the median filter is compared on top."""
    further = {"gaussian": [sigma], "salt_and_pepper": [settings.median_at]}
    return [
        (noise, level)
        for noise, levels in settings.levels.items()
        for level in sorted({*levels, *further.get(noise, [])})
    ]


def fitted_pca(settings: Any, images: Tensor) -> PcaError:
    """PCA of clean images, (N, C, H, W) uint8, with as many components as a strength of the section asks for."""
    largest = int(max((strength[0] for strength in settings.strengths.get("pca", [])), default=1))
    return PcaError(components=largest).fit(data.floats(images).flatten(1).numpy())


def denoise(stage: Stage, source: data.Dataset, pca: PcaError, noise: str, level: float) -> dict[str, np.ndarray]:
    """What every way of denoising makes of test images under one noise.

    psnr.<way>, ssim.<way>: (S, N) of S seeds and N images; strength.<way> of filters, chosen on held-out training
    images, and held_out.<way>, their mean PSNR there; picture.<way>: the first images, uint8, and picture.image.
    Raises OvergenError if there are not enough training images.
    """
    settings, trained = (stage.params(f"{name}.{source.name}") for name in ("explore_denoising", "train_codes"))
    spare = source.train_images[trained.images : trained.images + settings.held_out]
    if len(spare) < settings.held_out:
        raise OvergenError(
            f"params.yaml, explore_denoising.{source.name}.held_out: {settings.held_out}, but beyond the "
            f"{trained.images} training images of train_codes {source.name} has {len(spare)}; lower one of the two"
        )
    clean = data.floats(source.test_images[: trained.test_images])
    given = corrupted(clean, noise, level, source.name)  # that of the curves of train_codes, where it is Gaussian
    held = data.floats(spare)
    held_given = corrupted(held, noise, level, source.name, "held out")
    arrays: dict[str, np.ndarray] = {}
    restored: dict[str, list[np.ndarray]] = {"noisy": [_pictures(given).clip(0, 1)]}
    for name, strengths in settings.strengths.items():
        scores = [
            quality(filters.restored(_pictures(held_given), name, s, pca), _pictures(held)).mean() for s in strengths
        ]
        best = int(np.argmax(scores))
        arrays |= {f"strength.{name}": np.array(strengths[best]), f"held_out.{name}": np.array(scores[best])}
        restored[name] = [filters.restored(_pictures(given), name, strengths[best], pca)]
    chunk = stage.params(f"engine.{source.name}.chunk")
    for kind in ("ae", "dae"):
        restored[kind] = []
        for seed in trained.codes["dae"].seeds:
            code, _ = codes.load(source.name, Member(kind, settings.size, seed).name)
            restored[kind].append(_decoded(code, given, chunk))
    for name in settings.networks:
        network, _ = registry.trained(source.name, name, device=stage.device)
        restored[name] = [_decoded(network, given.to(stage.device), chunk)]
    truth = _pictures(clean)
    for name, versions in restored.items():
        arrays[f"psnr.{name}"] = np.stack([quality(x, truth) for x in versions])
        arrays[f"ssim.{name}"] = np.stack([similarity(x, truth) for x in versions])
        arrays[f"picture.{name}"] = _shown(versions[0], settings.shown)
    arrays["picture.image"] = _shown(truth, settings.shown)
    return arrays


@torch.no_grad()
def _decoded(network: Any, images: Tensor, chunk: int) -> np.ndarray:
    """What a network makes of images (N, C, H, W): (N, H, W, C), cut at 0 and 1."""
    parts = [network(x).reconstruction.clamp(0, 1).view(x.shape) for x in images.split(chunk)]
    return _pictures(torch.cat(parts).cpu())


def _pictures(images: Tensor) -> np.ndarray:
    """(N, C, H, W) to (N, H, W, C)."""
    return images.movedim(1, 3).contiguous().numpy()


def _shown(images: np.ndarray, count: int) -> np.ndarray:
    """The first images in 8 bits, (count, H, W) or (count, H, W, 3)."""
    pixels = np.rint(255 * images[:count]).clip(0, 255).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[3] == 1 else pixels


def quality(x: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """The PSNR of each image, (N,) dB. x, clean: (N, H, W, C) in [0, 1]."""
    return psnr(np.square(x.astype(np.float64) - clean).mean((1, 2, 3)))


def similarity(x: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """The structural similarity of each image (Wang et al. 2004), in windows of 7 × 7, (N,) at most 1; as `quality`."""
    from skimage.metrics import structural_similarity

    pairs = zip(x.astype(np.float64), clean.astype(np.float64), strict=True)
    return np.array([structural_similarity(a, b, data_range=1.0, channel_axis=-1) for a, b in pairs])
