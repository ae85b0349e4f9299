"""What each of several processes does in a test: train members, sharing their batches, in float64, and write them.

    torchrun --nproc-per-node 2 tests/data_parallel_ranks.py FOLDER CASE…

Each writes what came out as `<case> <rank>.pt`: weights and curves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from overgen.run.devices import launch, leave, limited_to
from overgen.training.data_parallel import Sharing

from training_cases import members

SIZE = 11  # images, in batches of 5: the third has one


def main() -> None:
    folder, *cases = sys.argv[1:]
    nothing: Any = None
    with limited_to(1):
        device, rank, world = launch()
        stage = Sharing("train", {}, nothing, Path(folder), device, rank, world, nothing)
        for case in cases:
            (member,) = members(case, [SIZE]).values()
            trainer = stage.trainer(epochs=2, precision="64-true", reload_dataloaders_every_n_epochs=1)
            trainer.fit(member)
            torch.save((member.network.state_dict(), member.curves), Path(folder, f"{case} {rank}.pt"))
        leave()


if __name__ == "__main__":
    main()
