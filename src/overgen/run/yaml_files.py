"""YAML files as DVC reads them, with the line of everything in them.

DVC parses with ruamel.yaml's `YAML(typ="safe")`: YAML 1.2, libyaml's scanner, no key twice. `Loader` is put together of
the same parts, so that a file that overgen accepts is one that DVC accepts, and each scalar has the same value in both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.cyaml import CSafeLoader
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from overgen import OvergenError

PLAIN = (str, bool, int, float, type(None))  # what a value may be beside a list or a mapping: DVC refuses dates


class Loader(CSafeLoader):
    """ruamel.yaml's safe loader with libyaml, for YAML 1.2 as in `YAML(typ="safe")`."""

    processing_version = (1, 2)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.allow_duplicate_keys = False


class YamlFault(OvergenError):
    """A fault in a YAML file. key: its dotted path in the file, "" if it has none; problem: what is wrong, in words."""

    def __init__(self, place: str, key: str, problem: str) -> None:
        super().__init__(f"{place}, {key}: {problem}" if key else f"{place}: {problem}")
        self.key, self.problem = key, problem


@dataclass(frozen=True)
class Document:
    """A YAML file: the values in it, and the tree of nodes that they come from, which knows the lines."""

    path: Path
    values: Any
    tree: Any

    def inside(self, location: Sequence[Any]) -> tuple[Any, ...]:
        """The parts of a key path that the file has. Others fall out: pydantic's names for members of a union."""
        return tuple(key for key, _, _ in self._walk(location))

    def column(self, location: Sequence[Any]) -> int:
        """How far the deepest part of a key path that the file has is indented, in characters."""
        return max((mark.column for _, mark, _ in self._walk(location)[-1:]), default=0)

    def line(self, location: Sequence[Any]) -> int:
        """The line, from 1, on which the deepest part of a key path stands that the file has."""
        return max((mark.line + 1 for _, mark, _ in self._walk(location)[-1:]), default=1)

    def node(self, location: Sequence[Any]) -> Any:
        """The node of the deepest part of a key path that the file has."""
        return next((node for _, _, node in reversed(self._walk(location))), self.tree)

    def _walk(self, location: Sequence[Any]) -> list[tuple[Any, Any, Node]]:
        node, steps = self.tree, []
        for key in location:
            if isinstance(node, MappingNode):
                pairs = [*node.value, *(getattr(node, "merge", None) or [])]
                pair = next(((k, v) for k, v in pairs if k.value == str(key)), None)
                if pair is None:
                    continue
                steps.append((key, pair[0].start_mark, pair[1]))
            elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
                steps.append((key, node.value[key].start_mark, node.value[key]))
            else:
                continue
            node = steps[-1][2]
        return steps

    def fault(self, location: Sequence[Any], problem: str) -> YamlFault:
        """What is wrong with a key of the file, to be raised: it names file, key and, where some of it is, the line."""
        key = ".".join(str(part) for part in location)
        place = f"{self.path}, line {self.line(location)}" if self.inside(location) else str(self.path)
        return YamlFault(place, key, problem)


def read_document(path: str | Path, text: str | None = None) -> Document:
    """A YAML file. text: what it holds, or shall hold; read from the file unless given.

    Raises OvergenError naming file, line and way out for what DVC refuses as well: no YAML, a key that stands twice, a
    plain ":" between brackets, values that are no text, number, truth value, null, list or mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
        loader = Loader(text)
        tree = loader.get_single_node()
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; run from the repository's root") from error
    except UnicodeError as error:
        raise OvergenError(f"{path}: not UTF-8 ({error}); save it as such") from error
    except YAMLError as error:
        _not_yaml(path, text or "", error)
    try:
        document = Document(path, None if tree is None else loader.construct_document(tree), tree)
    except DuplicateKeyError as error:
        _twice(path, tree, error.problem_mark)
    except YAMLError as error:
        _not_yaml(path, text, error)
    except (ValueError, LookupError, AttributeError, TypeError):  # such as 2020-13-01: a date in form only
        _impossible(path, loader, tree)
    try:
        _plain(document, (), document.values)
    except RecursionError as error:
        raise OvergenError(f"{path}: an alias (*) stands for something that it is part of; write it out") from error
    return document


def read_yaml(path: str | Path) -> tuple[Any, Node | None]:
    """The values of a YAML file, and the tree that they come from. Raises OvergenError as `read_document` does."""
    document = read_document(path)
    return document.values, document.tree


def flow(value: Any) -> str:
    """A value as one line of YAML that DVC reads back as it is."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.-]*", value) and Loader(value).get_single_data() == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _not_yaml(path: Path, text: str, error: YAMLError) -> NoReturn:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", error)
    place = f"{path}, line {mark.line + 1}" if mark else str(path)
    if mark and problem == "found unexpected ':'":
        start = getattr(error, "context_mark", mark)
        word = re.split(r"[,\s\]}]", text.splitlines()[start.line][start.column :])[0]
        problem = (
            f"{word}: between brackets DVC takes no ':' within a word. A key needs a space behind its ':'. A text "
            f"""with a ':' needs quotes ("{word}") or, as `dvc exp run -S` takes quotes away, a line of its own, """
            "without brackets"
        )
        raise YamlFault(place, "", problem) from error
    raise YamlFault(place, "", f"not YAML ({problem})") from error


def _nodes(tree: Node) -> Iterator[tuple[tuple[str, ...], Node | None, Node]]:
    """Every node below a tree once: where it stands, its key's node if it is a mapping's, and itself."""
    todo: list[tuple[tuple[str, ...], Node | None, Node]] = [((), None, tree)]
    seen = set()
    for location, key, node in todo:
        yield location, key, node
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            todo += [((*location, str(k.value)), k, v) for k, v in node.value]
        elif isinstance(node, SequenceNode):
            todo += [((*location, str(i)), None, part) for i, part in enumerate(node.value)]


def _twice(path: Path, tree: Node, mark: Any) -> NoReturn:
    """Raise for the key at a mark, which stands in its mapping before."""
    keys: dict[tuple[str, ...], Node] = {}
    for location, key, _ in _nodes(tree):
        if key is None:
            continue
        first = keys.setdefault(location, key)
        if (key.start_mark.line, key.start_mark.column) == (mark.line, mark.column):
            problem = f"stands on line {first.start_mark.line + 1} already; keep one"
            raise YamlFault(f"{path}, line {mark.line + 1}", ".".join(location), problem)
    raise YamlFault(f"{path}, line {mark.line + 1}", "", "a key stands twice; keep one")


def _impossible(path: Path, loader: Loader, tree: Node) -> NoReturn:
    """Raise for the first scalar that cannot be what it looks like."""
    for _, key, node in _nodes(tree):
        for scalar in (part for part in (key, node) if isinstance(part, ScalarNode)):
            try:
                loader.construct_non_recursive_object(scalar)
            except Exception as error:
                place = f"{path}, line {scalar.start_mark.line + 1}"
                raise YamlFault(place, "", f"{scalar.value!r} is no value ({error}); put it in quotes") from error
    raise YamlFault(str(path), "", "not YAML")


def _plain(document: Document, location: tuple[Any, ...], value: Any) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise document.fault((*location, key), f"a key must be text: put {key!r} in quotes")
            _plain(document, (*location, key), part)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            _plain(document, (*location, i), part)
    elif not isinstance(value, PLAIN):
        kind = type(value).__name__
        raise document.fault(location, f"{value} is a {kind}, which DVC does not take; put it in quotes")
