"""The indirect encoding: images drawn by evolved networks (Nguyen, Yosinski & Clune 2015, Section 2).

A compositional pattern-producing network (CPPN; Stanley 2007) is a small network without cycles that maps a pixel's
place to its value: pixel = |output|. Its inputs are x and y, the pixel's column and row as they are counted, 0 to 27 in
an image of 28 × 28; d, its distance from the centre in coordinates of [−1, 1]; and 1. In the paper's colour images of
256 × 256 they are counted, too, so that one network draws other pictures at other sizes. Here the same network draws
the same picture at any: x = 28·(column + ½)/width − ½, so that the outer edges of all images lie at −½ and 27½, and y
so with row and height. In 28 × 28 these are the column and the row. An image that is not square is the picture
stretched to it.

The networks of colour images have three outputs, hue, saturation and value as the paper says
(`overgen.attacks.colour`), each the absolute value of its node. (The code that its authors published with a later
paper, Innovation Engines 2015, takes the three for hue, lightness and saturation.)

A node applies one of four functions to the weighted
sum of what it receives:

    sine sin s,   sigmoid 2(1/(1 + exp(−s)) − ½),   Gaussian exp(−s²),   linear min(max(s, −3), 3)/3

As in the authors' published code, as read, and the library of theirs under it (sferes2):
- A run starts with networks in which each input is connected to each output, without hidden nodes. Weights are
  U[−10, 10], and each node's function is one of the four, equally likely.
- A child is a copy of a parent: of a pair, crossover only decides which child is whose copy. Then it is mutated, in
  this order. Each weight with probability 0.1 by the polynomial mutation of index 15, of the range of 20, clamped; each
  node's function with probability 0.1, to one of the four; a connection is added (0.5) and one removed (0.3); a node is
  added in the middle of a connection, whose weight both halves get (0.5), and one removed with its connections (0.2).
- An added connection goes from any node but an output to any that is neither an input nor one that the first depends
  on, so that no cycle can arise.

Where that library can connect a pair a second time, this does not [?: the weights would add up].
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overgen.attacks.colour import rgb_of_hsv

SIDE = 28  # pixels of an image in which x and y are column and row
INPUTS = 4  # x, y, d, 1: nodes 0 to 3
OUTPUT = 4  # node: the first output; then come the others, if there are any, and the hidden ones
BOUND = 10.0  # weights lie in [−BOUND, BOUND]
ACTIVATIONS = ("sine", "sigmoid", "gaussian", "linear")
AT_ONCE = 2**24  # values of nodes at pixels (64 MB in float32) that are drawn together
SMALL = SIDE * SIDE  # images of so few pixels are all drawn together


class Genome(NamedTuple):
    """A network. Never changed once made: children share with their parents what they do not change.

    activations: of each output and hidden node, its place in ACTIVATIONS. weights: by (source, target). outputs: how
    many, 1 for gray images, 3 for colour.
    """

    activations: dict[int, int]
    weights: dict[tuple[int, int], float]
    outputs: int = 1

    @property
    def hidden(self) -> int:
        """The number that hidden nodes begin at."""
        return OUTPUT + self.outputs


class Rates(NamedTuple):
    """Probabilities of the mutations of a child, and the index of the polynomial one; defaults: the authors'."""

    weight: float = 0.1
    eta: float = 15.0
    activation: float = 0.1
    add_connection: float = 0.5
    remove_connection: float = 0.3
    add_node: float = 0.5
    remove_node: float = 0.2


def minimal(draw: Random, outputs: int = 1) -> Genome:
    """A random network without hidden nodes."""
    targets = range(OUTPUT, OUTPUT + outputs)
    weights = {(source, target): BOUND * (2 * draw.random() - 1) for target in targets for source in range(INPUTS)}
    return Genome({target: one_of(len(ACTIVATIONS), draw) for target in targets}, weights, outputs)


def one_of(count: int, draw: Random) -> int:
    """0 to count − 1, each equally likely. (Of Random's methods only `random` gives the same in every later Python.)"""
    return int(draw.random() * count)


def polynomial(u: float, *, eta: float) -> float:
    """`overgen.attacks.direct.polynomial` of one number."""
    root = 1 / (eta + 1)
    return (2 * u) ** root - 1 if u < 0.5 else 1 - (2 * (1 - u)) ** root


def crossover(first: Genome, second: Genome, draw: Random) -> tuple[Genome, Genome]:
    """The two children of a pair: its members, in either order."""
    return (first, second) if draw.random() < 0.5 else (second, first)


