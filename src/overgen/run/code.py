"""What the result of each stage can hang on of the code: `python -m overgen.run.code` writes `.overgen/code`.

DVC works by file and follows no import. So a stage depends on one small text, `.overgen/code/<stage>`: the modules that
its `run.py` imports, directly or through others, each with the MD5 of what it does. Words do not count: comments,
docstrings, blank lines and spaces at line ends can change without making a result stale. A stage that builds networks
has one text a model, `.overgen/code/<stage>/<model>`, with the user's own files too: of its network, and of the scores
that the parameters of its cell name; or, where it makes the cells of all models at once, all their files in one text.

Followed are imports at any depth of a file, except those under `if TYPE_CHECKING`. A module that imports others by a
computed name says which, as `DYNAMIC = ("overgen.stages.*.report",)`. Files that are not Python count with the modules
of their folder; in a stage's folder, where they are parts of its section, with its `report.py` only.

`.overgen/code/plans/<dataset>` is no code, but says what is run on a data set, see `params.plans`.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import overgen
from overgen import OvergenError
from overgen.run import params, pipeline
from overgen.run.yaml_files import read_yaml

CODE = Path(".overgen/code")
CACHE = Path(".overgen/code.json")  # of each file, by its MD5, what is said of it here; only saves time
SOURCE = Path("src")
PACKAGES = ("overgen", "own")
STAGES = "overgen.stages"
REGISTRY = "overgen.models.registry"
ADOPTED = "overgen.models.adopted.saved"
# How a stage is started, logged and shown: cannot change a byte of its result. Nor is what these import followed.
LEFT_OUT = (
    "overgen.cli",
    "overgen.run.__main__",
    "overgen.run.cell_run",
    "overgen.run.code",
    "overgen.run.commands",
    "overgen.run.dvc_params",
    "overgen.run.headline",
    "overgen.run.lockfile",
    "overgen.run.missing",
    "overgen.run.progress",
    "overgen.run.recorder",
    "overgen.run.reproduce",
    "overgen.run.sync",
    "overgen.run.tracking",
    "overgen.run.warm",
)


@cache
def of_package() -> str:
    """A digest of all files of the overgen that runs: of what a cell hangs on where its folder records no code."""
    digest, root = hashlib.sha256(), Path(overgen.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


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


def texts(
    tree: Tree, values: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], only: str = ""
) -> dict[str, str]:
    """What each file of `.overgen/code` holds, by its name there.

    values: those of params.yaml; entries: the stages of dvc.yaml; only: the one stage that is asked for.
    Raises OvergenError for a network of the user's own whose file is missing.
    """
    stages = [only] if only else [root.split(".")[-2] for root in tree.names(f"{STAGES}.*.run")]
    contents: dict[str, str] = {}
    for stage in stages:
        entry = entries.get(stage, {})
        described = values.get("models") or {}
        names = pipeline.matrix_of(entry, values).get("model", [])
        building = builds(tree, stage)
        models = [name for name in names if name in described] if building else []
        own = _own_files(tree, entry, values)
        if "model" in (entry.get("matrix") or {}) and (models or (building and not names)):
            contents |= {f"{stage}/{m}": of_stage(tree, stage, values, [m], own.get(m, ())) for m in models}
        else:
            contents[stage] = of_stage(tree, stage, values, models, {name for of in own.values() for name in of})
    return contents


def _roots(stage: str) -> list[str]:
    return [f"{STAGES}.{stage}.run", f"{STAGES}.{stage}.params"]


def builds(tree: Tree, stage: str) -> bool:
    """Whether a stage builds networks, among them a user's own."""
    module = tree.module(REGISTRY)
    return module is not None and f"{module.digest} {module.path}" in tree.closure(_roots(stage))


def of_stage(tree: Tree, stage: str, values: Mapping[str, Any], models: Iterable[str], own: Iterable[str] = ()) -> str:
    """The text of one stage: the closure of its run.py and its params.py, of models' own files, and of modules `own`.

    DVC takes no dvc.yaml for a dependency, so the modules of other sections that the stage declares there are not asked
    for: a stage imports them, and a test compares the two.
    Raises OvergenError if the file of a user's own network is missing.
    """
    networks = [module for model in models if (module := _own_module(tree, model, values))]
    roots = [*_roots(stage), *networks, *sorted(own)]
    return "".join(f"{line}\n" for line in tree.closure(roots))


