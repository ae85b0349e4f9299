"""The section `evolve_classes` of params.yaml."""

from __future__ import annotations

from overgen.attacks.params import Encodings, Mutation
from overgen.run.sections import Count, Distinct, Name, Positive, Section


class Reported(Section):
    """What Nguyen et al. 2015 reached, as secondary sources quote it: percent, after so many generations."""

    median_confidence: Positive
    generations: Count


class EvolveClasses(Mutation):
    encodings: Encodings
    generations: dict[Name, Count]  # of each encoding
    population: Count
    block: Count  # generations between two files from which a killed run goes on
    shown: Count  # classes whose champions are kept, drawn before
    stored: dict[Name, Count]  # of these, whose champions of an encoding lie in the cell
    stored_generations: Distinct[int]
    reported: dict[Name, Reported]


SECTION = EvolveClasses
