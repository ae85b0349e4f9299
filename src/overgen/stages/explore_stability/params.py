"""The section `explore_stability` of params.yaml."""

from __future__ import annotations

from overgen.run.sections import Count, Section

DYNAMIC = ("overgen.models.params", "overgen.stages.fool_lbfgs.params")  # sections that it declares, too


class ExploreStability(Section):
    resamples: Count  # of the images, for intervals


SECTION = ExploreStability
