"""The section `explore_paths` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from overgen.run.sections import Count, Distinct, Name, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


def odd(count: int) -> int:
    if count % 2 == 0:
        raise ValueError(f"must be odd, for a path has a middle: {count}")
    return count


class ExplorePaths(Section):
    pairs: Count  # of test images, of one class and of two classes each
    positions: Annotated[int, Field(ge=3), AfterValidator(odd)]  # along each path, its ends among them
    graph_images: Count  # training images that geodesics go through
    neighbours: Count  # of each image in their graph
    reference_images: Count  # further training images: the data that a path is far from or near to
    latents: Distinct[Name]  # networks in whose code straight lines are drawn
    denoiser: Name  # the network whose reconstruction error and ỹ are told
    classifier: Name
    shown: Count  # pairs of each kind whose paths are drawn


SECTION = dict[Name, ExplorePaths]


def check(params: Params) -> None:
    known = [name for key in ("classifiers", "autoencoders", "adopted") for name in params.names(key)]
    explored = params.names("explored_datasets")
    for dataset, section in ((name, own) for name, own in params.explore_paths.items() if name in explored):
        for key, names in (
            ("latents", section.latents),
            ("denoiser", [section.denoiser]),
            ("classifier", [section.classifier]),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"explore_paths.{dataset}.{key}: {name!r} is none of {', '.join(known)}")
