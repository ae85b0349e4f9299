"""What the result of each stage can hang on of the code: `python -m overgen.run.code` writes `.overgen/code`.

DVC works by file and follows no import. So a stage depends on one small text, `.overgen/code/<stage>`: the modules that
its `run.py` imports, directly or through others, each with the MD5 of what it does. Words do not count: comments,
docstrings, blank lines and spaces at line ends can change without making a result stale. A stage that builds networks
has one text a model, `.overgen/code/<stage>/<model>`, with the user's own files too: of its network, and of the scores
that the parameters of its cell name; or, where it makes the cells of all models at once, all their files in one text.

Followed are imports at any depth of a file, except those under `if TYPE_CHECKING`. A module that imports others by a
computed name says which, as `DYNAMIC = ("overgen.stages.*.report",)`. Files that are not Python count with the modules
of their folder; in a stage's folder, where they are parts of its section, with its `report.py` only.

`.overgen/code/plans/<dataset>` is no code, but says what is run on a data set, see `overgen.run.plans`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import overgen
from overgen import OvergenError
from overgen.run import imports, pipeline
from overgen.run.imports import SOURCE, STAGES, Tree
from overgen.run.yaml_files import read_yaml

CODE = Path(".overgen/code")
CACHE = Path(".overgen/code.json")  # of each file, by its MD5, what is said of it here; only saves time
FILLED_BY_PEOPLE = Path("reports/labels")  # with a folder a data set: Git holds no empty one, and DVC wants it there
REGISTRY = "overgen.models.registry"
ADOPTED = "overgen.models.adopted.saved"
DATA_PARALLEL = "overgen.training.data_parallel"


@cache
def of_package() -> str:
    """A digest of all files of the overgen that runs: of what a cell hangs on where its folder records no code."""
    digest, root = hashlib.sha256(), Path(overgen.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


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
    models = list(models)
    networks = [module for model in models if (module := _own_module(tree, model, values))]
    shared = [DATA_PARALLEL] if _in_parallel(stage, values) & set(models) else []
    roots = [*_roots(stage), *networks, *shared, *sorted(own)]
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


def _in_parallel(stage: str, values: Mapping[str, Any]) -> set[str]:
    """The models whose batches several processes share, on any data set, as the section of a stage says."""
    section = values.get(stage)
    parts = section.values() if isinstance(section, dict) else ()
    named = (part.get("data_parallel") for part in parts if isinstance(part, dict))
    return {model for models in named if isinstance(models, dict) for model in models}


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
    from overgen.run import plans  # only reports hang on it, which import it themselves

    stage = name.partition("/")[0]
    if stage == plans.PLANS:
        return plans.plan_texts()[name]
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


def make_room(entries: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> None:
    """Make the folders that people put files into and stages depend on, and say which files there no stage reads."""
    reading = [entry for entry in entries.values() if f"{FILLED_BY_PEOPLE}/" in str(entry.get("deps"))]
    deps = [Path(dep) for entry in reading for item in pipeline.cells_of(entry, values)
            for dep in pipeline.filled(entry, item)["deps"]]  # fmt: skip
    folders = sorted(path for path in deps if path.parent == FILLED_BY_PEOPLE)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(FILLED_BY_PEOPLE.rglob("*")) if folders else ():
        if path.suffix.lower() == ".csv" and path.parent not in folders:
            print(f"{path}: read by no stage; it belongs into one of {', '.join(map(str, folders))}", file=sys.stderr)


def read_cache(path: Path = CACHE) -> dict[str, Any]:
    """What an earlier run found out about each file, unless this file has changed since; empty if there is none."""
    try:
        cached = json.loads(path.read_text(encoding="utf-8"))
        return cached["files"] if cached["rule"] == _rule() else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _rule() -> str:
    return hashlib.md5(Path(__file__).read_bytes() + Path(imports.__file__).read_bytes()).hexdigest()


def main(check: Callable[[], Mapping[str, str] | None] | None = None) -> bool:
    """Check params.yaml as a whole and write `.overgen/code`. Returns whether anything of it changed.

    Every other stage waits for this one, so that a value that cannot be meant stops `dvc repro` before anything runs.
    check: gives further texts; of none, those of the plans. Raises OvergenError for such a value, and for code that
    cannot be read.
    """
    from overgen.run.plans import plan_texts

    further = dict((check or plan_texts)() or {})
    earlier = read_cache()
    tree = Tree(cache=earlier)
    values, entries = read_yaml(Path("params.yaml"))[0], pipeline.read_stages()
    contents = texts(tree, values, entries)
    make_room(entries, values)
    changed = write(contents | further)
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
