"""The section `train_rings` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Count, NonNegative, Point, Positive, Section, Seeds


class TrainRings(Section):
    """Everything about the rings of Figure 2: lengths in the unit of the plane's coordinates."""

    centres: Annotated[list[Point], Field(min_length=1, max_length=3)]  # no more than figures.RING_COLOURS
    inner_radius: Positive
    thickness: Positive
    hidden: Count  # units of each of the two hidden layers
    steps: Count
    batch_size: Count
    learning_rate: Positive
    noise_std: NonNegative
    reconstruction_weight: Positive
    seeds: Seeds
    threads: Count
    alpha: NonNegative
    beta: NonNegative
    tau: Annotated[float, Field(ge=0, lt=1)]
    far: NonNegative  # what is further than this from every ring counts as far
    test_points: Count
    resolution: Count  # points along each side of the map
    extent: Positive  # the map covers [−extent, extent]²
    shown_points: Count


SECTION = TrainRings
