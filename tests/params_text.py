"""The text of params.yaml, for tests of what is said of it: with which line, and as DVC reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overgen import OvergenError
from overgen.run import params


def change(project: Path, old: str, new: str, file: str = "params.yaml") -> int:
    """Replace text in a file; returns the line it stands on."""
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def fault(project: Path) -> str:
    """The error about a project's parameters, without the folder they are in."""
    with pytest.raises(OvergenError) as caught:
        params.check(project)
    return str(caught.value).replace(f"{project}/", "")


def dvc_value(text: str) -> Any:
    """What DVC reads; its error otherwise. Values that its parser gives and it cannot use count as refused."""
    from dvc.parsing.context import Context
    from dvc.utils.serialize import parse_yaml

    try:
        values = parse_yaml(text, "params.yaml")
        Context(values)
    except Exception as error:
        return type(error)
    return values
