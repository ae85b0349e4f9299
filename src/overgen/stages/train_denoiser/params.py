"""The section `train_denoiser` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Count, Distinct, Name, Positive, Section, Seeds

DYNAMIC = ("overgen.training.params",)  # a section that it declares, too


class TrainDenoiser(Section):
    """A noise-conditional denoiser. Pixels and noise are in one unit, 0..1."""

    seeds: Seeds
    width: Annotated[int, Field(ge=8, multiple_of=8)]  # channels of the outer level
    data_std: Positive  # σ_data
    log_sigma: float  # the mean of ln σ in training
    log_sigma_std: Positive  # and its deviation
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    average: Annotated[float, Field(ge=0, lt=1)]  # of the weights over the updates: what the last update leaves of it
    held_out: Count  # training images that it does not see: its curve and the thresholds of its scores are of these
    levels: Distinct[Positive]  # σ at which restored images are measured


SECTION = dict[Name, TrainDenoiser]
