"""A pass of the diffusion denoiser (scores/restoration.py) against one of the paper's denoising autoencoder.

    python benchmarks/denoiser.py [images]

Scores of MNIST test images by −‖D(x; σ) − x‖ and by −‖r(x) − x‖, trained networks of the study, one run, float32, one
thread, each three times in turn, medians. The goal: at most 3 times the dAE's time for each pass.

MEASURED
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

from overgen import data
from overgen.models import denoisers, registry
from overgen.scores.restoration import restoration

ROUNDS, CHUNK = 3, 500


def main(images: int) -> None:
    torch.set_num_threads(1)
    x = data.floats(data.load("mnist").test_images[:images])
    denoiser, _ = denoisers.load("mnist")
    autoencoder, _ = registry.trained("mnist", "dae_sym")
    networks = denoiser.eval(), autoencoder.eval().to(memory_format=torch.channels_last)

    def modern() -> torch.Tensor:
        parts = x.flatten(1).split(CHUNK)
        return torch.cat([restoration(networks[0], part, [networks[0].sigma]) for part in parts])

    def papers() -> torch.Tensor:
        parts = x.contiguous(memory_format=torch.channels_last).split(CHUNK)
        restored = torch.cat([networks[1](part).reconstruction for part in parts])
        return -torch.linalg.vector_norm(restored - x.flatten(1), dim=1)

    with torch.no_grad():
        for way in (papers, modern):
            way()
        times: list[list[float]] = []
        for _ in range(ROUNDS):
            row = []
            for way in (papers, modern):
                begin = time.perf_counter()
                way()
                row.append(time.perf_counter() - begin)
            times.append(row)
    dae, ours = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{len(x)} images, torch {torch.__version__}, {torch.get_num_threads()} thread")
    for name, network, taken in (("dAE sym", networks[1], dae), ("denoiser", networks[0], ours)):
        weights = sum(p.numel() for p in network.parameters())
        print(f"    {name}, {weights:9,} weights  {1e3 * taken / len(x):7.3f} ms an image")
    print(f"    {ours / dae:.2f} times the dAE's time (goal: at most 3)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000)
