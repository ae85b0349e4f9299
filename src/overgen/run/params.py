"""`params.yaml`, checked: unknown keys and impossible values are refused with the line they stand on.

A section stands with its stage: `stages/<stage>/params.py` has `SECTION`, a pydantic class or a dict of them by data
set, and may have `check(params)`, which raises ValueError("key: what is wrong") for what must fit across sections.
Sections of several stages are in `COMMON`. Every other top-level key is a list of names that dvc.yaml uses.

A stage reads only what its `params:` list in `dvc.yaml` declares (`declared`), so that DVC knows of every value that
can change a result; reading anything else is an error. Needs neither DVC nor torch.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError, create_model

import overgen.stages
from overgen import OvergenError
from overgen.run.missing import Needed, has, missing
from overgen.run.pipeline import address, cells_of, filled, lists_of, matrix_of, no_name_twice, read_stages
from overgen.run.sections import Name, Section
from overgen.run.yaml_files import Document, YamlFault, read_document

DYNAMIC = ()  # modules of sections: a stage's closure has those that it declares
# Sections that no stage has for itself: the module with `SECTIONS`, by name, and perhaps `check`.
COMMON = {
    "models": "overgen.models.params",
    "perceptrons": "overgen.models.params",
    "imagenet": "overgen.models.imagenet",
    "engine": "overgen.run.engine",
    "training": "overgen.training.params",
    "confidence": "overgen.measures.thresholds",
}
DATASETS = "datasets"  # the one list that may not be empty
Names = list[Name]


class Params:
    """Checked sections and lists of params.yaml by name: `params.fool_fgn["mnist"].trials`."""

    def __init__(self, sections: Mapping[str, Any]) -> None:
        self.sections = dict(sections)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "sections":  # copy and pickle ask for such
            raise AttributeError(name)
        if name not in self.sections:
            raise AttributeError(f"params.yaml has no {name!r}; there are {', '.join(self.sections)}")
        return self.sections[name]

    def names(self, key: str) -> list[str]:
        """A top-level list; empty where params.yaml has none, as where no stage uses it."""
        return self.sections.get(key, [])


def load(path: str | Path = "params.yaml", *, text: str | None = None) -> Params:
    """The checked parameters, all of them, with dvc.yaml beside the file.

    text: what shall stand in the file, to be checked before it does. Raises OvergenError naming file, line, key and
    what is wrong with the value, or all entries at once that stages of dvc.yaml need and the file lacks.
    """
    document = read_document(path, text)
    stages = read_stages(Path(path).parent / "dvc.yaml")
    values = document.values if isinstance(document.values, dict) else {}
    _known(document, values, stages)
    for key in values:
        if module_of(key) is None:
            _validated(document, key, values[key])
    if DATASETS in values and not values[DATASETS]:
        raise document.fault((DATASETS,), "must name a data set")
    try:
        _complete(document, wanted := needed(stages, values))
    except OvergenError:
        _misfits(document, values, stages, [key for key in wanted if not has(values, key.split("."))])
        raise
    params = Params({key: _validated(document, key, value) for key, value in values.items()})
    _fitting(document, params, stages)
    return params


def check(root: str | Path = ".") -> None:
    """Raise OvergenError if params.yaml or dvc.yaml has a fault: in a second, before anything runs."""
    load(Path(root) / "params.yaml")


def stage_folders() -> tuple[str, ...]:
    """The stages that have a section, in alphabetical order."""
    return _folders(tuple(overgen.stages.__path__))


@cache
def _folders(roots: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for root in roots for path in Path(root).glob("*/params.py")))


def module_of(section: str) -> str | None:
    """The module that describes a section; None if there is none, as for a list."""
    return COMMON.get(section) or (f"overgen.stages.{section}.params" if section in stage_folders() else None)


def annotation(section: str) -> Any:
    """The type of a section, a list's too."""
    name = module_of(section)
    if name is None:
        return Names
    module = importlib.import_module(name)
    try:
        return module.SECTIONS[section] if section in COMMON else module.SECTION
    except (AttributeError, KeyError) as error:
        raise OvergenError(f"{module.__file__}: has no {'SECTIONS' if section in COMMON else 'SECTION'}") from error


def _known(document: Document, values: Mapping[str, Any], stages: Mapping[str, Any]) -> None:
    """Raise for a top-level key that is neither a section nor a list that dvc.yaml uses."""
    lists = {key.split(".")[0] for entry in stages.values() for key in lists_of(entry).values()}
    used = set(lists)
    for entry in stages.values():
        used |= {key.split(".")[0] for key in entry.get("params") or () if isinstance(key, str)}
    known = sorted({*used, *COMMON, *stage_folders()})
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise document.fault((key,), f"neither a section nor a list that dvc.yaml uses; {hint}")
        if module_of(key) is None and not isinstance(value, list):
            section = "" if key in lists else f", or a section that src/overgen/stages/{key}/params.py describes"
            raise document.fault((key,), f"must be a list of names{section} (found {value!r:.80})")
        if module_of(key) is None:
            no_name_twice(document, (key,))


