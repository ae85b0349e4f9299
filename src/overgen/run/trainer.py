"""What Lightning's Trainer needs of a stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

LIGHTNING_ADVICE = [  # warnings of Lightning's that no user of overgen can act on
    r".*treespec, LeafSpec.* is deprecated",  # its own use of torch
    r".*in eval mode at the start of training",  # the attacked network, which is frozen
    r".*exists and is not empty",  # the folder of checkpoints, where a killed training goes on
    r".*recommended to use `self.log\(.*sync_dist=True",  # every rank logs members of its own
    r".*does not have many workers",  # the data lie on the device: there is nothing to load
]


class Steps:
    """What a Trainer iterates over in an epoch, as one loader: Lightning takes a bare list for a list of loaders."""

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = steps

    def __iter__(self) -> Iterator[Any]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)
