"""Training: Lightning beside plain loops, and what the whole grid asks of a GPU: `python benchmarks/training.py`.

Three ways to train the same network on the same batches (MNIST-shaped noise, batch 128): ours (the Lightning module,
as stages run it: channels_last and bfloat16 on a CPU), a bare PyTorch loop with the same options, whose weights must
be equal at the end or the benchmark fails, and the loop that most people would write (float32, NCHW, default Adam).
Arithmetic is counted by torch's flop counter and set beside the matrix products that this machine reaches. On a GPU,
members that train together are timed beside one after another (elsewhere with `--together N`, where nobody needs it).

Measured on 2026-11-21, two cores of an AMD EPYC (Zen 5, AVX-512 bf16), `--steps 60 --repeats 2`; no GPU was at hand:

    matrix products 2048×2048: float32 179 GFLOP/s, bfloat16 671 GFLOP/s
    network  path                    ms/step  ours is  GFLOP/s  of the peak
    cnn      ours, bf16                27.56    1.00×      326  49%
    cnn      bare loop, bf16           26.73    0.97×      336  50%
    cnn      default loop, float32     75.66    2.75×      119  67%
    dae_sym  ours, bf16                45.25    1.00×      285  43%
    dae_sym  bare loop, bf16           43.27    0.96×      298  44%
    dae_sym  default loop, float32     98.53    2.18×      131  73%
    the grid: 686 trainings of 100 epochs, 177.4 PFLOP; on an H200 60 min at 5% of 989 TFLOP/s (not measured)

The same modules on batches of noise on an NVIDIA H200 (2026-11-26, torch 2.11, bfloat16, one process, before the first
layers of members together became products; this script itself has not run there):

    network  alone     28 together  images/s, alone → together
    cnn      3.92 ms      12.60 ms    33 k → 284 k
    dae_sym  9.5 ms       19.63 ms    14 k → 183 k

Alone the GPU computes for 0.55 ms of the CNN's step and 0.97 ms of the autoencoder's, so cells side by side fill it
too: twelve processes of one CNN each reached 400 k images/s under MPS, each at the speed that it has alone.

The default loop trains our networks, whose decoder never forms the upsampled images, so that gain is in both.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from overgen.data import floats
from overgen.models import registry
from overgen.run.streams import generator
from overgen.stages.train_openset.run import class_subsets
from overgen.training.module import Training, adam, losses
from overgen.training.together import Together

BATCH, NOISE = 128, 0.2
MODELS: dict[str, dict[str, Any]] = {
    "cnn": {"network": "cnn"},
    "cool": {"network": "cool"},
    "dae_sym": {"network": "dae", "tied": True},
    "dae_asym": {"network": "dae", "tied": False},
}
TIMED = ("cnn", "dae_sym")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
H200 = 989e12  # bfloat16 FLOP/s without sparsity: NVIDIA's data sheet


def built(model: str, seed: int = 0) -> nn.Module:
    network = registry.build(**MODELS[model])
    network.initialise(generator("weights", seed))  # type: ignore[operator]
    return network.to(DEVICE)


def data(steps: int) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) and labels (N,) for so many full batches."""
    stream = generator("images")
    images = torch.randint(0, 256, (steps * BATCH, 1, 28, 28), generator=stream, dtype=torch.uint8)
    return images.to(DEVICE), torch.randint(0, 10, (steps * BATCH,), generator=stream).to(DEVICE)


def member(model: str, steps: int, seed: int = 0) -> Training:
    options = {"noise_std": NOISE, "reconstruction_weight": 1.0} if "dae" in model else {}
    network = built(model, seed)
    if DEVICE.type == "cpu":
        network = network.to(memory_format=torch.channels_last)
    return Training(
        network, *data(steps), key=("benchmark", seed), batch_size=BATCH, learning_rate=1e-3, l2=0.0, **options
    )


class Clock(pl.Callback):
    """Seconds in the epoch, without what a Trainer does once before and after."""

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        synchronise()
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        synchronise()
        self.seconds = time.perf_counter() - self.start


