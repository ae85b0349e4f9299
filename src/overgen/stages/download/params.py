"""The section `download` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from overgen.run.sections import Count, Name, Positive, Section


def check_channels(shape: list[int]) -> list[int]:
    if shape[0] not in (1, 3):
        raise ValueError("must be [channels, height, width], with 1 channel for gray or 3 for RGB")
    return shape


Shape = Annotated[list[Count], Field(min_length=3, max_length=3), AfterValidator(check_channels)]
Classes = list[str | int] | str | None  # names, or a file of them


class Fetched(Section):
    """One of `sources.SOURCES`."""

    source: Name


class Folder(Section):
    """Options of `folders.image_folder`."""

    source: Literal["image_folder"]
    path: str
    shape: Shape | None = None
    ground: Literal["black", "white"] | None = None
    fit: Literal["pad", "crop", "stretch"] = "pad"
    invert: bool | None = None
    white: Positive | None = None
    classes: Classes = None
    labelled: bool = True
    limit: Count | None = None


class Arrays(Section):
    """Options of `arrays.idx` and `arrays.npz`."""

    source: Literal["idx", "npz"]
    path: str
    transpose: bool = False
    classes: Classes = None


class HouseNumbers(Section):
    """Options of `svhn.svhn`."""

    source: Literal["svhn"]
    path: str


KINDS = {"image_folder": "folder", "idx": "arrays", "npz": "arrays", "svhn": "house_numbers"}


def kind(value: Any) -> str:
    source = value.get("source") if isinstance(value, dict) else getattr(value, "source", None)
    return KINDS.get(str(source), "fetched")


Download = Annotated[
    Annotated[Fetched, Tag("fetched")]
    | Annotated[Folder, Tag("folder")]
    | Annotated[Arrays, Tag("arrays")]
    | Annotated[HouseNumbers, Tag("house_numbers")],
    Discriminator(kind),
]
SECTION = dict[Name, Download]
