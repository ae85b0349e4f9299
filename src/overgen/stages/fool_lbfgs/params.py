"""The section `fool_lbfgs` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from overgen.run.sections import Count, Name, Positive, Section

DYNAMIC = ("overgen.models.params",)  # sections that it declares, too


class FoolLbfgs(Section):
    images: Count  # for each network
    draws: Count  # of noise, for each image
    magnified: Positive  # the distortion that examples are brought to as well, rms
    stability_images: Count
    pixels: Annotated[list[Count], Field(min_length=2)]  # numbers of pixels that are replaced by noise

    @field_validator("pixels")
    @classmethod
    def distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value) or max(value) > 784:
            raise ValueError(f"numbers of pixels must differ and not exceed 784: {value}")
        return value


SECTION = dict[Name, FoolLbfgs]
