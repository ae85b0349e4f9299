"""The section `fool_photographs` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.models.imagenet import PhotographName
from overgen.run.sections import Count, Distinct, Positive, Section


class Smallest(Section):
    """The smallest change by L-BFGS; c, brackets, bisections and iterations as of `lbfgs.smallest_change`."""

    targets: Count  # of a photograph: the first of those of the ascent
    c: Positive
    brackets: Count
    bisections: Count
    iterations: Count


class Elsewhere(Section):
    """A picture that may not be published here: of another package, on the machine of whoever has it."""

    file: str
    package: str
    licence: str
    target: Count


class FoolPhotographs(Section):
    noises: Count  # images of uniform noise
    targets: Count  # classes that each start shall become, drawn from all but the network's answer
    tau: Annotated[float, Field(gt=0, lt=1)]  # what the 8-bit picture's score must pass
    updates: Count
    rate: Positive  # RMS change of the pixels in one update, of [0, 1]
    smallest: Smallest
    elsewhere: Elsewhere
    shown: Distinct[PhotographName]


SECTION = FoolPhotographs
