"""Encodings of evolved images by name."""

from __future__ import annotations

from typing import Any

from overgen.attacks.cppn import Cppn, Rates
from overgen.attacks.direct import Direct
from overgen.attacks.evolution import Encoding


def encoding_of(name: str, mutation: Any, *, in_8_bits: bool = False) -> Encoding:
    """An encoding with the rates of a section of params.yaml that has them (`params.Mutation`).

    in_8_bits: how `Direct` holds its genes; a CPPN has few.
    """
    if name == "direct":
        rates = mutation.mutation_rate, mutation.mutation_eta, mutation.crossover_rate, mutation.crossover_eta
        return Direct(*rates, in_8_bits)
    rate, (add, remove), (add_node, remove_node) = mutation.mutation_rate, mutation.connections, mutation.nodes
    return Cppn(Rates(rate, mutation.mutation_eta, rate, add, remove, add_node, remove_node))
