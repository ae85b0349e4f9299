"""Whether several processes share the batches of a network: what the section of its stage says of that.

What they do stands in `overgen.training.data_parallel`, which nothing imports: the cells of other networks do not hang
on it. Those of networks that are trained so do, see `overgen.run.code`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import Field

from overgen.run.sections import Count, Name
from overgen.training.params import Fit

if TYPE_CHECKING:
    from overgen.run.params import Params
    from overgen.run.stage import Stage

DYNAMIC = ()  # see above


class ParallelFit(Fit):
    data_parallel: dict[Name, Count] = Field({})  # by model: so many processes share each batch of a member


def check_parallel(params: Params, stage: str) -> None:
    """Raise ValueError for processes that share the batches of what is no network, or have no image each.

    stage: whose section it is.
    """
    for dataset, section in getattr(params, stage).items():
        key = f"{stage}.{dataset}.data_parallel"
        for model, processes in section.data_parallel.items():
            if not hasattr(params.models.get(model), "network"):
                raise ValueError(f"{key}: {model}: must be networks of `models`")
            changes, training = section.training.get(model), params.training[dataset]
            size = (changes.of(training) if changes else training).batch_size
            if processes > size:
                raise ValueError(f"{key}: {model}: {processes} processes cannot share a batch of {size} images")


def in_parallel(stage: Stage) -> Stage:
    """The stage, or, where its processes share the batches of its model, what lets them.

    Raises OvergenError if there are not as many of them as params.yaml says.
    """
    section = stage.params(f"{stage.name}.{stage.item['dataset']}")
    if section.data_parallel.get(stage.item["model"], 1) == 1:
        return stage
    shared: Stage = import_module("overgen.training.data_parallel").sharing(stage)
    return shared
