"""The section `fool_smallest` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.attacks.params import check_attacked
from overgen.run.sections import Count, Name, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


class FoolSmallest(Section):
    images: Count  # test images of each network, spread over the classes
    c: Positive  # of c·‖r‖₂², where the search for the largest c that succeeds begins
    bisections: Count  # between a c that succeeded and one that failed
    iterations: Count  # of each minimisation, at most
    block: Count  # images changed together


SECTION = dict[Name, FoolSmallest]


def check(params: Params) -> None:
    check_attacked(params)
