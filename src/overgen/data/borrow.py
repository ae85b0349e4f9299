"""A data set that a stage looks at without depending on it."""

from __future__ import annotations

from pathlib import Path

from overgen.data import Dataset, load
from overgen.data.fetch import ARCHIVES
from overgen.data.sources import prepare


def borrow(name: str, mirror: str | None) -> Dataset:
    """A data set that a stage looks at without depending on it: DVC cannot declare what only some of its cells read.

    Where `download` has been there, data/<name>; else it is fetched to `.overgen/data/<name>`, and stays there. As
    archives are pinned by their checksums, both are the same. Raises OvergenError as `load` and `prepare` do.
    """
    if (Path("data") / name).exists():
        return load(name)
    root = ARCHIVES.parent / "data"
    if not (root / name).exists():
        prepare(name, root / name, mirror=mirror)
    return load(name, root)
