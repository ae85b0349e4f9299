"""What is run on each data set: the cells of dvc.yaml and the parameters that they declare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from overgen.run.params import flatten_into, load, plain, value_at
from overgen.run.pipeline import belongs, cells_of, filled, read_stages

PLANS = "plans"  # their folder in .overgen/code
WEIGHTS = "models/"  # how paths of weights begin


class Plan(NamedTuple):
    """What is run on a data set.

    cells: the models by stage, in dvc.yaml's order; settings: every value that the cells declare, by dotted path;
    joint: the stages that make the cells of all models at once; not_in_git: by stage, those that make the weights that
    it reads, where DVC's cache holds these instead of Git.
    """

    cells: dict[str, list[str]]
    settings: dict[str, Any]
    joint: list[str] = []  # noqa: RUF012
    not_in_git: dict[str, list[str]] = {}  # noqa: RUF012


def plans(root: str | Path = ".") -> dict[str, Plan]:
    """The plan of every data set that a stage with cells is run on.

    A report shows any of these values, and depends on a text that holds them all (see `plan_texts`) rather than on a
    `params:` list that repeats those of other stages. Folders are never listed: what lies there of models that were
    dropped from params.yaml does not count. Raises OvergenError for what is wrong in params.yaml or dvc.yaml.
    """
    params = load(Path(root) / "params.yaml")
    by_dataset: dict[str, Plan] = {}
    makers: dict[str, str] = {}  # of weights that are not in Git, by path
    deps: list[tuple[Plan, str, str]] = []  # each with the plan and the stage that it is of
    for stage, entry in read_stages(Path(root) / "dvc.yaml").items():
        for item in cells_of(entry, params.sections):
            if {"dataset", "model"} <= set(item) and belongs(item, params.sections):
                plan = by_dataset.setdefault(item["dataset"], Plan({}, {}, [], {}))
                if stage not in plan.cells and "model" not in entry["matrix"]:
                    plan.joint.append(stage)
                plan.cells.setdefault(stage, []).append(item["model"])
                for key in (parts := filled(entry, item))["params"]:
                    flatten_into(key, plain(value_at(params.sections, key)), plan.settings)
                makers |= {path: stage for path in cached_outs(entry, item) if path.startswith(WEIGHTS)}
                deps += [(plan, stage, dep) for dep in parts["deps"]]
    for plan, stage, dep in deps:
        if read := [maker for path, maker in makers.items() if overlap(path, dep)]:
            plan.not_in_git[stage] = list(dict.fromkeys([*plan.not_in_git.get(stage, []), *read]))
    return by_dataset


def cached_outs(entry: Mapping[str, Any], item: Mapping[str, str]) -> list[str]:
    """The outputs of a cell that DVC's cache holds instead of Git: those without `cache: false` in dvc.yaml."""
    outs = entry.get("outs") or ()
    options = [next(iter(out.values())) if isinstance(out, dict) else None for out in outs]
    paths = zip(filled(entry, item)["outs"], options, strict=True)
    return [path for path, option in paths if (option or {}).get("cache", True)]


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def plan_texts(root: str | Path = ".") -> dict[str, str]:
    """Each plan as a file of `.overgen/code`, by its name there. Raises as `plans` does."""
    texts = {name: json.dumps(plan._asdict(), indent=1, ensure_ascii=False) for name, plan in plans(root).items()}
    return {f"{PLANS}/{dataset}": f"{text}\n" for dataset, text in texts.items()}
