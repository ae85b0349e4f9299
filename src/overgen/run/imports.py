"""What modules import and do, read from their text without running them: see `overgen.run.code`."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import re
import tokenize
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from overgen import OvergenError

SOURCE = Path("src")
PACKAGES = ("overgen", "own")
STAGES = "overgen.stages"
# How a stage is started, logged and shown: cannot change a byte of its result. Nor is what these import followed.
LEFT_OUT = (
    "overgen.cli",
    "overgen.run.__main__",
    "overgen.run.cell_run",
    "overgen.run.cells",
    "overgen.run.clusters",
    "overgen.run.code",
    "overgen.run.commands",
    "overgen.run.driver",
    "overgen.run.durations",
    "overgen.run.dvc_params",
    "overgen.run.headline",
    "overgen.run.hints",
    "overgen.run.imports",
    "overgen.run.lockfile",
    "overgen.run.missing",
    "overgen.run.on_ray",
    "overgen.run.on_submitit",
    "overgen.run.order",
    "overgen.run.progress",
    "overgen.run.recorder",
    "overgen.run.reproduce",
    "overgen.run.sync",
    "overgen.run.tracking",
    "overgen.run.warm",
    "overgen.run.work",
)


class Module(NamedTuple):
    """A file of Python. digest: of what it does, empty if nothing; imports: names that may be modules."""

    path: str
    digest: str
    imports: list[str]
    dynamic: list[str]


class Tree:
    """The modules below `src` by name, each read once."""

    def __init__(self, source: Path = SOURCE, cache: dict[str, Any] | None = None) -> None:
        """cache: what an earlier Tree's `cache` held; files with the same bytes are not parsed again."""
        self.cache: dict[str, Any] = {}
        self._earlier = cache or {}
        self._paths: dict[str, Path] = {}
        self._data: dict[Path, list[Path]] = {}
        self._modules: dict[str, Module] = {}
        for package in PACKAGES:
            self._collect(source, source / package)

    def _collect(self, source: Path, top: Path) -> None:
        """Note the modules and, by the nearest folder that has modules, the other files."""
        owner: dict[Path, Path] = {}
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = sorted(name for name in subfolders if name != "__pycache__" and name[0] != ".")
            directory = Path(folder)
            python = [name for name in names if name.endswith(".py")]
            owner[directory] = directory if python else owner.get(directory.parent, directory)
            for name in python:
                module = (directory / name).relative_to(source).with_suffix("").as_posix().replace("/", ".")
                self._paths[module.removesuffix(".__init__")] = directory / name
            files = (name for name in names if not name.endswith((".py", ".pyc", ".md", "~")) and name[0] != ".")
            self._data.setdefault(owner[directory], []).extend(directory / name for name in files)

    def names(self, pattern: str) -> list[str]:
        """The modules whose names match a pattern part by part, as in overgen.stages.*.run."""
        parts = pattern.split(".")
        return sorted(
            name
            for name in self._paths
            if len(split := name.split(".")) == len(parts) and all(map(fnmatchcase, split, parts))
        )

    def module(self, name: str) -> Module | None:
        """A module by its name; None if the tree has none such."""
        if name not in self._modules:
            if name not in self._paths:
                return None
            path = self._paths[name]
            content = path.read_bytes()
            key = hashlib.md5(content).hexdigest()
            fields = self._earlier.get(f"{path.as_posix()} {key}")
            if fields is None:
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                text, tree = parse(content, path)
                fields = [code_digest(text, tree), *_imports(text, tree, path, package)]
            self.cache[f"{path.as_posix()} {key}"] = fields
            self._modules[name] = Module(path.as_posix(), *fields)
        return self._modules[name]

    def closure(self, roots: Iterable[str]) -> list[str]:
        """The lines "<md5> <path>" of all that these modules can run or read, sorted by path."""
        modules: dict[str, Module] = {}
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name in modules or name in LEFT_OUT:
                continue
            if "." in name:
                waiting.append(name.rpartition(".")[0])  # the package, which Python runs first
            if (module := self.module(name)) is None:
                continue
            modules[name] = module
            waiting += module.imports
            for pattern in module.dynamic:
                names = self.names(pattern)
                if not names:
                    raise OvergenError(f"{module.path}: DYNAMIC names {pattern!r}, but no module is called so")
                waiting += names
        lines = {module.path: module.digest for module in modules.values() if module.digest}
        for name, module in modules.items():
            if name.startswith(f"{STAGES}.") and not re.fullmatch(rf"{STAGES}\.\w+\.report", name):
                continue
            for file in self._data.get(Path(module.path).parent, ()):
                lines[file.as_posix()] = hashlib.md5(file.read_bytes()).hexdigest()
        return [f"{digest} {path}" for path, digest in sorted(lines.items())]


