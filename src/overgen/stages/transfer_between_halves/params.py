"""The section `transfer_between_halves` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from overgen.models.params import Perceptron
from overgen.run.sections import Count, Distinct, MemberName, Name, Positive, Section, Seeds


class OnHalf(Perceptron):
    """A perceptron, and which half of the training images it is trained on."""

    half: Literal[0, 1]

    @model_validator(mode="after")
    def trained_at_once(self) -> OnHalf:
        if self.pretrained:
            raise ValueError("pretrained: networks on halves are trained at once; leave it out")
        return self


class TransferBetweenHalves(Section):
    """The first network is the one whose examples the figure and the claims are about."""

    networks: Annotated[dict[MemberName, OnHalf], Field(min_length=2)]
    seeds: Seeds  # of the halves, the initial weights and the order of the images
    batch_size: Count
    epochs: Count
    learning_rate: Positive
    images: Count  # for each network and seed
    magnified: Distinct[Positive]  # distortions that examples are brought to as well, rms
    noise: Distinct[Positive]  # distortions of Gaussian noise, rms
    noise_images: Count

    @model_validator(mode="after")
    def both_halves(self) -> TransferBetweenHalves:
        if len({network.half for network in self.networks.values()}) < 2:
            raise ValueError("networks: all are on one half, and examples pass from one half to the other")
        if missing := sorted(set(self.magnified) - set(self.noise)):
            raise ValueError(f"noise: lacks {missing}, which examples are brought to and are compared with")
        return self


SECTION = dict[Name, TransferBetweenHalves]
