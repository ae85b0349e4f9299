"""Trials that a cell has already: where only what is tried on the model has changed, they stand, and others join them.

A new variant costs its own trials, not those of all that were tried before. The cell comes out as if all had been run
together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overgen.attacks.attacked import Arrays, Attacked
from overgen.run import recorded
from overgen.run.files import read_npz
from overgen.stages.fool_fgn.trials import Attack, Outcome, Pair

SINGLE = ("final_log_y", "final_distance", "final_gamma")  # columns of float32


class Finished(NamedTuple):
    """The attacks of a cell and what they came to: trials.csv, successes.npz and examples.npz."""

    attacks: list[Attack]
    table: pd.DataFrame
    successes: Arrays
    examples: Arrays


def find(attacked: Attacked, key: str, attacks_of: Callable[[Any], list[Attack] | None]) -> Finished | None:
    """What the cell on disk holds, if what is tried on the model is all that has changed since; see `recorded`.

    key: of that in params.yaml. attacks_of: gives the attacks for a value of it; None if they cannot stand.
    """
    value = recorded.changed_from(attacked.stage, key)
    attacks = None if value is None else attacks_of(value)
    if attacks is None:
        return None
    cell = attacked.stage.cell
    table = pd.read_csv(cell / "trials.csv", dtype=str, keep_default_na=False, na_values=[""])
    successes, examples = read_npz(cell / "successes.npz"), read_npz(cell / "examples.npz")
    return Finished(attacks, table.astype({name: type_of(str(name)) for name in table}), successes, examples)


def type_of(column: str) -> str:
    """The type of a column of trials.csv, as `trials.gather` makes it."""
    if column == "objective":
        return "object"
    if column in SINGLE:
        return "float32"
    if column.startswith("step@"):
        return "Int64"
    return "float64" if column.startswith(("score", "objective_alpha")) else "int64"


def joined(
    finished: Finished, fresh: Outcome, examples: Arrays, attacked: Attacked, tried: Sequence[Attack]
) -> tuple[Outcome, Arrays]:
    """The finished and the fresh trials of all attacks that are tried now, in their order; and the examples.

    fresh: of the attacks that are not among the finished. examples: of these, none of their arrays if there are none.
    """
    tables, rows = (finished.table, fresh.table), [np.full(len(t), -1) for t in (finished.table, fresh.table)]
    parts: list[pd.DataFrame] = []
    for seed in attacked.seeds:
        for attack in tried:
            of = 0 if attack in finished.attacks else 1
            own = tables[of][(tables[of]["seed"] == seed) & _is_of(tables[of], attack)]
            start = sum(map(len, parts))
            rows[of][own.index] = np.arange(start, start + len(own))
            parts.append(own)
    table = pd.concat(parts, ignore_index=True)
    successes = _successes((finished.successes, fresh.successes), rows, attacked.pairs)
    places = [(0 if attack in finished.attacks else 1, attack) for attack in tried]
    shown = [
        ((finished.examples, examples)[of], attack) for of, attack in places if attack.objective in ("y", "scaled")
    ]
    joined_examples = {
        name: np.array([each[name][_place(each, attack)] for each, attack in shown])
        for name in finished.examples
        if name != "target"  # which is of the columns, the same in both
    } | {name: array for name, array in finished.examples.items() if name == "target"}
    return Outcome(table, fresh.images, successes), joined_examples


def _is_of(table: pd.DataFrame, attack: Attack) -> pd.Series:
    """Which trials are of an attack."""
    alphas = table["objective_alpha"]
    same = alphas.isna() if attack.alpha is None else alphas == attack.alpha
    return (table["objective"] == attack.objective) & same


def _place(examples: Arrays, attack: Attack) -> int:
    """Where the examples of an attack stand."""
    same = examples["objective"] == attack.objective
    return int(np.flatnonzero(same if attack.alpha is None else same & (examples["alpha"] == attack.alpha))[0])


def _successes(both: Sequence[Arrays], rows: Sequence[np.ndarray], pairs: Sequence[Pair]) -> Arrays:
    """The images that fooled, by pair and trial. rows: the new row of each trial of either, −1 where it is left out."""
    kept = []
    for arrays, new in zip(both, rows, strict=True):
        stays = new[arrays["trial"]] >= 0
        kept.append({name: array[stays] for name, array in (arrays | {"trial": new[arrays["trial"]]}).items()})
    successes = {name: np.concatenate([arrays[name] for arrays in kept]) for name in kept[0]}
    pair = [pairs.index(each) for each in zip(successes["tau"].tolist(), successes["alpha"].tolist(), strict=True)]
    order = np.lexsort((successes["trial"], np.array(pair, dtype=int)))
    return {name: array[order] for name, array in successes.items()}
