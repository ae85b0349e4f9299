"""The section `explore_noise` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Section

DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too

Several = Annotated[int, Field(ge=2)]


class ExploreNoise(Section):
    networks: Distinct[Name]
    scaled_volumes: Distinct[Name]  # of `networks`, those that reconstruct and whose volume by ỹ is estimated, too
    images: Count  # of each kind of noise
    runs: Several  # of subset simulation, for each volume
    chains: Several  # of each level
    length: Several  # of a chain: a level is what 1 / length of the images exceed
    levels: Count  # at which a run ends with what it reached
    balls: Distinct[Count]  # dimensions of the balls on which the estimator is checked

    @model_validator(mode="after")
    def volumes_of_networks(self) -> ExploreNoise:
        if unknown := set(self.scaled_volumes) - set(self.networks):
            raise ValueError(f"scaled_volumes: {', '.join(sorted(unknown))} not among networks: {self.networks}")
        return self


SECTION = dict[Name, ExploreNoise]
