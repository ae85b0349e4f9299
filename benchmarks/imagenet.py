"""Images per second on EfficientNet-Lite0, in seconds of one core: `python benchmarks/imagenet.py`.

Of its forward pass as it comes and with batch normalisations folded, at several batch sizes; of an evolution for 1,000
classes, which scores the same images and breeds, draws and keeps them, too (goal: 0.8 of the bare pass in its fastest
batch); and the time in which a photograph becomes a tiger shark (goal: 10 s).

One core of a Xeon (AVX-512) on which a dozen other processes ran, torch 2.15; in brackets the batch:

    forward, as it comes   25.1 (1)   29.7 (5)   14.6 (20)
    forward, folded        33.4 (1)   29.7 (5)   31.0 (20)
    evolution, CPPN        32.8       0.98 of the fastest forward pass
    evolution, direct      30.3       0.91
    cat → tiger shark       2.0 s     21 updates

On a quieter machine: forward 44 to 48 (folded, 5), evolution 39 in both encodings (0.81).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from overgen.attacks.ascent import Regularisers, ascend
from overgen.attacks.direct import Direct
from overgen.attacks.encodings import encoding_of
from overgen.attacks.evolution import Evolution
from overgen.confidence import ScaledOutput
from overgen.data.photographs import photograph
from overgen.models.adopted import open_network
from overgen.models.folding import folded
from overgen.models.witnesses import in_8_bits, log_scores
from overgen.run import params
from overgen.run.streams import generator

SHARK = 3
BATCHES = (1, 5, 20)


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of this process, which other processes on the machine change less than those of a clock."""
    began = time.process_time()
    work()
    return time.process_time() - began


@torch.no_grad()
def forward_rate(network: Any, batch: int, images: int) -> float:
    """Images a second of the bare forward pass."""
    x = torch.rand(batch, *network.shape, generator=generator("benchmark"))
    network(x)
    return images / seconds(lambda: [network(x) for _ in range(images // batch)])


def evolution_rate(network: Any, encoding: str, *, generations: int, population: int, chunk: int) -> float:
    """Images a second of an evolution, after its random start."""
    how = encoding_of(encoding, params.load().evolve_classes)
    how = how._replace(in_8_bits=True) if isinstance(how, Direct) else how
    evolution = Evolution(
        ScaledOutput(network, alpha=0, beta=0), [generator("benchmark", encoding)], encoding=how, shape=network.shape,
        classes=network.classes, kept=range(45), population=population, stored_generations=(), batch_size=chunk,
    )  # fmt: skip
    evolution.training_step(0)
    spent = seconds(lambda: [evolution.training_step(generation) for generation in range(1, generations + 1)])
    return generations * population / spent


def shark(network: Any) -> tuple[float, int]:
    """Seconds and updates until the cat is a tiger shark in 8 bits."""
    x = torch.from_numpy(photograph("cat", network.shape[1])).float() / 255
    updates = 0

    def work() -> None:
        nonlocal updates
        _, updates = ascend(
            lambda image: network(image[None]).log_y[0, SHARK],
            lambda image: float(log_scores(network, in_8_bits(image[None]), chunk=1)[0, SHARK].exp()) > 0.99,
            x, x, updates=200, rate=0.001, regularisers=Regularisers(),
        )  # fmt: skip

    return seconds(work), updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60, help="of each measurement of the forward pass")
    parser.add_argument("--generations", type=int, default=2)
    parser.add_argument("--population", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    bare = open_network("efficientnet-lite0").requires_grad_(False)
    fast = folded(bare, torch.rand(1, *bare.shape, generator=generator("benchmark")))
    best = 0.0
    for name, network in (("as it comes", bare), ("folded", fast)):
        rates = [forward_rate(network, batch, options.images) for batch in BATCHES]
        best = max(best, *rates)
        print(f"forward, {name:12}", *(f"{rate:6.1f} ({batch})" for rate, batch in zip(rates, BATCHES, strict=True)))
    for encoding in ("cppn", "direct"):
        rate = evolution_rate(fast, encoding, generations=options.generations, population=options.population, chunk=5)
        print(f"evolution, {encoding:10} {rate:6.1f}      {rate / best:.2f} of the fastest forward pass (goal 0.8)")
    spent, updates = shark(fast)
    print(f"cat → tiger shark    {spent:6.1f} s    {updates} updates (goal 10 s)")


if __name__ == "__main__":
    main()
