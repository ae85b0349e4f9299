"""What `explore_clutter` makes of outputs: its tables, the rows of its cell, and pictures to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from overgen.measures.groups import share_row
from overgen.measures.outputs import part, scaled_scores
from overgen.run import results

EXPERIMENT = "clutter"
SCENES = ("whole", "true", "found")  # ways to see a picture of one object
CANVASES = ("whole", "places", "true", "found")  # and a canvas of several
SHOWN = 6  # pictures among the examples

Arrays = dict[str, np.ndarray]
Pairs = list[tuple[float, float]]  # (τ, α)


def cell(
    outputs: Mapping[str, Arrays],
    made: Arrays,
    strengths: Sequence[float],
    objects: Sequence[int],
    beta: float,
    pairs_of: Callable[[bool], Pairs],
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame], Arrays]:
    """The rows, the tables and the examples of the cell.

    outputs: by network, `<picture>.<output>`; made: the pictures, see `run.pictures`; beta: β of Γ; pairs_of: (τ, α)
    of a network that does or does not reconstruct.
    """
    rows, scenes, canvases, said = [], [], [], {}
    labels = made["labels"]
    for model, arrays in outputs.items():
        for way in SCENES:
            for strength in strengths:
                seen = part(arrays, f"scene.{way}.{strength:g}")
                pairs = pairs_of("distance" in seen)
                of: dict[str, Any] = {"view": way, "strength": strength}
                answers = seen["log_y"].argmax(1)
                found: dict[tuple[str, float | None], np.ndarray] = {("right", None): answers == labels}
                for tau, alpha in firsts(pairs):
                    scores = scaled(seen, alpha, beta)
                    sure = scores.max(1) > np.log(tau)
                    found |= {("accepted_right", tau): sure & (answers == labels), ("accepted", tau): sure}
                    if strength == strengths[-1] and tau == pairs[0][0]:
                        said[model, way] = answers, np.exp(scores.max(1))
                for (metric, at), hits in found.items():
                    rows.append(
                        share_row(EXPERIMENT, results.metric(metric, **of), hits, labels, over="classes", model=model,
                                  tau=at)
                    )  # fmt: skip
                    scenes += [{"model": model, **of, "measure": metric, "tau": at, "class": int(c),
                                "images": int((labels == c).sum()), "share": float(hits[labels == c].mean())}
                               for c in np.unique(labels)]  # fmt: skip
        for way in CANVASES:
            for count in objects:
                wanted = made[f"labels.{count}"]
                seen = part(arrays, f"canvas.{way}.{count}")
                scores = np.exp(scaled(seen, pairs_of("distance" in seen)[0][1], beta))
                hits = objects_found(scores.reshape(len(wanted), -1, scores.shape[1]).sum(1), wanted)
                of = {"view": way, "objects": count}
                rows.append(
                    share_row(EXPERIMENT, results.metric("objects_found", **of), hits.ravel(), wanted.ravel(),
                              over="classes", model=model)
                )  # fmt: skip
                canvases += [{"model": model, **of, "class": int(c), "shown": int((wanted == c).sum()),
                              "share": float(hits[wanted == c].mean())} for c in np.unique(wanted)]  # fmt: skip
    tables = {"scenes": pd.DataFrame(scenes), "canvases": pd.DataFrame(canvases)}
    return rows, tables, examples(made, strengths[-1], said)


def firsts(pairs: Pairs) -> Pairs:
    """Each τ with its first α, which is the paper's."""
    return list({tau: (tau, alpha) for tau, alpha in reversed(pairs)}.values())[::-1]


def scaled(seen: Arrays, alpha: float, beta: float) -> np.ndarray:
    """log ỹ of each image and class, (N, K)."""
    return scaled_scores({name: array[None] for name, array in seen.items()}, 0, alpha=alpha, beta=beta)


def objects_found(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which objects of canvases are among their best classes.

    scores: (M, K) of each class; labels: (M, n) of the n objects, of which several may be of one class. As many classes
    are answered as there are different ones. Returns (M, n) bool.
    """
    found = np.zeros(labels.shape, bool)
    for i, (of_classes, wanted) in enumerate(zip(scores, labels, strict=True)):
        best = np.argsort(-of_classes, kind="stable")[: len(set(wanted.tolist()))]
        found[i] = np.isin(wanted, best)
    return found


def examples(made: Arrays, strength: float, said: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]) -> Arrays:
    """The first picture of some classes in each way, masks, and the networks' answers with ỹ at their first (τ, α)."""
    labels = made["labels"]
    places = np.array([int(np.argmax(labels == c)) for c in np.unique(labels)[:SHOWN]])
    shown: Arrays = {way: made[f"scene.{way}.{strength:g}"][places, 0] for way in SCENES}
    shown |= {"mask": made[f"mask.{strength:g}"][places], "labels": labels[places]}
    for (model, way), (answers, scores) in said.items():
        shown |= {f"{model}.{way}.answer": answers[places], f"{model}.{way}.score": scores[places]}
    return shown
