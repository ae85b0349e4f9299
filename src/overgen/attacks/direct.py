"""The direct encoding of evolved images: a gene for each number (Nguyen, Yosinski & Clune 2015, Section 2).

Crossover and mutation follow the authors' published code; `overgen.attacks.evolution` says in what they depart from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from overgen.attacks.colour import rgb_of_hsv


def uniform(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """U[0, 1) numbers with the dtype and the device of `like`."""
    return torch.rand(tuple(shape), generator=generator, device=generator.device, dtype=like.dtype).to(like.device)


def select(genomes: Sequence[Tensor], count: int, generator: torch.Generator) -> Tensor:
    """Parents, uniform over the cells and with replacement.

    genomes: C champions, (D,) each; after generation 0 no cell is empty, since each image is offered to all. Returns
    (count, D).
    """
    index = torch.randint(len(genomes), (count,), generator=generator, device=generator.device)
    return torch.stack([genomes[i] for i in index.tolist()])


def crossover(
    first: Tensor, second: Tensor, generator: torch.Generator, *, rate: float = 0.5, eta: float = 10.0
) -> Tensor:
    """Simulated binary crossover of pairs of parents, in the bounded form of Deb's NSGA-II code.

    For a gene with values y1 < y2, one u ~ U[0, 1) and each child's distance to its own bound,

        β = 1 + 2·y1/(y2 − y1) for the lower child, 1 + 2·(1 − y2)/(y2 − y1) for the upper
        α = 2 − β^−(η+1)
        β_q = (u·α)^(1/(η+1)) if u ≤ 1/α, else (2 − u·α)^(−1/(η+1))
        children (y1 + y2 ∓ β_q·(y2 − y1)) / 2

    of which either child gets the lower with probability ½, gene by gene. (The original SBX of Deb & Agrawal 1995 is
    α = 2.) Genes closer than float32's epsilon are inherited.

    first, second: (P, D) in [0, 1]. rate: probability that a pair is crossed at all; else its children are copies.
    Returns (2P, D) in [0, 1]: the two children of pair p at 2p and 2p + 1.
    """
    chosen = uniform(first.shape[:1], first, generator) < rate
    a, b = first[chosen], second[chosen]
    u = uniform(a.shape, first, generator)
    turned = (uniform(a.shape, first, generator) < 0.5).to(a.dtype)
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    gap, total = high - low, low + high
    distinct = gap > torch.finfo(torch.float32).eps
    gap.masked_fill_(~distinct, 1)  # any number: not used below, but 0 would divide

    # To choose by 0 or 1, lerp: torch.where branches at each element, and takes 3 times as long on random ones (AVX2).
    def spread(to_bound: Tensor) -> Tensor:
        alpha = to_bound.mul(2).div_(gap).add_(1).pow_(-(eta + 1)).neg_().add_(2)
        scaled = u * alpha
        inner = (u <= alpha.reciprocal_()).to(u.dtype)
        return (2 - scaled).reciprocal_().lerp_(scaled, inner).pow_(1 / (eta + 1)).mul_(gap)

    lower = (total - spread(low)).div_(2).clamp_(0, 1)
    upper = (total + spread(1 - high)).div_(2).clamp_(0, 1)
    crossed = torch.stack([lower.lerp(upper, turned), upper.lerp(lower, turned)], dim=1)
    children = torch.stack([first, second], dim=1)  # (P, 2, D)
    children[chosen] = torch.stack([a, b], dim=1).lerp_(crossed, distinct[:, None].to(a.dtype))
    return children.flatten(0, 1)


def polynomial(u: Tensor, *, eta: float = 15.0) -> Tensor:
    """The step of the polynomial mutation without bounds (Deb 2001, p. 124) from u ~ U[0, 1); in [−1, 1).

    (2u)^(1/(η+1)) − 1 for u < ½, else 1 − (2(1 − u))^(1/(η+1)); its density is (η+1)/2·(1 − |d|)^η.
    """
    return (1 - (2 * torch.minimum(u, 1 - u)) ** (1 / (eta + 1))).copysign(u - 0.5)


def mutate(genomes: Tensor, generator: torch.Generator, *, rate: float = 0.1, eta: float = 15.0) -> Tensor:
    """Add a polynomial step to each gene with probability `rate`, and clamp to [0, 1]. genomes, returned: (N, D)."""
    hit = (uniform(genomes.shape, genomes, generator) < rate).flatten().nonzero()[:, 0]
    mutated = genomes.flatten().clone()
    steps = polynomial(uniform(hit.shape, genomes, generator), eta=eta)
    return mutated.index_copy_(0, hit, steps.add_(mutated[hit]).clamp_(0, 1)).view(genomes.shape)


class Direct(NamedTuple):
    """The direct encoding: a population is a tensor of genes, (N, C·H·W), a gene for each number of an image.

    Of colour images they are hue, saturation and value, in this order. in_8_bits: genes are multiples of 1/255, and are
    held as bytes: a quarter of the memory of float32. What is scored is what is held.
    """

    mutation_rate: float = 0.1
    mutation_eta: float = 15.0
    crossover_rate: float = 0.5
    crossover_eta: float = 10.0
    in_8_bits: bool = False

    def start(self, count: int, stream: torch.Generator, like: Tensor, shape: Sequence[int]) -> Any:
        return self.held(uniform((count, math.prod(shape)), like, stream))

    def breed(self, champions: Sequence[Tensor], count: int, stream: torch.Generator) -> Any:
        pairs = (count + 1) // 2
        parents = select(champions, 2 * pairs, stream)
        if self.in_8_bits:
            parents = parents.float().div_(255)
        children = crossover(parents[:pairs], parents[pairs:], stream, rate=self.crossover_rate, eta=self.crossover_eta)
        return self.held(mutate(children[:count], stream, rate=self.mutation_rate, eta=self.mutation_eta))

    def held(self, genes: Tensor) -> Tensor:
        """Genes in [0, 1] as a population holds them."""
        return (255 * genes).round_().to(torch.uint8) if self.in_8_bits else genes

    def images(self, population: Any, shape: Sequence[int], like: Tensor) -> Tensor:
        genes = (population.to(like.dtype).div_(255) if self.in_8_bits else population).view(-1, *shape)
        return rgb_of_hsv(genes) if shape[0] == 3 else genes


DIRECT = Direct()
