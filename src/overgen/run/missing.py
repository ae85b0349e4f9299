"""What params.yaml lacks that dvc.yaml's stages read: all of it in one error, with lines to paste."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from overgen import OvergenError
from overgen.run.yaml_files import Document, flow


class Needed(NamedTuple):
    """A key of params.yaml, as a dotted path, and what needs it: a cell, or a list that names it."""

    key: str
    by: str


def missing(document: Document, wanted: Iterable[Needed], annotation: Callable[[str], Any]) -> OvergenError | None:
    """The error about all wanted keys that the file lacks; None if it has them all.

    annotation: the type of a section by name, for a section of which there is no entry to copy.
    """
    lacking: dict[tuple[str, ...], str] = {}
    for key, by in sorted(wanted, key=lambda need: need.key.count(".")):
        path = tuple(key.split("."))
        if not has(document.values, path) and not any(path[:n] in lacking for n in range(len(path))):
            lacking[path] = by
    if not lacking:
        return None
    lines: dict[str, list[str]] = {}
    for path in dict.fromkeys(path[: _depth(document.values, path)] for path in lacking):
        rests = [each[len(path) :] for each in lacking if each[: len(path)] == path]
        place, entry = _entry(document, path, rests, annotation)
        lines.setdefault(place, []).append(entry)
    names = ", ".join(f"{'.'.join(path)} (for {by}){_near(document.values, path)}" for path, by in lacking.items())
    added = "\n".join("\n".join([f"{place}:", *entries]) for place, entries in lines.items())
    return OvergenError(f"{document.path} lacks what stages of dvc.yaml read: {names}. Add\n{added}")


def _depth(values: Any, path: Sequence[str]) -> int:
    """How many parts of a path it takes to reach the first that is not there; more than it has if all are.

    What stands in the place of a mapping hides what is below: it is wrong itself, which is for others to say.
    """
    for depth, part in enumerate(path, start=1):
        if not isinstance(values, dict | None):
            break
        if values is None or part not in values:
            return depth
        values = values[part]
    return len(path) + 1


def has(values: Any, path: Sequence[str]) -> bool:
    """Whether there is anything at a path, be it what it must be or not."""
    return _depth(values, path) > len(path)


def _near(values: Any, path: Sequence[str]) -> str:
    """What a missing name may be a misspelling of. The names of sections and lists are all known: no such is one."""
    depth = _depth(values, path)
    if depth == 1:
        return ""
    for part in path[: depth - 1]:
        values = values[part]
    near = difflib.get_close_matches(path[depth - 1], values if isinstance(values, dict) else (), 1)
    return f" (misspelt {near[0]}?)" if near else ""


def _entry(
    document: Document, path: tuple[str, ...], rests: Sequence[tuple[str, ...]], annotation: Callable[[str], Any]
) -> tuple[str, str]:
    """Where a missing entry belongs, in words, and the line to paste there: a copy of the first entry beside it.

    rests: what of the entry is needed, as paths inside it; an empty one means all.
    """
    around, kind = document.values or {}, annotation(path[0])
    for part in path[:-1]:
        around, kind = around[part], _inner(kind)
    other = next(iter(around), None) if len(path) > 1 and isinstance(around, dict) else None
    if other is None:
        place = f"in {'.'.join(path[:-1])}, line {document.line(path)}" if path[:-1] else "at the end of the file"
        return f"  {place}", f"{'  ' * len(path[:-1])}{path[-1]}: {_form(kind, rests)}"
    place = f"  in {'.'.join(path[:-1])}, line {document.line(path)}, with the values of {other}"
    indent = " " * document.column((*path[:-1], other))
    return place, f"{indent}{path[-1]}: {flow(_copied(around[other], rests))}"


def _copied(value: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    """A value to copy, with what the paths need in it: where it lacks that, its first part under their name."""
    if not all(paths) or not isinstance(value, dict):
        return value
    names = dict.fromkeys(path[0] for path in paths)
    parts = {name: value.get(name, next(iter(value.values()), None)) for name in names}
    return {name: _copied(part, [path[1:] for path in paths if path[0] == name]) for name, part in parts.items()}


def _inner(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return None


def _form(kind: Any, paths: Sequence[tuple[str, ...]]) -> str:
    """The form of a value: its required keys, each with "…" to fill in."""
    if _inner(kind) and all(paths):
        names = dict.fromkeys(path[0] for path in paths)
        parts = [f"{name}: {_form(_inner(kind), [p[1:] for p in paths if p[0] == name])}" for name in names]
        return "{" + ", ".join(parts) + "}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "{" + ", ".join(f"{k}: …" for k, field in kind.model_fields.items() if field.is_required()) + "}"
    if get_origin(kind) is list:
        return "[]"  # a list of names: no cell
    if get_origin(kind) is Annotated and get_origin(get_args(kind)[0]) is list:
        return "[…]"
    return "…"