def synchronise() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def fitted(module: pl.LightningModule, precision: str = "bf16-mixed") -> float:
    """Seconds of an epoch in Lightning."""
    clock = Clock()
    trainer = pl.Trainer(
        accelerator="auto", devices=1, max_epochs=1, precision=precision, deterministic=True, logger=False,
        enable_checkpointing=False, enable_model_summary=False, enable_progress_bar=False, log_every_n_steps=1,
        callbacks=[clock],
    )  # fmt: skip
    trainer.fit(module)
    module.to(DEVICE)
    return clock.seconds


def bare(module: Training) -> float:
    """Seconds of the same epoch in a plain loop with the same options."""
    network, noise = module.network, module.noise_of(0, DEVICE)
    optimizer = adam(((p, module.decay) for p in network.parameters()), module.learning_rate)
    synchronise()
    start = time.perf_counter()
    for index in module.batches(0):
        index = index.to(DEVICE)
        clean, labels = floats(module.images[index]), module.labels[index]
        if DEVICE.type == "cpu":
            clean = clean.contiguous(memory_format=torch.channels_last)
        x = clean
        if module.noise_std:
            x = clean + module.noise_std * torch.randn(clean.shape, generator=noise, device=DEVICE)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            loss = losses(network, clean, x, labels, **module.objective)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    synchronise()
    return time.perf_counter() - start


