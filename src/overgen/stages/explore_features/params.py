"""The section `explore_features` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from overgen.attacks.ways import SynthesisWay
from overgen.run.sections import Count, Distinct, Name, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too


class Prior(Section):
    """An image of a class with the autoencoder's help, in pixels without a regulariser, by steps of a size of `rate`.

    by: "projection", each step on the class of `network` is followed by x := r(x); or "confidence", ỹ = c̃·y of the
    autoencoder itself rises.
    """

    by: Literal["projection", "confidence"]
    rate: Positive


class Sizes(Section):
    """Of one data set."""

    steps: Count  # of each image of a class
    unit_steps: Count  # of each image of a unit
    units: Count  # of each layer, drawn
    compared: Count  # test images on which units are tried too
    typical: Count  # test images of each class whose distance from the training images is what is usual


class ExploreFeatures(Section):
    network: Name  # whose units and classes are maximised
    autoencoder: Name  # a denoising one with a classifier: its encoder's units are maximised too, and it is the prior
    witnesses: Distinct[Name]  # asked what the images of classes are, where they took no part
    layers: Distinct[Name]
    ways: dict[Name, SynthesisWay]
    priors: dict[Name, Prior]
    from_pictures: Distinct[Name]  # ways that also begin with a test picture
    shown: Count  # units of each kind whose images are kept
    # The rule, set before the run: an image is recognised if every witness that took no part answers its class. That no
    # class can be synthesised holds of a way where the whole interval of recognised classes lies below so many percent.
    recognised: Annotated[float, Field(gt=0, lt=100)]
    sizes: dict[Name, Sizes]


SECTION = ExploreFeatures


def check(params: Params) -> None:
    section = params.explore_features
    if unknown := [name for name in section.from_pictures if name not in section.ways]:
        raise ValueError(f"explore_features.from_pictures: {unknown[0]!r} is none of the ways")
    if both := set(section.ways) & set(section.priors):
        raise ValueError(f"explore_features.priors: {min(both)!r} is the name of a way, too")
    if section.network in section.witnesses:
        raise ValueError(f"explore_features.witnesses: {section.network!r} makes the images and is no witness")
