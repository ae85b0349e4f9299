"""The section `explore_transfer` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Positive, Section


def rising(values: list[int]) -> list[int]:
    if sorted(set(values)) != values:
        raise ValueError(f"must rise: {values}")
    return values


Rising = Annotated[list[Count], Field(min_length=1), AfterValidator(rising)]


class ExploreTransfer(Section):
    """What the code of an autoencoder is good for besides copying."""

    encoders: Distinct[Name]  # autoencoders of `train_codes` that have seen no label: one kind and size, several seeds
    networks: Distinct[Name]  # trained networks, for reference
    labelled: list[Name]  # those of them that have seen all labels
    pool: Count  # training images, as many of each class, from which labelled ones are drawn; they are searched, too
    tests: Count  # test images on which heads are judged
    labels: Rising  # how many labelled images a head is fitted on, as many of each class
    draws: Count  # of labelled images
    inverse_decay: Positive  # C of the logistic regression, on features whose mean squared length is 1
    scratch_updates: Count  # of the network that is trained on these labels alone
    layer_labels: Count  # labelled images on which a linear decoder of each layer is fitted
    layer_tests: Count  # test images on which that is judged
    queries: Count  # test images that search
    at: Rising  # how many answers are counted
    shown: Count  # answers in the picture

    @model_validator(mode="after")
    def fitting(self) -> ExploreTransfer:
        if unknown := [name for name in self.labelled if name not in self.networks]:
            raise ValueError(f"labelled: {unknown[0]!r} is none of its networks")
        for name in ("layer_tests", "queries"):
            if (count := getattr(self, name)) > self.tests:
                raise ValueError(f"{name}: {count}, more than the {self.tests} tests")
        return self


SECTION = dict[Name, ExploreTransfer]
