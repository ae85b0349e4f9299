"""A data set that a stage looks at without depending on it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from overgen.data import Dataset, load

DYNAMIC = ()  # see below
FETCHED = Path(".overgen/data")  # outside every output: it stays


def borrow(name: str, mirror: str | None) -> Dataset:
    """A data set that a stage looks at without depending on it: DVC cannot declare what only some of its cells read.

    name: of `sources.SOURCES`; mirror: as in `sources.prepare`.
    Where `download` has been there it is data/<name>; else it is fetched to .overgen/data/<name>, and stays there. As
    archives are pinned by their checksums, both are the same.
    Raises OvergenError as `load` and `sources.prepare` do.
    """
    if (Path("data") / name).exists():
        return load(name)
    if not (FETCHED / name).exists():
        # Not an import statement: those say on which modules a stage's result hangs, and this one's does not hang on
        # how a pinned archive is fetched. A source that is added would make every cell stale that borrows.
        sources = import_module("overgen.data.sources")
        sources.prepare(name, FETCHED / name, mirror=mirror)
    return load(name, FETCHED)
