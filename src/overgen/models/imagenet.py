"""The section `imagenet`: the networks and photographs of the lecture's demonstrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from overgen.data.photographs import PHOTOGRAPHS
from overgen.run.sections import Count, Distinct, Name, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


def known(name: str) -> str:
    if name not in PHOTOGRAPHS:
        raise ValueError(f"no photograph; there are {', '.join(PHOTOGRAPHS)}")
    return name


PhotographName = Annotated[str, AfterValidator(known)]


class Opened(Section):
    """What `overgen.models.adopted.open_network` opens: a package's network, or a file with its module and shape."""

    what: str
    module: str | None = None
    shape: list[Count] | None = None


class Imagenet(Section):
    """threads: of the CPU; chunk: images that a network sees at once.

    witnesses: those of the networks that are asked about pictures made for the one under study.
    """

    threads: Count
    chunk: Count
    networks: dict[Name, Opened]
    witnesses: Distinct[Name]
    photographs: Distinct[PhotographName]


SECTIONS = {"imagenet": Imagenet}


def check(params: Params) -> None:
    if unknown := [name for name in params.imagenet.witnesses if name not in params.imagenet.networks]:
        raise ValueError(f"imagenet.witnesses: {unknown[0]!r} is none of imagenet.networks")