def parse(content: bytes, path: Path) -> tuple[str, ast.Module]:
    """The text of a module, with Unix line ends, and its tree. Raises OvergenError if it is not Python in UTF-8."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        return text, ast.parse(text)
    except UnicodeDecodeError as error:
        raise OvergenError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from error
    except (SyntaxError, ValueError) as error:  # ValueError: it holds a null byte
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise OvergenError(f"{path}{line}: not Python ({getattr(error, 'msg', error)})") from error


def code_digest(text: str, tree: ast.Module) -> str:
    """The MD5 of a module without comments, docstrings, blank lines and spaces at line ends; empty if nothing is left.

    The same on every version of Python that overgen runs on.
    """
    rows = text.split("\n")
    inside = _strip_comments(text, rows)
    words = [node for node in _statements(tree)
             if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
             and isinstance(node.value.value, str)]  # fmt: skip
    for node in sorted(words, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = rows[first].encode()[: node.col_offset], rows[last].encode()[node.end_col_offset :]
        rows[first : last + 1] = [(before + after).decode(), *[""] * (last - first)]
        inside.difference_update(range(first, last))
    kept = [row if i in inside else row.rstrip() for i, row in enumerate(rows) if i in inside or row.strip()]
    return hashlib.md5("\n".join(kept).encode()).hexdigest() if kept else ""


def _strip_comments(text: str, rows: list[str]) -> set[int]:
    """Remove the comments from `rows`, in place. Returns the rows whose end lies inside a string, by their index."""
    inside: set[int] = set()
    opened: list[int] = []  # rows on which f-strings begin, which Python reads in parts since 3.12
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "COMMENT":  # it reaches to the end of its row, wherever that is: columns differ between versions
            row = rows[token.start[0] - 1].rstrip()
            rows[token.start[0] - 1] = row[: len(row) - len(token.string.rstrip())]
        elif kind == "STRING":
            inside.update(range(token.start[0] - 1, token.end[0] - 1))
        elif kind.endswith("STRING_START"):
            opened.append(token.start[0])
        elif kind.endswith("STRING_END"):
            inside.update(range(opened.pop() - 1, token.end[0] - 1))
    return inside


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement of a module that can run, those inside functions and classes too."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        if field == "body" and isinstance(node, ast.If) and _only_for_types(node.test):
            continue
        for child in getattr(node, field, ()):
            if isinstance(child, ast.stmt):
                yield child
            yield from _statements(child)


def _only_for_types(test: ast.expr) -> bool:
    return (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)) == "TYPE_CHECKING"


def _imports(text: str, tree: ast.Module, path: Path, package: str) -> tuple[list[str], list[str]]:
    """The names that a module imports, some of which may be no modules, and the patterns of its DYNAMIC.

    package: of the module, from which relative imports start.
    """
    names: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            start = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, (start, node.module)))
            names.update((base, *(f"{base}.{alias.name}" for alias in node.names)))
    dynamic = _dynamic(tree, path)
    if dynamic is None and re.search(r"\b(import_module|__import__)\b", text):
        raise OvergenError(
            f"{path}: imports modules by a computed name; name them for `overgen.run.code`, as in "
            f'DYNAMIC = ("{STAGES}.*.report",), or DYNAMIC = () if none is of this repository'
        )
    return sorted(name for name in names if name.partition(".")[0] in PACKAGES), list(dynamic or ())


def _dynamic(tree: ast.Module, path: Path) -> tuple[str, ...] | None:
    for node in tree.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == "DYNAMIC" for target in targets):
            try:
                value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except ValueError:
                value = None
            if not isinstance(value, tuple) or not all(isinstance(part, str) for part in value):
                raise OvergenError(f"{path}, line {node.lineno}: DYNAMIC must be a literal tuple of patterns")
            return value
    return None