def mutate(genome: Genome, draw: Random, rates: Rates) -> Genome:
    """A mutated copy; see the module for the mutations and their order."""
    activations, weights = dict(genome.activations), dict(genome.weights)
    for pair, weight in weights.items():
        if draw.random() < rates.weight:
            step = 2 * BOUND * polynomial(draw.random(), eta=rates.eta)
            weights[pair] = min(max(weight + step, -BOUND), BOUND)
    for node in activations:
        if draw.random() < rates.activation:
            activations[node] = one_of(len(ACTIVATIONS), draw)
    if draw.random() < rates.add_connection:
        _add_connection(activations, weights, genome.hidden, draw)
    if draw.random() < rates.remove_connection and weights:
        del weights[list(weights)[one_of(len(weights), draw)]]
    if draw.random() < rates.add_node and weights:
        source, target = list(weights)[one_of(len(weights), draw)]
        weight = weights.pop((source, target))
        node = max(activations) + 1
        activations[node] = one_of(len(ACTIVATIONS), draw)
        weights[source, node] = weights[node, target] = weight
    if draw.random() < rates.remove_node and len(activations) > genome.outputs:
        node = [n for n in activations if n >= genome.hidden][one_of(len(activations) - genome.outputs, draw)]
        del activations[node]
        weights = {pair: weight for pair, weight in weights.items() if node not in pair}
    return Genome(activations, weights, genome.outputs)


def _add_connection(
    activations: dict[int, int], weights: dict[tuple[int, int], float], hidden: int, draw: Random
) -> None:
    """Connect two nodes that may be and are not; nothing if the source has no such target.

    hidden: the number that hidden nodes begin at.
    """
    sources = [*range(INPUTS), *(n for n in activations if n >= hidden)]
    source = sources[one_of(len(sources), draw)]
    before, queue = {source}, [source]  # it, and what it depends on
    received = incoming(weights)
    while queue:
        for earlier in received.get(queue.pop(), ()):
            if earlier not in before:
                before.add(earlier)
                queue.append(earlier)
    targets = [n for n in activations if n not in before and (source, n) not in weights]
    if targets:
        weights[source, targets[one_of(len(targets), draw)]] = BOUND * (2 * draw.random() - 1)


def incoming(weights: dict[tuple[int, int], float]) -> dict[int, list[int]]:
    """The sources of each node that has any."""
    sources: dict[int, list[int]] = {}
    for source, target in weights:
        sources.setdefault(target, []).append(source)
    return sources


def levels(genome: Genome) -> dict[int, int]:
    """The nodes on which the outputs depend, without inputs, with these: each one's longest way from a start.

    A node that receives from inputs only, or nothing, has level 0.
    """
    received = incoming(genome.weights)
    level: dict[int, int] = {}
    stack = list(range(OUTPUT, genome.hidden))
    while stack:
        node = stack[-1]
        hidden = [source for source in received.get(node, ()) if source >= genome.hidden]
        missing = [source for source in hidden if source not in level]
        if missing:
            stack.extend(missing)
            continue
        level[node] = 1 + max((level[source] for source in hidden), default=-1)
        stack.pop()
    return level


