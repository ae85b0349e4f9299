"""The section `train_codes` of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Positive, Section, Seeds
from overgen.training.params import Training


class Codes(Section):
    """Networks of one kind, of several sizes of the code and seeds. epochs, learning_rate: where they are their own."""

    network: Literal["linear", "deep", "variational"] = "deep"
    loss: Literal["squared", "bernoulli"] = "bernoulli"
    noisy: bool = False  # trained to restore images under the noise of training.<data set>
    sizes: Distinct[Count]
    seeds: Seeds = Field([0])
    epochs: Count | None = None
    learning_rate: Positive | None = None

    @model_validator(mode="after")
    def possible(self) -> Codes:
        if self.network == "linear" and self.loss == "bernoulli":
            raise ValueError("loss: bernoulli needs pixels in [0, 1], which a linear network does not give")
        if self.network == "variational" and (self.loss == "squared" or self.noisy):
            raise ValueError("a variational network has the loss bernoulli, and no noise")
        return self

    def noise_std(self, training: Training) -> float:
        """σ of the noise on the images that they are given. training: the section of the data set."""
        return training.noise_std if self.noisy else 0.0


class TrainCodes(Section):
    images: Count  # the first so many of the training set
    test_images: Count  # the first so many of the test set, of the curves
    threads: Count  # of each process that shares the networks, whatever engine.<data set> says
    hidden: Count
    batch_size: Count
    epochs: Count
    learning_rate: Positive
    codes: dict[Name, Codes]  # by kind, the first part of a network's name


@dataclass(frozen=True)
class Member:
    """One network to train: of a kind of the section, with a size of its code and a seed."""

    kind: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Of the network, its file and its progress."""
        return f"{self.kind}_k{self.size}_seed{self.seed}"


def members_of(settings: Any) -> list[Member]:
    """All networks that the section names."""
    return [Member(k, size, seed) for k, c in settings.codes.items() for size in c.sizes for seed in c.seeds]


SECTION = dict[Name, TrainCodes]
