"""What was spent, beside what the papers spent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from overgen import OvergenError


def paper_budget(path: str | Path = "budgets/paper.txt") -> dict[str, int]:
    """The papers' budgets by params.yaml path; lists as their length; those by model as "path@model", see `of_model`.

    Raises OvergenError naming the line that is not `key=value` with a number, a list, or a number for each model.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; run from the repository's root") from error
    budget: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, separator, raw = text.partition("=")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError:
            value = None
        if separator and isinstance(value, dict) and all(type(each) is int for each in value.values()):
            budget |= {f"{key.strip()}@{model}": each for model, each in value.items()}
            continue
        if not separator or isinstance(value, bool) or not isinstance(value, int | list):
            raise OvergenError(
                f"{path}, line {number}: {text!r} is not key=number, key=[list] or key={{model: number}}"
            )
        budget[key.strip()] = len(value) if isinstance(value, list) else value
    return budget


def of_model(paper: Mapping[str, int], model: str) -> dict[str, int]:
    """The papers' budgets that hold for a model, by params.yaml path."""
    return {key.partition("@")[0]: n for key, n in paper.items() if "@" not in key or key.endswith(f"@{model}")}


def at_paper_budget(budget: Mapping[str, int], paper: Mapping[str, int]) -> bool:
    """Whether every budget of a cell that the papers state is at least theirs."""
    return all(spent >= paper[key] for key, spent in budget.items() if key in paper)


# How a budget is called, in the singular and the plural, by the last part of its key, or by its first and its last.
BUDGET_WORDS = {
    "epochs": ("epoch", "epochs"),
    "seeds": ("seed", "seeds"),
    "trials": ("trial a class", "trials a class"),
    "updates": ("update", "updates"),
    "runs": ("run", "runs"),
    "generations": ("generation", "generations"),
    "rounds": ("round of retraining", "rounds of retraining"),
    "evolutions": ("evolution of a network", "evolutions of a network"),
    "known": ("number of known classes", "numbers of known classes"),
    "subsets": ("class subset", "class subsets"),
    "images": ("image a network", "images a network"),
    "draws": ("draw of noise an image", "draws of noise an image"),
    "explore_transfer.draws": ("draw of labelled images", "draws of labelled images"),
    "explore_clutter.images": ("picture a class", "pictures a class"),
    "explore_anomaly.images": ("image a kind of unknown", "images a kind of unknown"),
    "explore_noise.images": ("image a kind of noise", "images a kind of noise"),
    "explore_compression.images": ("test image", "test images"),
    "explore_silhouettes.animals": ("image an animal", "images an animal"),
    "explore_silhouettes.letters": ("image a letter", "images a letter"),
    "explore_features.units": ("unit a layer and kind", "units a layer and kind"),
    "classes": ("class alone", "classes, each alone"),
    "trained_elsewhere": ("network trained elsewhere", "networks trained elsewhere"),
}


def budget_text(budget: Mapping[str, int], paper: Mapping[str, int]) -> str:
    """A cell's budget in words: "10 of 100 epochs, 1 seed, 20 trials a class, 2,000 of 10,000 updates"."""
    parts = []
    for key, spent in budget.items():
        name = key.split(".")[-1]
        full = paper.get(key, spent)
        shown = f"{spent:,} of {full:,}" if spent < full else f"{spent:,}"
        plural = name.replace("_", " ")
        known = BUDGET_WORDS.get(f"{key.split('.')[0]}.{name}") or BUDGET_WORDS.get(name)
        words = known or (plural.removesuffix("s"), plural)
        parts.append(f"{shown} {words[0] if max(spent, full) == 1 else words[1]}")
    return ", ".join(parts)
