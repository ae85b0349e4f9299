"""A made-up cell of this stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from overgen.run import results
from overgen.run.example import as_bytes, blobs
from overgen.stages.attack_scores.sheet import CANNOT_TELL, NO_CLASS, answers, sheet
from overgen.stages.judge_by_eye import summary

METHODS = ("softmax", "knn", "pca_pixels", "scaled_output_alpha20")


def example_cell(
    path: Path,
    draw: np.random.Generator,
    *,
    people: Mapping[str, float] | None = None,
    right: float = 1.0,
    images: int = 48,
    answered: int | None = None,
    least: int = 10,
    budget: Mapping[str, int] | None = None,
) -> None:
    """people: by name, the share of images that fooled and that each sees as the class; of the rest two of three are no
    class, the others another class, but the last of all that cannot be told. right: the share of test images that they
    label right; images: of either kind; answered: how many of all are, in the order of the sheet, all unless given."""
    numbers = np.arange(images)
    held = {
        "real_image": as_bytes(blobs(draw, images)),
        "real_label": numbers % 10,
        "sheet_image": as_bytes(blobs(draw, images)),
        "sheet_method": np.array(METHODS)[numbers % len(METHODS)],
        "sheet_target": numbers % 10,
        "sheet_not_of_class": (numbers % 5 > 0).astype(int),
    }
    found = sheet(path.parts[-3], {"cnn": held})
    assert found
    table = found[1]
    possible = answers(path.parts[-3], table)
    given = [answers_of(table, name, seen, right, possible)[:answered] for name, seen in (people or {}).items()]
    none = pd.DataFrame(columns=["person", "item", "answer"])
    judged = summary.answer_table(table, pd.concat(given) if given else none, possible)
    results.write(
        path,
        budget=dict(budget or {}),
        metrics=summary.rows(table, list(people or {}), judged, least),
        tables={"answers": judged},
    )


def answers_of(table: pd.DataFrame, name: str, seen: float, right: float, possible: list[str]) -> pd.DataFrame:
    """What a made-up person answers, see `example_cell`. table: of the sheet."""
    order = table.groupby("kind").cumcount() / table.groupby("kind")["item"].transform("count")
    shown = table["target"].fillna(table["label"]).astype(int)
    known = order < np.where(table["kind"] == summary.FOOLED, seen, right)
    another = [possible[(number + 1) % 10] for number in shown]
    said = np.where(known, [possible[number] for number in shown], np.where(table.index % 3 == 0, another, NO_CLASS))
    said = np.where(~known & (order > 0.95), CANNOT_TELL, said)
    return pd.DataFrame({"person": name, "item": table["item"], "answer": said})
