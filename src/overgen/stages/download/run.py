"""Fetch one data set, or read it from files of the user's own, verify it, and write it as tensors.

    python -m overgen.run download --dataset mnist

Reads: the network, or first a mirror that the environment variable OVERGEN_MIRROR names: a directory or a URL
laid out as <mirror>/<MNIST|FashionMNIST>/raw/<archive>. `digits` needs neither. For a data set of the user's own the
folder or files that download.<dataset>.path names, from the repository's root: DVC does not watch them.
Writes: data/<dataset>/tensors.safetensors and, in data/<dataset>/raw/, the archives it was read from.
"""

from __future__ import annotations

import os
from pathlib import Path

from overgen.data import sources
from overgen.run.stage import Stage

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write data/<dataset>.

    Raises OvergenError for an unknown source, an archive that cannot be had, and files that do not fit.
    """
    dataset = stage.item["dataset"]
    section = stage.params(f"download.{dataset}")
    options = section.model_dump(exclude={"source"})
    mirror = os.environ.get("OVERGEN_MIRROR") or None
    sources.prepare(section.source, Path("data") / dataset, mirror=mirror, options=options)
