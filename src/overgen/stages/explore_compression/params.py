"""The section `explore_compression` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Count, Distinct, Name, Section


class ExploreCompression(Section):
    images: Count  # of the test set, and of each other kind; all, where there are fewer
    other: Name | None = None  # the data set whose test images are a further kind of images
    size: Count  # of the code that other kinds of images, files and losses are compared at
    qualities: Distinct[Annotated[int, Field(ge=1, le=100)]]  # of JPEG, of images alone; all in one: every quality
    shown: Distinct[Count]  # sizes of codes of the pictures


SECTION = dict[Name, ExploreCompression]