def coordinates(height: int = SIDE, width: int = SIDE, dtype: torch.dtype = torch.float64) -> Tensor:
    """The four inputs at every pixel, row by row, (4, height·width); see the module."""
    places = [SIDE * (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5 for size in (height, width)]
    y, x = torch.meshgrid(*places, indexing="ij")
    centred = [2 * place / (SIDE - 1) - 1 for place in (x, y)]
    return torch.stack([x, y, torch.hypot(*centred), torch.ones_like(x)]).flatten(1).to(dtype)


@torch.no_grad()
def render(
    genomes: Sequence[Genome],
    *,
    height: int = SIDE,
    width: int = SIDE,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Tensor:
    """The outputs of many networks at every pixel, (N, outputs, height, width) in [0, 1]. All have as many outputs.

    Images of more than `SMALL` pixels are drawn in blocks of networks, so that never more than `AT_ONCE` values are in
    memory beside them, or those of one network.
    """
    at = coordinates(height, width, dtype).to(device)
    blocks: list[list[Genome]] = [[]]
    values = 0
    for genome in genomes:
        size = len(genome.activations) * height * width
        if blocks[-1] and height * width > SMALL and values + size > AT_ONCE:
            blocks.append([])
            values = 0
        blocks[-1].append(genome)
        values += size
    images = [_drawn(block, at, dtype, device) for block in blocks]
    return (torch.cat(images) if len(images) > 1 else images[0]).view(len(genomes), -1, height, width)


def _drawn(genomes: Sequence[Genome], at: Tensor, dtype: torch.dtype, device: str | torch.device) -> Tensor:
    """The outputs of networks at some places: (N·outputs, P). at: the inputs there, (4, P).

    The nodes of all networks are rows of one tensor, (M, P), sorted by level and, within it, by function. A level is
    one sum over the connections that lead to it and one call of each function on neighbouring rows, however different
    the networks are. Nodes on which no output depends are left out.

    dtype: of the arithmetic. Weights of 10 on coordinates of 27 make sines steep, and a network can stack them, so
    float32 and float64 may draw deep networks differently; an image is what it is drawn as.
    """
    nodes: list[tuple[int, int]] = []  # level and function
    edges: list[tuple[int, int, float]] = []
    fed: list[tuple[int, int, float]] = []  # connections from inputs
    outputs = []
    for genome in genomes:
        depth = levels(genome)
        numbers = {}
        for node, level in depth.items():
            numbers[node] = len(nodes)
            nodes.append((level, genome.activations[node]))
        outputs += [numbers[output] for output in range(OUTPUT, genome.hidden)]
        for (source, target), weight in genome.weights.items():
            if target in numbers:
                if source < INPUTS:
                    fed.append((numbers[target], source, weight))
                else:
                    edges.append((numbers[source], numbers[target], weight))
    place = np.array(nodes)
    order = np.lexsort((place[:, 1], place[:, 0]))
    row = np.empty(len(nodes), np.int64)
    row[order] = np.arange(len(nodes))
    place = place[order]

    def columns(of: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        table = np.array(of).reshape(-1, 3)
        return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]

    to, inputs, factors = columns(fed)
    from_inputs = np.zeros((len(nodes), INPUTS))
    from_inputs[row[to], inputs] = factors
    values = torch.from_numpy(from_inputs).to(device, dtype) @ at
    sources, targets, factors = columns(edges)
    sources, targets = row[sources], row[targets]
    level_of = place[targets, 0]
    by_level = np.argsort(level_of, kind="stable")
    sources, targets, factors, level_of = (a[by_level] for a in (sources, targets, factors, level_of))
    starts = np.searchsorted(place[:, 0], np.arange(place[-1, 0] + 2))
    edge_starts = np.searchsorted(level_of, np.arange(place[-1, 0] + 2))
    for level, (begin, end) in enumerate(pairwise(starts)):
        between = slice(edge_starts[level], edge_starts[level + 1])
        if between.stop > between.start:
            scale = torch.from_numpy(factors[between]).to(device, dtype)[:, None]
            received = values[torch.from_numpy(sources[between]).to(device)].mul_(scale)
            values.index_add_(0, torch.from_numpy(targets[between]).to(device), received)
        functions = begin + np.searchsorted(place[begin:end, 1], np.arange(len(ACTIVATIONS) + 1))
        for function, (low, high) in enumerate(pairwise(functions)):
            activate_(values[low:high], ACTIVATIONS[function])
    return values[torch.from_numpy(row[outputs]).to(device)].abs_()


def activate_(s: Tensor, name: str) -> None:
    """Apply one of ACTIVATIONS in place."""
    if name == "sine":
        s.sin_()
    elif name == "sigmoid":
        s.mul_(0.5).tanh_()  # 2(1/(1 + exp(−s)) − ½) = tanh(s/2)
    elif name == "gaussian":
        s.square_().neg_().exp_()
    else:
        s.clamp_(-3, 3).div_(3)


class Cppn(NamedTuple):
    """The encoding by CPPNs, for `overgen.attacks.evolution.evolve`. A population is a list of `Genome`."""

    rates: Rates = Rates()

    def start(self, count: int, stream: torch.Generator, like: Tensor, shape: Sequence[int]) -> list[Genome]:
        draw = seeded(stream)
        return [minimal(draw, shape[0]) for _ in range(count)]

    def breed(self, champions: Sequence[Genome], count: int, stream: torch.Generator) -> list[Genome]:
        """Children of pairs of parents that are uniform over the champions."""
        draw = seeded(stream)
        children: list[Genome] = []
        while len(children) < count:
            first, second = (champions[one_of(len(champions), draw)] for _ in range(2))
            children += [mutate(child, draw, self.rates) for child in crossover(first, second, draw)]
        return children[:count]

    def images(self, population: Sequence[Genome], shape: Sequence[int], like: Tensor) -> Tensor:
        drawn = render(population, height=shape[1], width=shape[2], dtype=like.dtype, device=like.device)
        return rgb_of_hsv(drawn) if shape[0] == 3 else drawn


def seeded(stream: torch.Generator) -> Random:
    """A source of single numbers, thousands for each generation, from a random stream."""
    return Random(int(torch.randint(2**62, (), generator=stream, device=stream.device)))
