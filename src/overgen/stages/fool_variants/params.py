"""The section `fool_variants` of params.yaml."""

from __future__ import annotations

from pydantic import Field

from overgen.run.sections import Count, Name, NonNegative, Section


class FoolVariants(Section):
    """The FGN against variants of networks: budgets of its own, and else the options of `fool_fgn`."""

    trials: Count  # for each target class
    updates: Count
    scaled: dict[Name, list[NonNegative]] = Field({})  # as in fool_fgn
