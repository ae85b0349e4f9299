"""Images per second drawn by CPPNs, against neat-python: `python benchmarks/cppn.py` (the extra `oracle`).

Both draw the same networks: a population as it is after some generations of mutation. Ours draws all of them at once,
neat-python's FeedForwardNetwork is asked for each pixel of one image after another, with the same four functions from
Python's math. In float64 the images must agree to 1e-6, or the benchmark fails. Making the networks counts on neither
side: neat-python's evaluation order is worked out beforehand, ours is part of drawing.

One core of an AMD EPYC (AVX2, another process on the other), torch 2.15, 200 networks of 3.9 nodes on average:

                     images/s  against neat-python
    ours, float32     26364.6                69.5×      (goal 10)
    ours, float64     23519.4                62.0×
    neat-python         379.3                 1.0×
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from random import Random

import torch
from neat.graphs import feed_forward_layers
from neat.nn import FeedForwardNetwork

from overgen.attacks import cppn
from overgen.attacks.cppn import ACTIVATIONS, INPUTS, OUTPUT, Genome, Rates

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sine": math.sin,
    "sigmoid": lambda s: 2 * (1 / (1 + math.exp(-s)) - 0.5),
    "gaussian": lambda s: math.exp(-(s**2)),
    "linear": lambda s: min(max(s, -3.0), 3.0) / 3,
}


def population(size: int, mutations: int) -> list[Genome]:
    """Networks that have been mutated so many times."""
    draw = Random(0)
    genomes = [cppn.minimal(draw) for _ in range(size)]
    for _ in range(mutations):
        genomes = [cppn.mutate(genome, draw, Rates()) for genome in genomes]
    return genomes


def neat_network(genome: Genome) -> FeedForwardNetwork:
    """The same network as neat-python has it."""
    inputs = list(range(INPUTS))
    layers, _ = feed_forward_layers(inputs, [OUTPUT], list(genome.weights))
    nodes = [node for layer in layers for node in sorted(layer)]
    evaluations = []
    for node in nodes if OUTPUT in nodes else [*nodes, OUTPUT]:
        links = [(source, weight) for (source, target), weight in genome.weights.items() if target == node]
        evaluations.append((node, FUNCTIONS[ACTIVATIONS[genome.activations[node]]], sum, 0.0, 1.0, links))
    return FeedForwardNetwork(inputs, [OUTPUT], evaluations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--population", type=int, default=200)
    parser.add_argument("--mutations", type=int, default=20)
    parser.add_argument("--neat-images", type=int, default=20, help="of the population, drawn by neat-python too")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    genomes = population(options.population, options.mutations)
    some = genomes[: options.neat_images]
    networks = [neat_network(genome) for genome in some]
    places = cppn.coordinates().t().tolist()
    rates: dict[str, list[float]] = {"ours, float32": [], "ours, float64": [], "neat-python": []}
    cppn.render(genomes)  # first calls
    for _ in range(options.repeats):  # in turn, so that a busy machine slows all of them
        for name, dtype in (("ours, float32", torch.float32), ("ours, float64", torch.float64)):
            start = time.perf_counter()
            images = cppn.render(genomes, dtype=dtype)
            rates[name].append(len(genomes) / (time.perf_counter() - start))
        start = time.perf_counter()
        theirs = [[abs(network.activate(place)[0]) for place in places] for network in networks]
        rates["neat-python"].append(len(some) / (time.perf_counter() - start))
        difference = float((images[: len(some)] - torch.tensor(theirs, dtype=torch.float64)).abs().max())
        if not difference < 1e-6:
            raise SystemExit(f"the images differ from neat-python's by {difference:.1e}")
    nodes = sum(len(cppn.levels(genome)) for genome in genomes) / len(genomes)
    print(f"{len(genomes)} networks of {nodes:.1f} nodes on average, best of {options.repeats}; largest difference "
          f"in float64 {difference:.1e}")  # fmt: skip
    print(f"{'':14} {'images/s':>10} {'against neat-python':>20}")
    for name, found in rates.items():
        print(f"{name:14} {max(found):10.1f} {max(found) / max(rates['neat-python']):19.1f}×")


if __name__ == "__main__":
    main()