def default_step(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The loss as one would write it first."""
    clean = floats(images)
    log_y, reconstruction = network(clean + NOISE * torch.randn_like(clean))
    loss = F.nll_loss(log_y, labels)
    return loss if reconstruction is None else loss + F.mse_loss(reconstruction, clean.flatten(1))


def default(module: Training) -> float:
    """Seconds of an epoch in float32, NCHW, with Adam as it comes."""
    network = module.network.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adam(network.parameters())
    synchronise()
    start = time.perf_counter()
    for index in torch.randperm(len(module.labels), device=DEVICE).split(BATCH):
        optimizer.zero_grad()
        default_step(network, module.images[index], module.labels[index]).backward()
        optimizer.step()
    synchronise()
    return time.perf_counter() - start


def flops_of_an_image(model: str) -> float:
    """Floating-point operations of a training step (forward and backward), for each of its images."""
    images, labels = data(1)
    with FlopCounterMode(display=False) as counter:
        default_step(built(model), images, labels).backward()
    return counter.get_total_flops() / BATCH


def peak(dtype: torch.dtype, size: int, repeats: int) -> float:
    """FLOP/s of the best of some square matrix products."""
    a, b = (torch.randn(size, size, generator=generator("peak", i)).to(DEVICE, dtype) for i in (0, 1))
    seconds = []
    for _ in range(repeats):
        synchronise()
        start = time.perf_counter()
        a @ b
        synchronise()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def alternately(repeats: int, ways: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The fewest seconds of each way, run in turn, so that a busy machine slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            seconds[name].append(way())
    return {name: min(found) for name, found in seconds.items()}


def compare_paths(steps: int, repeats: int, peaks: dict[str, float], flops: dict[str, float]) -> None:
    print(f"\n{steps} steps of {BATCH} on {DEVICE.type}, best of {repeats}")
    print(f"{'network':8} {'path':22} {'ms/step':>8} {'ours is':>8} {'GFLOP/s':>8}  of the peak")
    for model in TIMED:
        for way in (fitted, bare, default):
            way(member(model, 2))  # kernels are chosen at their first call
        seconds = alternately(
            repeats,
            {
                "ours, bf16": lambda model=model: fitted(member(model, steps)),  # type: ignore[misc]
                "bare loop, bf16": lambda model=model: bare(member(model, steps)),  # type: ignore[misc]
                "default loop, float32": lambda model=model: default(member(model, steps)),  # type: ignore[misc]
            },
        )
        for name, found in seconds.items():
            rate = flops[model] * BATCH * steps / found
            share = rate / peaks["float32" if "float32" in name else "bfloat16"]
            faster = found / seconds["ours, bf16"]
            print(f"{model:8} {name:22} {1e3 * found / steps:8.2f} {faster:7.2f}× {rate / 1e9:8.0f}  {share:.0%}")


def check_equal(steps: int) -> None:
    """Our path and the bare loop end at the same weights."""
    for model in TIMED:
        ours, plain = member(model, steps), member(model, steps)
        fitted(ours), bare(plain)
        for a, b in zip(ours.network.parameters(), plain.network.parameters(), strict=True):
            if not torch.equal(a, b):
                raise SystemExit(f"{model}: the weights of the bare loop differ from ours")


def compare_together(count: int, steps: int, repeats: int) -> None:
    print(f"\n{count} members, {steps} steps of {BATCH} each on {DEVICE.type}, best of {repeats}")
    for model in TIMED:
        ways = {
            "together": lambda model=model: fitted(Together(several(model, steps, count))),  # type: ignore[misc]
            "one by one": lambda model=model: sum(map(fitted, several(model, steps, count).values())),  # type: ignore[misc]
        }
        fitted(Together(several(model, 2, count))), fitted(member(model, 2))
        seconds = alternately(repeats, ways)
        images = count * steps * BATCH
        rates = ", ".join(f"{name} {images / found:,.0f} images/s" for name, found in seconds.items())
        print(f"{model:8} {rates}: {seconds['one by one'] / seconds['together']:.2f}×")


def several(model: str, steps: int, count: int) -> dict[str, Training]:
    return {f"seed{seed}": member(model, steps, seed) for seed in range(count)}


def grid() -> list[tuple[str, str, int]]:
    """The papers' trainings of both data sets as (what, model, images an epoch); classes of 6,000 images."""
    trainings = []
    for _ in ("mnist", "fashion_mnist"):
        # four networks, with rectified and with sigmoid units, of five seeds
        trainings += [("all classes", model, 60_000) for model in MODELS for _ in range(2 * 5)]
        for model in ("cnn", "cool", "dae_sym"):
            counts = [(k, len(class_subsets(10, k, 10))) for k in range(1, 11)]
            trainings += [("open set", model, 6_000 * k) for k, subsets in counts for _ in range(subsets)]
            trainings += [("one class", model, 6_000) for _ in range(10)]
    return trainings


def expect(flops: dict[str, float], epochs: int = 100) -> None:
    print(
        "\nArithmetic of a training step, MFLOP an image: " + ", ".join(f"{m} {f / 1e6:.1f}" for m, f in flops.items())
    )
    trainings, total = grid(), 0.0
    for what in dict.fromkeys(kind for kind, _, _ in trainings):
        mine = [(model, images) for kind, model, images in trainings if kind == what]
        work = epochs * sum(flops[model] * images for model, images in mine)
        total += work
        print(f"{what:12} {len(mine):4} trainings of {epochs} epochs  {work / 1e15:6.1f} PFLOP")
    print(f"{'the grid':12} {len(trainings):4} trainings of {epochs} epochs  {total / 1e15:6.1f} PFLOP")
    times = ", ".join(f"{total / (H200 * share) / 60:.0f} min at {share:.0%}" for share in (0.02, 0.05, 0.1, 0.2))
    print(f"On an H200, at so much of its {H200 / 1e12:.0f} TFLOP/s (NOT MEASURED, arithmetic only): {times}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--matrix", type=int, default=4096 if DEVICE.type == "cuda" else 2048, help="side, for the peak"
    )
    parser.add_argument("--together", type=int, default=32 if DEVICE.type == "cuda" else 0, help="0: leave it out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec")
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    flops = {model: flops_of_an_image(model) for model in MODELS}
    peaks = {str(t).removeprefix("torch."): peak(t, options.matrix, 10) for t in (torch.float32, torch.bfloat16)}
    sizes = f"{options.matrix}×{options.matrix}"
    print(f"Matrix products {sizes}: " + ", ".join(f"{t} {rate / 1e9:,.0f} GFLOP/s" for t, rate in peaks.items()))
    check_equal(min(options.steps, 10))
    compare_paths(options.steps, options.repeats, peaks, flops)
    if options.together:
        compare_together(options.together, options.steps, options.repeats)
    expect(flops)


if __name__ == "__main__":
    main()