def needed(stages: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Needed]:
    """Every key that dvc.yaml's stages declare for some cell, and every model that a list of models names.

    Returns them by dotted path, each with what needs it. A list is one of models where a stage that takes its
    model from it depends on that model's code.
    """
    by_path: dict[str, Needed] = {}
    for stage, entry in stages.items():
        lists = lists_of(entry)
        absent = [key for key in lists.values() if key.split(".")[0] not in values]
        for key in absent:
            by_path.setdefault(key, Needed(key, f"the matrix of {stage}"))
        for item in [] if absent else cells_of(entry, values):
            lines = filled(entry, item)
            cell = address(stage, entry, item)
            for key in lines["params"]:
                by_path.setdefault(key, Needed(key, cell))
            if "model" in lists and f".overgen/code/{stage}/{item['model']}" in lines["deps"]:
                key = f"models.{item['model']}"
                by_path[key] = Needed(key, lists["model"])
    return by_path


def _complete(document: Document, wanted: Mapping[str, Needed]) -> None:
    """Raise for all keys at once that the file lacks."""
    if lacking := missing(document, wanted.values(), annotation):
        raise lacking


@cache
def _model(kind: str) -> type[BaseModel]:
    """A model of a section, or of lists, whose kind is ""."""
    return create_model("One", __base__=Section, value=(annotation(kind), ...))


def _validated(document: Document, key: str, value: Any) -> Any:
    """The value of a section as what it must be. Raises the fault that lies deepest in the file."""
    try:
        return _model(key if module_of(key) else "").model_validate({"value": value}).value  # type: ignore[attr-defined]
    except ValidationError as error:
        faults = [(document.inside((key, *each["loc"][1:])), each) for each in error.errors()]
        place, first = max(faults, key=lambda pair: len(pair[0]))  # the first of those
        # of a union every member complains
        problems = dict.fromkeys(each["msg"].removeprefix("Value error, ") for at, each in faults if at == place)
        location = (*place, first["loc"][-1]) if first["type"] == "missing" else place
        problem, value = ", or: ".join(problems), repr(first["input"])
        shown = "" if first["type"] == "missing" or value in problem else f" (found {value:.80})"
        raise document.fault(location, f"{problem}{shown}") from None


def _modules(params: Params, stages: Iterable[str]) -> list[ModuleType]:
    """The modules that describe the sections, each once."""
    names = [name for name in (*COMMON, *stages) if name in params.sections and module_of(name)]
    return list(dict.fromkeys(importlib.import_module(str(module_of(name))) for name in names))


def in_use(params: Params, stages: Mapping[str, Mapping[str, Any]]) -> Params:
    """What cells of dvc.yaml read: what `check`s of sections look at.

    Lists that no stage with cells takes its values from are empty, and sections by data set have those that such a
    stage reads: what else stands in the file, for data sets and models that were dropped, is nobody's fault.
    """
    read: set[str] = set()  # dotted paths, lists among them
    for entry in stages.values():
        lists = lists_of(entry).values()
        if all(key.split(".")[0] in params.sections for key in lists) and (cells := cells_of(entry, params.sections)):
            read.update(lists, *(filled(entry, item)["params"] for item in cells))
    sections = {}
    for key, value in params.sections.items():
        parts = {path.partition(".")[2].partition(".")[0] for path in read if path.partition(".")[0] == key}
        if module_of(key) is None:
            sections[key] = value if parts else []
        elif key in COMMON or not isinstance(value, dict) or "" in parts:
            sections[key] = value
        else:
            sections[key] = {name: part for name, part in value.items() if name in parts}
    return Params(sections)


