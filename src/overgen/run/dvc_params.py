"""DVC's reading of params.yaml, without parsing the file anew for each stage.

DVC parses the file for every stage that it looks at, and walks through all of it for every declared key: of a
`dvc repro` with nothing to do that is a third. What is read here is what DVC reads; a test compares the two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import dvc.dependency.param as dvc_param

_PLAIN = re.compile(r"[\w-]+(\.[\w-]+)*")  # a key without DVC's patterns


@contextmanager
def params_read_once() -> Iterator[None]:
    """While it is entered, DVC parses a file of parameters again only if it has changed."""
    original = dvc_param.read_param_file
    parsed: dict[str, tuple[tuple[int, int, int], Any]] = {}

    def read(fs: Any, path: str, key_paths: Sequence[str] | None = None, flatten: bool = False, **options: Any) -> Any:
        plain = key_paths and flatten and not options and fs.protocol == "local"
        if not plain or not all(_PLAIN.fullmatch(key) for key in key_paths or ()):
            return original(fs, path, key_paths, flatten, **options)
        status = os.stat(path)
        version = status.st_mtime_ns, status.st_size, status.st_ino
        if path not in parsed or parsed[path][0] != version:
            parsed[path] = version, dvc_param.load_path(path, fs)
        values = {}
        for key in key_paths or ():
            try:
                values[key] = _value(parsed[path][1], key)
            except LookupError:  # a list, a key that is no text, or no such key: DVC knows
                values.update(original(fs, path, [key], flatten))
        return deepcopy(values)  # stages do not share values: DVC would write shared ones as anchors

    dvc_param.read_param_file = read
    try:
        yield
    finally:
        dvc_param.read_param_file = original


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(values, dict):
            raise LookupError(key)
        values = values[part]
    return values