def _own_module(tree: Tree, model: str, values: Mapping[str, Any]) -> str:
    """The module that holds the network of a model of params.yaml, where no import leads to it; else "".

    It is a file of the user's, or what opens networks that were trained elsewhere.
    """
    network = str((values.get("models") or {}).get(model, {}).get("network", ""))
    if network == "adopted":
        return ADOPTED
    path, own, _ = network.partition(":")
    name = Path(path).with_suffix("").as_posix().removeprefix(f"{SOURCE}/").replace("/", ".") if own else ""
    if own and tree.module(name) is None:
        raise OvergenError(f"{path}: missing; params.yaml, models.{model}: network {network!r} is there")
    return name


def _own_files(tree: Tree, entry: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, set[str]]:
    """The modules of the user's that the parameters of a stage's cells name, by model: scores of their own.

    entry: the stage in dvc.yaml. A cell's parameters are what the entry declares for it, so that a cell depends on the
    files of its own scores, and no other on them. Raises OvergenError if a file is missing.
    """
    from overgen.run.own import PATTERN  # at the top every stage would load a module that few depend on

    named: dict[str, set[str]] = {}
    for item in pipeline.cells_of(entry, values):
        for key in pipeline.filled(entry, item)["params"]:
            value: Any = values
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            for text in _texts_in(value):
                if not (match := PATTERN.fullmatch(text)):
                    continue
                if tree.module(module := f"own.{match[1]}") is None:
                    raise OvergenError(f"{text.partition(':')[0]}: missing; params.yaml, {key}: {text!r} is there")
                named.setdefault(item.get("model", ""), set()).add(module)
    return named


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts_in(part)


def now(dependency: str) -> str:
    """What a file of `.overgen/code` would hold now, whether or not it is there. dependency: as dvc.yaml names it."""
    name = Path(dependency).relative_to(CODE).as_posix()
    stage = name.partition("/")[0]
    if stage == params.PLANS:
        return params.plan_texts()[name]
    values = read_yaml(Path("params.yaml"))[0]
    return texts(Tree(cache=read_cache()), values, pipeline.read_stages(), stage)[name]


def write(contents: dict[str, str], folder: Path = CODE) -> list[str]:
    """Make a folder hold these texts and nothing else. Returns the names of those that changed or went."""
    changed = []
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if (name := path.relative_to(folder).as_posix()) not in contents:
            path.unlink()
            changed.append(name)
    for path in sorted(folder.rglob("*/"), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
    for name, text in contents.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
            changed.append(name)
    return sorted(changed)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def read_cache(path: Path = CACHE) -> dict[str, Any]:
    """What an earlier run found out about each file, unless this file has changed since; empty if there is none."""
    try:
        cached = json.loads(path.read_text(encoding="utf-8"))
        return cached["files"] if cached["rule"] == _rule() else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _rule() -> str:
    return hashlib.md5(Path(__file__).read_bytes()).hexdigest()


def main(check: Callable[[], Mapping[str, str] | None] = params.plan_texts) -> bool:
    """Check params.yaml as a whole and write `.overgen/code`. Returns whether anything of it changed.

    Every other stage waits for this one, so that a value that cannot be meant stops `dvc repro` before anything runs.
    check: gives further texts. Raises OvergenError for such a value, and for code that cannot be read.
    """
    plans = dict(check() or {})
    earlier = read_cache()
    tree = Tree(cache=earlier)
    contents = texts(tree, read_yaml(Path("params.yaml"))[0], pipeline.read_stages())
    changed = write(contents | plans)
    if tree.cache != earlier:
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        _replace(CACHE, json.dumps({"rule": _rule(), "files": tree.cache}))
    named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
    print(f"{len(contents)} texts of what stages hang on; changed: {named or 'none'}")
    return bool(changed)


if __name__ == "__main__":
    try:
        main()
    except OvergenError as error:
        sys.exit(f"error: {error}")