def _fitting(document: Document, params: Params, stages: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise for all at once that `check`s of sections find in what is in use."""
    params = in_use(params, stages)
    problems: dict[str, YamlFault] = {}
    for module in _modules(params, stages):
        try:
            if hasattr(module, "check"):
                module.check(params)
        except ValueError as error:
            key, _, problem = str(error).partition(": ")
            problems[str(error)] = document.fault(tuple(key.split(".")), problem)
    _raise(document, list(problems.values()))


def _raise(document: Document, faults: Sequence[YamlFault]) -> None:
    """Raise all faults as one error, if there are any."""
    if len(faults) > 1:
        raise OvergenError("\n  ".join([f"{document.path}: {len(faults)} faults", *map(str, faults)]))
    for fault in faults:
        raise fault


def _misfits(
    document: Document, values: Mapping[str, Any], stages: Mapping[str, Mapping[str, Any]], lacking: Sequence[str]
) -> None:
    """Raise for models that do not fit into a list, which is why sections have no entry for them.

    lacking: the dotted paths that the file lacks.
    """
    models = {key.rpartition(".")[2] for key in lacking} - {key.removeprefix("models.") for key in lacking}
    params = Params({})
    for key, value in values.items():
        with suppress(OvergenError):
            params.sections[key] = _validated(document, key, value)
    params = in_use(params, stages)
    faults: dict[str, YamlFault] = {}
    for module in _modules(params, stages):
        try:
            if hasattr(module, "check"):
                module.check(params)
        except ValueError as error:
            key, _, problem = str(error).partition(": ")
            if module_of(key) is None and any(problem.startswith(f"{model!r}") for model in models):
                faults[str(error)] = document.fault((key,), problem)
        except (AttributeError, LookupError):
            continue  # it looks for what is lacking
    _raise(document, list(faults.values()))


class Declared:
    """The parameters that a stage declares. `p("training.mnist")` gives a section, `p("training.mnist.l2")` a value."""

    def __init__(self, sections: Mapping[str, Any], keys: list[str], stage: str, written: dict[str, Any]) -> None:
        """written: the values as they stand in params.yaml, and so in dvc.lock."""
        self._sections, self.keys, self._stage, self.written = sections, keys, stage, written

    def __call__(self, key: str) -> Any:
        """The value or section at a dotted path. Raises OvergenError if the stage does not declare it."""
        if not any(key == known or key.startswith(known + ".") for known in self.keys):
            raise OvergenError(
                f"stage {self._stage} reads {key}, which its `params:` list in dvc.yaml does not declare "
                f"({', '.join(self.keys)}); DVC would not notice a change of it. Add it there."
            )
        return value_at(self._sections, key)

    def values(self) -> dict[str, Any]:
        """All declared values by full dotted path, as plain YAML values: what the stage depends on."""
        values: dict[str, Any] = {}
        for key in self.keys:
            flatten_into(key, plain(value_at(self._sections, key)), values)
        return values


def value_at(sections: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted path of checked sections. Raises OvergenError naming what there is instead."""
    value: Any = sections
    for part in key.split("."):
        try:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        except (KeyError, AttributeError, TypeError):
            known = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
            raise OvergenError(f"params.yaml has no {key}: {part!r} is none of {', '.join(map(str, known))}") from None
    return value


def plain(value: Any) -> Any:
    """A value with its sections as dictionaries."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def flatten_into(key: str, value: Any, values: dict[str, Any]) -> None:
    """Put every value below a key into `values`, by dotted path."""
    if isinstance(value, dict):
        for name, part in value.items():
            flatten_into(f"{key}.{name}", part, values)
    else:
        values[key] = value


def declared(stage: str, *, root: str | Path = ".", **item: str) -> Declared:
    """The parameters of one cell of a stage, as dvc.yaml declares them; others are neither checked nor imported.

    item: the cell's values of the matrix, such as dataset="mnist", model="cnn". Raises OvergenError for a data set or
    model that the stage's matrix does not have, and for what is wrong with a value, as `load` does.
    """
    document = read_document(Path(root) / "params.yaml")
    values = document.values if isinstance(document.values, dict) else {}
    stages = read_stages(Path(root) / "dvc.yaml")
    if stage not in stages:
        raise OvergenError(f"dvc.yaml has no stage {stage!r}; there are {', '.join(stages)}")
    matrix = matrix_of(stages[stage], values)
    for name, value in item.items():
        if value not in matrix.get(name, []):
            known = ", ".join(matrix.get(name, [])) or f"no {name}"
            raise OvergenError(f"{name} {value!r} is unknown to stage {stage}; params.yaml has {known}")
    if lacking := [name for name in matrix if name not in item]:
        raise OvergenError(f"{', '.join(lacking)}: missing; the cells of {stage} have one of {', '.join(matrix)} each")
    keys = filled(stages[stage], item)["params"]
    _complete(document, {key: Needed(key, address(stage, stages[stage], item)) for key in keys})
    paths = [tuple(key.split(".")) for key in keys]
    sections = {}
    for section in dict.fromkeys(path[0] for path in paths):
        part = _restricted(annotation(section), values[section], [path[1:] for path in paths if path[0] == section])
        sections[section] = _validated(document, section, part)
    return Declared(sections, keys, stage, {key: value_at(values, key) for key in keys})


def _restricted(kind: Any, value: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    """Of a section with entries by name, those that lie on one of the paths; a class as it is."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is not dict or not isinstance(value, dict) or not all(paths):
        return value
    inner = get_args(kind)[1]
    return {
        key: _restricted(inner, part, [path[1:] for path in paths if path[0] == key])
        for key, part in value.items()
        if any(path[0] == key for path in paths)
    }
