"""Files of the user's own in src/own: what params.yaml names as "src/own/<file>.py:<Name>"."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from overgen import OvergenError

RUN: dict[tuple[str, str], ModuleType] = {}  # what was run, by path and text
PATTERN = re.compile(r"src/own/(\w+)\.py:(\w+)")


def named(name: str, what: str) -> Any:
    """What "src/own/<file>.py:<Name>" names; None if the file has no such thing. what: it is, for the error.

    Raises OvergenError if the file is missing.
    """
    path, _, attribute = name.partition(":")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; {what} {name!r} is there; run from the repository's root") from error
    if (path, text) not in RUN:  # once: members of one network are of one class
        # Not imported: that would leave a __pycache__ in a folder that stages depend on as a whole.
        module = ModuleType(f"own.{Path(path).stem}")
        sys.modules[module.__name__] = module  # where dataclasses and pickle look
        exec(compile(text, path, "exec"), module.__dict__)
        RUN[path, text] = module
    return getattr(RUN[path, text], attribute, None)
