"""What dvc.lock vouches for: that a cell on disk is the one it recorded, and what it was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overgen.run.files import directory_md5
from overgen.run.pipeline import read_lock, read_yaml
from overgen.run.stage import Stage


def changed_from(stage: Stage, key: str) -> Any:
    """The value of a parameter that the cell on disk was made with, where it is all that has changed since.

    key: a dotted path that the stage declares. Returns the value as it stood in params.yaml; None where nothing has
    changed, where anything else has, be it another parameter, code, data or weights, and where the cell is not the one
    that dvc.lock recorded.
    """
    if not stage.cell.is_dir():
        return None
    entry = read_lock().get(stage.address, {})
    paths = [*entry.get("deps", ()), *entry.get("outs", ())]
    if not paths or not all(_as_recorded(path) for path in paths):
        return None
    before = entry.get("params", {}).get("params.yaml", {})
    values, _ = read_yaml(Path("params.yaml"))
    now = {declared: _at(values, declared) for declared in stage.params.keys}
    if [name for name in {*before, *now} if before.get(name) != now.get(name)] != [key]:
        return None
    return before.get(key)


def _as_recorded(path: Mapping[str, Any]) -> bool:
    """Whether a file or a folder has the checksum that dvc.lock gives for it."""
    place = Path(path["path"])
    if place.is_dir():
        return directory_md5(place) == path.get("md5")
    return place.is_file() and hashlib.md5(place.read_bytes()).hexdigest() == path.get("md5")


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values
