"""What dvc.yaml and dvc.lock say: a stage's dependencies, parameters and matrix, and what was recorded of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from overgen import OvergenError


def read_lock(path: str | Path = "dvc.lock") -> dict[str, Any]:
    """The stages of dvc.lock by name; none where there is no such file. Raises OvergenError if it is not YAML."""
    import yaml

    path = Path(path)
    if not path.exists():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return (yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {}).get("stages", {})
    except yaml.YAMLError as error:
        raise OvergenError(f"{path}: not YAML ({error}); restore it with `git checkout {path}`") from error


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is 10 times faster; every stage reads the file


def read_yaml(path: Path) -> tuple[Any, yaml.Node | None]:
    """The values and, for the lines of errors, the tree that they come from."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        return None if tree is None else loader.construct_document(tree), tree
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; run from the repository's root") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "somewhere"
        raise OvergenError(f"{path}, {place}: not YAML ({getattr(error, 'problem', error)})") from error


def stage_entry(stage: str, item: dict[str, str], path: str | Path = "dvc.yaml") -> dict[str, list[str]]:
    """The `deps` and `params` lists of a stage in dvc.yaml, with `${item.…}` replaced by the values of `item`."""
    raw, _ = read_yaml(Path(path))
    stages = raw.get("stages", {})
    if stage not in stages:
        raise OvergenError(f"{path} has no stage {stage!r}; there are {', '.join(stages)}")

    def fill(text: str) -> str:
        return re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], text)

    return {kind: [fill(entry) for entry in stages[stage].get(kind, []) if isinstance(entry, str)]
            for kind in ("deps", "params")}  # fmt: skip
