"""The section `explore_denoising` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overgen.run.sections import Count, Distinct, Name, NonNegative, Section

Noise = Literal["gaussian", "salt_and_pepper", "occlusion"]
Filter = Literal["median", "gaussian", "nlm", "pca"]


class ExploreDenoising(Section):
    networks: list[Name]  # trained denoising autoencoders beside the codes
    size: Count  # of the codes
    levels: dict[Noise, Distinct[NonNegative]]  # the Gaussian noise of the training comes on top
    held_out: Count  # training images beyond those of the codes, on which strengths of filters are chosen
    strengths: dict[Filter, list[Annotated[list[float], Field(min_length=1)]]]  # see filters.FILTERS
    median_at: NonNegative  # the share of pixels in salt and pepper where the median filter is compared
    shown: Count  # pictures


SECTION = dict[Name, ExploreDenoising]
