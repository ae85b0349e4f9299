"""Fetch one data set, verify it, and write it as tensors.

    python -m overgen.run download --dataset mnist

Reads: the network, or first a mirror that the environment variable OVERGEN_MIRROR names: a directory or a URL
laid out as <mirror>/<MNIST|FashionMNIST>/raw/<archive>. `digits` needs neither.
Writes: data/<dataset>/tensors.safetensors and, in data/<dataset>/raw/, the archives it was read from.
"""

from __future__ import annotations

import os
from pathlib import Path

from overgen.data import sources
from overgen.run.stage import Stage

COMPUTE = False  # it reads and writes small files, without a device


def main(stage: Stage) -> None:
    """Write data/<dataset>. Raises OvergenError for an unknown data set or an archive that cannot be had."""
    dataset = stage.item["dataset"]
    source = stage.params(f"download.{dataset}").source
    sources.prepare(source, Path("data") / dataset, mirror=os.environ.get("OVERGEN_MIRROR") or None)
