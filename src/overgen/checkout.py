"""The checkout that a command is called in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from overgen import OvergenError


def complete(names: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    """The names that begin with what has been typed, for the shell; none outside a checkout."""

    def complete(incomplete: str) -> list[str]:
        try:
            enter_root()
            return [name for name in names() if name.startswith(incomplete)]
        except OvergenError:
            return []

    return complete


def enter_root() -> None:
    """Go to the root of the checkout that this folder is in. Raises OvergenError if it is in none."""
    cwd = Path.cwd()
    for folder in (cwd, *cwd.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            os.chdir(folder)
            return
    raise OvergenError(f"{cwd}: neither it nor a folder above it holds dvc.yaml and params.yaml; cd into the checkout")
