"""Values of a YAML file changed and added in its text, so that comments and all else stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from overgen import OvergenError
from overgen.run.yaml_files import YamlFault, flow, read_document


def changed(text: str, target: Path, key: Sequence[str], value: Any) -> str:
    """A file's text with another value at a key that it has. target: the file, for errors."""
    node = read_document(target, text).node(key)
    start = node.start_mark.index
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style:  # from the line of its key on
        start = len(text[:start].rstrip())
    space = "" if text[start - 1].isspace() else " "  # a key with nothing behind its colon
    return text[:start] + space + flow(value) + text[end(node) :]


def end(node: Node) -> int:
    """Where the text of a node ends. The mark of a block stands at what comes after it, behind comments."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return end(last[1] if isinstance(node, MappingNode) else last)
    return int(node.end_mark.index)


def with_values(target: Path, values: Mapping[tuple[str, ...], Any]) -> str:
    """A file's text with values at key paths, changed where the path is there and added as a last entry where not.

    A path may go on from what the file has by one name only. Raises OvergenError, with the entry to write by hand,
    where the text cannot be changed so, as in an alias that stands for other values too.
    """
    text = target.read_text(encoding="utf-8")
    expected = copy.deepcopy(read_document(target, text).values)
    for key, value in values.items():
        parent = expected
        for part in key[:-1]:
            parent = parent.get(part) if isinstance(parent, dict) else None
        place, entry = ".".join(key[:-1]) or "its end", f"{key[-1]}: {flow(value)}"
        way_out = f"{target}: cannot be changed in its place; write by hand, at {place}: {entry}"
        if not isinstance(parent, dict):
            raise OvergenError(way_out)
        old = parent.get(key[-1])
        if key[-1] not in parent:
            text = _added(text, target, key, value)
        elif isinstance(old, list) and value[: len(old)] == old:
            text = _appended(text, target, key, value[len(old) :])
        else:
            text = changed(text, target, key, value)
        parent[key[-1]] = copy.deepcopy(value)
        try:
            same = read_document(target, text).values == expected
        except YamlFault:
            same = False
        if not same:
            raise OvergenError(way_out)
    return text


def _appended(text: str, target: Path, key: Sequence[str], values: Sequence[Any]) -> str:
    """A file's text with further values at the end of the list at a key."""
    node = read_document(target, text).node(key)
    if node.flow_style or not node.value:
        close = end(node) - 1
        return text[:close].rstrip() + ", " * bool(node.value) + ", ".join(map(flow, values)) + text[close:]
    line = text.find("\n", end(node))
    at = len(text) if line < 0 else line
    indent = " " * node.start_mark.column
    return text[:at] + "".join(f"\n{indent}- {flow(value)}" for value in values) + text[at:]


def _added(text: str, target: Path, key: Sequence[str], value: Any) -> str:
    """A file's text with one entry more in the mapping that a key lies in, as its last."""
    entry, document = f"{key[-1]}: {flow(value)}", read_document(target, text)
    node = document.node(key[:-1]) if len(key) > 1 else document.tree
    if node.flow_style:
        close = end(node) - 1
        return text[:close].rstrip() + (", " if node.value else "") + entry + text[close:]
    line = text.find("\n", end(node))
    at = len(text) if line < 0 else line  # behind a comment on the last entry's line
    indent = " " * node.value[0][0].start_mark.column if node.value else ""
    return f"{text[:at]}\n{indent}{entry}{text[at:]}"
