"""Budgets from a file, set in params.yaml, of which nothing else changes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from overgen import OvergenError
from overgen.run import params
from overgen.run.edits import changed
from overgen.run.files import write_text
from overgen.run.yaml_files import YamlFault, flow, read_document


def set_budgets(budgets: str | Path, target: str | Path = "params.yaml") -> dict[str, Any]:
    """Set every `key=value` of a file in params.yaml; all of them, or none. Returns the values by key.

    budgets: a key of params.yaml and a YAML value a line; `#` begins a comment. Values are read as DVC reads those of
    params.yaml, 1e-5 as a number. Raises OvergenError naming the line of the file that params.yaml refuses.
    """
    target = Path(target)
    params.load(target)
    text = target.read_text(encoding="utf-8")
    expected, wanted = read_document(target, text).values, _read(Path(budgets))
    for key, (number, value) in wanted.items():
        *parents, last = key.split(".")
        values = expected
        for parent in parents:
            values = values.get(parent) if isinstance(values, dict) else None
        if not isinstance(values, dict) or last not in values:
            raise OvergenError(f"{budgets}, line {number}: {target} has no {key}")
        if flow(values[last]) == flow(value):  # however it is written
            continue
        values[last] = copy.deepcopy(value)
        text = changed(text, target, key.split("."), value)
        try:
            same = read_document(target, text).values == expected
        except YamlFault:
            same = False
        if not same:  # such as an alias, which stands for other values too
            raise OvergenError(f"{budgets}, line {number}: {target}, {key} cannot be set in its place; do it by hand")
    _check(text, wanted, Path(budgets), target)
    write_text(target, text)
    return {key: value for key, (_, value) in wanted.items()}


def _read(path: Path) -> dict[str, tuple[int, Any]]:
    """The line and the value of every key."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise OvergenError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    wanted: dict[str, tuple[int, Any]] = {}
    for number, line in enumerate(lines, start=1):
        key, equals, value = line.partition("#")[0].strip().partition("=")
        if not key and not equals:
            continue
        key = key.strip()
        if not key or not value.strip():
            raise OvergenError(f"{path}, line {number}: {line.strip()!r} is not key=value")
        if key in wanted:
            raise OvergenError(f"{path}, line {number}: {key} stands on line {wanted[key][0]} already; keep one")
        try:
            wanted[key] = number, read_document(path, value).values
        except YamlFault as error:
            raise OvergenError(f"{path}, line {number}, {key}: {error.problem} (found {value.strip()})") from error
    return wanted


def _check(text: str, wanted: dict[str, tuple[int, Any]], budgets: Path, target: Path) -> None:
    """Raise OvergenError, with the line of the budgets, if params.yaml may not hold a text."""
    try:
        params.load(target, text=text)
    except YamlFault as error:
        for key, (number, _) in wanted.items():
            if f"{error.key}.".startswith(f"{key}.") or f"{key}.".startswith(f"{error.key}."):
                raise OvergenError(f"{budgets}, line {number}, {error.key}: {error.problem}") from error
        raise OvergenError(f"{budgets}: {target} refuses these values: {error.key}: {error.problem}") from error
    except OvergenError as error:
        raise OvergenError(f"{budgets}: {target} refuses these values: {error}") from error
