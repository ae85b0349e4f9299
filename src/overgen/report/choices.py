"""What the papers leave open, and what was used: the stages' CHOICES, filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.tables import markdown_table

VALUE = r"\{([\w.]+)\}"


def choices(study: Study, *, held: bool = False) -> str:
    """What the papers leave open and what was used, as a table.

    A stage's CHOICES are pairs of question and text, in which {key} is a value of params.yaml, and DATASET in a key
    the data set. A value that `study.settings` does not hold is named by its key; held: such a pair is left out, where
    `study.settings` holds all that was chosen.
    """

    def key_of(match: re.Match[str]) -> str:
        return match[1].replace("DATASET", study.dataset)

    def fill(match: re.Match[str]) -> str:
        key = key_of(match)
        return setting_text(study.settings[key]) if key in study.settings else f"`{key}` of params.yaml"

    asked = [choice for module in study.modules.values() for choice in getattr(module, "CHOICES", ())]
    lines = [
        [question, re.sub(VALUE, fill, used)]
        for question, used in asked
        if not held or all(key_of(match) in study.settings for match in re.finditer(VALUE, used))
    ]
    changed: dict[tuple[str, str, str], list[str]] = {}
    for key, value in study.settings.items():
        place = re.fullmatch(rf"(\w+)\.{study.dataset}\.training\.(\w+)\.(\w+)", key)
        if place and value is not None:
            changed.setdefault((place[3], setting_text(value), place[1]), []).append(model_name(place[2]))
    if changed:
        texts = [
            f"{name} {value} in `{stage}`: {', '.join(models)}" for (name, value, stage), models in changed.items()
        ]
        lines.append(["Options of training that a stage changes for some models", "; ".join(texts)])
    return markdown_table(lines, ["what the papers leave open", "used here"])


def setting_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(setting_text, value)) or "none"
    if isinstance(value, Mapping):  # a (τ, α) pair
        return "(" + ", ".join(map(setting_text, value.values())) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
