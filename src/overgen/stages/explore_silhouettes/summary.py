"""What `explore_silhouettes` makes of outputs: its table, the rows of its cell, and images to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overgen.data.letters import LETTERS, LOOKALIKES
from overgen.measures import metrics
from overgen.measures.groups import share_row
from overgen.measures.means import mean_row
from overgen.measures.outputs import part, scaled_scores
from overgen.run import results

EXPERIMENT = "silhouettes"
UNLIKE = "letters_unlike"  # those that no reader takes for a digit
SHOWN_LETTERS = "AEFHKMRTWX"  # ten of them

Outputs = dict[str, np.ndarray]  # `<part>.<output>`, (N, ...) each
Pairs = list[tuple[float, float]]  # (τ, α)


class Kind(NamedTuple):
    """Images (N, 28, 28) uint8; their group, (N,), a number in names; names of the groups."""

    images: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]


def cell(
    outputs: Mapping[str, Outputs], kinds: Mapping[str, Kind], beta: float, pairs_of: Callable[[bool], Pairs]
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """The rows, the table and the examples of the cell.

    outputs: by network, of the parts known and the kinds; beta: β of Γ; pairs_of: (τ, α) of a network that does or does
    not reconstruct.
    """
    rows, table = [], []
    shown = {kind: first_of_each(of, kind) for kind, of in kinds.items()}
    answers, scores, models = [], [], []
    for model, arrays in outputs.items():
        pairs = pairs_of("known.distance" in arrays)
        for kind, of in kinds.items():
            known, unknown = part(arrays, "known"), part(arrays, kind)
            for name, measures in scores_of(known, unknown, pairs, beta).items():
                rows += area_rows(model, kind, name, *measures, of)
            if "log_y" not in unknown:
                continue
            accepted = accepted_by(unknown, pairs, beta)
            rows += [row for key, hits in accepted.items() for row in accepted_rows(model, kind, key, hits, of)]
            table += group_rows(model, kind, unknown["log_y"].argmax(1), accepted, of)
        if "known.log_y" in arrays:
            models.append(model)
            of_shown = [(part(arrays, kind), places) for kind, places in shown.items()]
            answers.append(np.concatenate([unknown["log_y"].argmax(1)[i] for unknown, i in of_shown]))
            sure = [np.exp(scaled(unknown, strictest(pairs), beta)[i]) for unknown, i in of_shown]
            scores.append(np.concatenate(sure))
    examples = {
        "image": np.concatenate([kinds[kind].images[places] for kind, places in shown.items()]),
        "kind": np.array([kind for kind, places in shown.items() for _ in places]),
        "name": np.array([kinds[kind].names[kinds[kind].groups[i]] for kind, places in shown.items() for i in places]),
        "model": np.array(models),
        "answer": np.array(answers),
        "score": np.array(scores),
    }
    return rows, {"groups": pd.DataFrame(table)}, examples


def scaled(outputs: Outputs, pair: tuple[float, float], beta: float) -> np.ndarray:
    """The largest log ỹ of each image at the α of a pair, (N,); without a reconstruction ỹ = y."""
    stacked = {name: array[None] for name, array in outputs.items()}
    return scaled_scores(stacked, 0, alpha=pair[1], beta=beta).max(1)


def strictest(pairs: Pairs) -> tuple[float, float]:
    """The largest τ with its first α, which is the paper's."""
    return next(pair for pair in pairs if pair[0] == max(tau for tau, _ in pairs))


def scores_of(known: Outputs, unknown: Outputs, pairs: Pairs, beta: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What tells known from unknown, larger = known: of both sides, by score. ỹ at the α of the paper's largest τ."""
    found = {}
    if "log_y" in known:
        found["y"] = known["log_y"].max(1), unknown["log_y"].max(1)
        if "distance" in known:
            found["scaled"] = scaled(known, strictest(pairs), beta), scaled(unknown, strictest(pairs), beta)
    if "nearest" in known:
        found["nearest"] = known["nearest"], unknown["nearest"]
    if "distance" in known:
        found["reconstruction"] = -known["distance"], -unknown["distance"]
    return found


def accepted_by(unknown: Outputs, pairs: Pairs, beta: float) -> dict[tuple[str, float, float | None], np.ndarray]:
    """Whether images get a score above τ, (N,) bool, by score, τ and, where it is not the paper's, α."""
    accepted: dict[tuple[str, float, float | None], np.ndarray] = {}
    for tau, alpha in pairs:
        paper = next(pair for pair in pairs if pair[0] == tau) == (tau, alpha)
        accepted["y", tau, None] = unknown["log_y"].max(1) > np.log(tau)
        accepted["scaled", tau, None if paper else alpha] = scaled(unknown, (tau, alpha), beta) > np.log(tau)
    return accepted


def parts_of(kind: str, of: Kind) -> dict[str, np.ndarray]:
    """The kind and, of letters, those that look like no digit: the groups that are in."""
    everyone = np.arange(len(of.names))
    if kind != "letters":
        return {kind: everyone}
    return {kind: everyone, UNLIKE: np.array([i for i in everyone if of.names[i] not in LOOKALIKES])}


def accepted_rows(
    model: str, kind: str, key: tuple[str, float, float | None], hits: np.ndarray, of: Kind
) -> list[dict[str, Any]]:
    """The mean over animals or letters of the share that is accepted."""
    score, tau, alpha = key
    rows = []
    for name, groups in parts_of(kind, of).items():
        inside = np.isin(of.groups, groups)
        metric = results.metric("accepted", kind=name, score=score, alpha=alpha)
        rows.append(
            share_row(EXPERIMENT, metric, hits[inside], of.groups[inside], over=over(kind), model=model, tau=tau)
        )
    return rows


def area_rows(
    model: str, kind: str, score: str, known: np.ndarray, unknown: np.ndarray, of: Kind
) -> list[dict[str, Any]]:
    """AUROC of test images against each animal or letter, the mean over them with its t interval."""
    areas = np.array([metrics.auroc(known, unknown[of.groups == group]) for group in range(len(of.names))])
    return [
        mean_row(EXPERIMENT, results.metric("auroc", kind=name, score=score), areas[groups], unit="fraction",
                 over=over(kind), bounds=(0, 1)) | {"model": model}
        for name, groups in parts_of(kind, of).items()
    ]  # fmt: skip


def group_rows(
    model: str, kind: str, answers: np.ndarray, accepted: Mapping[tuple[str, float, float | None], np.ndarray], of: Kind
) -> list[dict[str, Any]]:
    """A row an animal or letter: the shares above each τ, the commonest answer and its share."""
    rows = []
    for group, name in enumerate(of.names):
        inside = of.groups == group
        counts = np.bincount(answers[inside])
        row = {"model": model, "kind": kind, "name": name, "images": int(inside.sum()), "answer": int(counts.argmax()),
               "answer_share": float(counts.max() / inside.sum())}  # fmt: skip
        row |= {f"{score}_{tau:g}" + ("" if alpha is None else f"_alpha{alpha:g}"): float(hits[inside].mean())
                for (score, tau, alpha), hits in accepted.items()}  # fmt: skip
        rows.append(row)
    return rows


def first_of_each(of: Kind, kind: str) -> list[int]:
    """Where the first image of each animal stands, or of ten letters."""
    wanted: Sequence[str] = SHOWN_LETTERS if kind == "letters" else of.names
    return [int(np.argmax(of.groups == of.names.index(name))) for name in wanted]


def over(kind: str) -> str:
    return "letters" if kind in ("letters", UNLIKE) else kind


UNLIKE_LETTERS = "".join(letter for letter in LETTERS if letter not in LOOKALIKES)
