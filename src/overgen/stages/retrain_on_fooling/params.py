"""The section `retrain_on_fooling` of params.yaml."""

from __future__ import annotations

from overgen.attacks.params import Encodings, Mutation
from overgen.run.sections import Count, Name

DYNAMIC = ("overgen.training.params",)  # sections that it declares, too


class RetrainOnFooling(Mutation):
    """Fooling images become a class of their own, the network is trained afresh and attacked again."""

    encodings: Encodings  # each has networks of its own
    runs: Count  # networks for each encoding, each retrained round after round
    rounds: Count
    epochs: Count  # of every training
    evolutions: Count  # of every network
    generations: Count
    population: Count
    images: Count  # added a round, at most


SECTION = dict[Name, RetrainOnFooling]
