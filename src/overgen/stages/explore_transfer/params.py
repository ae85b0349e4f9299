"""The section `explore_transfer` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from overgen.run.sections import Count, Distinct, Name, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


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


SECTION = dict[Name, ExploreTransfer]


def check(params: Params) -> None:
    for dataset, section in params.explore_transfer.items():
        if unknown := [name for name in section.labelled if name not in section.networks]:
            raise ValueError(f"explore_transfer.{dataset}.labelled: {unknown[0]!r} is none of its networks")
