"""What dvc.yaml says of the stages, their cells, dependencies and parameters, and what dvc.lock recorded of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overgen import OvergenError
from overgen.run.yaml_files import Document, read_document
from overgen.run.yaml_files import read_yaml as read_yaml


def read_lock(path: str | Path = "dvc.lock") -> dict[str, Any]:
    """The stages of dvc.lock by name; none where there is no such file. Raises OvergenError if it is not YAML."""
    path = Path(path)
    if not path.exists():
        return {}
    try:
        return (read_document(path).values or {}).get("stages", {})
    except OvergenError as error:
        raise OvergenError(f"{error}; restore it with `git checkout {path}`") from error


def read_stages(path: str | Path = "dvc.yaml") -> dict[str, dict[str, Any]]:
    """The stages of dvc.yaml by name, in its order, as they stand there.

    Raises OvergenError, with the line, for a file without stages, and for a list that names something twice.
    """
    document = read_document(path)
    stages = document.values.get("stages") if isinstance(document.values, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(entry, dict) for entry in stages.values()):
        raise OvergenError(f"{path}: has no stages; restore it with `git checkout {path}`")
    for stage, entry in stages.items():
        matrix = entry.get("matrix")
        options = matrix.items() if isinstance(matrix, dict) else ()
        for location in [("params",), ("deps",), *(("matrix", name) for name, _ in options)]:
            no_name_twice(document, ("stages", stage, *location))
    return stages


def has_code(stages: Mapping[str, Any]) -> bool:
    """Whether a study records the code that its cells are made by: the repository's does, an audit's does not."""
    return "code" in stages


def no_name_twice(document: Document, location: tuple[str, ...]) -> None:
    """Raise OvergenError, with the line, if the list at a place of a file names something twice."""
    value = document.values
    for part in location:
        value = value.get(part) or {}
    for i, name in enumerate(value if isinstance(value, list) else ()):
        if name in value[:i]:
            raise document.fault((*location, i), f"{name!r} is named twice")


def lists_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The lists of params.yaml that a stage's cells take their values from, such as {"model": "attacked"}.

    The models are those of its matrix, or of the list that its command names with --models: one after another.
    """
    matrix = entry.get("matrix") or {}
    matches = {name: re.fullmatch(r"\$\{([\w.]+)\}", str(options)) for name, options in matrix.items()}
    lists = {name: match[1] for name, match in matches.items() if match}
    several = re.search(r" --models[ =]+([\w.]+)", str(entry.get("cmd", "")))
    return lists | ({"model": several[1]} if several else {})


def matrix_of(entry: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a stage's cells can be: its matrix, with the lists of params.yaml that `lists_of` gives.

    values: those of params.yaml.
    """
    lists, matrix = lists_of(entry), entry.get("matrix") or {}
    return {
        name: [str(option) for option in (_at(values, lists[name]) if name in lists else matrix[name])]
        for name in dict.fromkeys([*matrix, *lists])
    }


def _at(values: Any, key: str) -> list[Any]:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            raise OvergenError(f"params.yaml has no {key}, which a matrix in dvc.yaml takes its values from")
        values = values[part]
    if not isinstance(values, list):
        raise OvergenError(f"params.yaml, {key}: must be a list, as a matrix in dvc.yaml takes its values from it")
    return values


def cells_of(entry: Mapping[str, Any], values: Mapping[str, Any]) -> list[dict[str, str]]:
    """The cells of a stage, in DVC's order: one value of each list of `matrix_of`, by name; of no matrix, one without.

    entry: the stage in dvc.yaml. values: those of params.yaml.
    """
    matrix = matrix_of(entry, values)
    return [dict(zip(matrix, chosen, strict=True)) for chosen in itertools.product(*matrix.values())]


def belongs(item: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether a cell's model is one of its data set: `datasets` of a model in params.yaml says of which it is.

    values: of params.yaml, as it stands there or checked. A matrix is a whole product, and so has cells that are not.
    """
    model = (values.get("models") or {}).get(item.get("model"))
    only = model.get("datasets") if isinstance(model, Mapping) else getattr(model, "datasets", None)
    return not isinstance(only, list) or item.get("dataset") in only


def address(stage: str, entry: Mapping[str, Any], item: Mapping[str, str]) -> str:
    """What DVC calls the stage that makes a cell, as in fool_fgn@digits-cnn.

    entry: the stage in dvc.yaml; item: the cell's values, by name.
    """
    values = [item[name] for name in entry.get("matrix") or {}]
    return f"{stage}@{'-'.join(values)}" if values else stage


def stage_entry(stage: str, item: Mapping[str, str], path: str | Path = "dvc.yaml") -> dict[str, list[str]]:
    """The `deps` and `params` lists of a stage in dvc.yaml, with `${item.…}` replaced by the values of `item`.

    Raises OvergenError for a stage that there is not, and for an item that lacks a name of its matrix.
    """
    stages = read_stages(path)
    if stage not in stages:
        raise OvergenError(f"{path} has no stage {stage!r}; there are {', '.join(stages)}")
    return filled(stages[stage], item)


def filled(entry: Mapping[str, Any], item: Mapping[str, str]) -> dict[str, list[str]]:
    """The `deps`, `params` and `outs` lists of a stage, with `${item.…}` replaced by the values of `item`."""
    if lacking := [name for name in entry.get("matrix") or {} if name not in item]:
        raise OvergenError(f"{', '.join(lacking)}: missing; the stage is a matrix of {', '.join(entry['matrix'])}")

    def fill(text: str) -> str:
        return re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], text)

    return {
        kind: [fill(part) for part in map(_path, entry.get(kind) or ()) if isinstance(part, str)]
        for kind in ("deps", "params", "outs")
    }


def _path(part: Any) -> Any:
    """The path of an output, which may stand with options: `path: {cache: false}`."""
    return next(iter(part), None) if isinstance(part, dict) else part
