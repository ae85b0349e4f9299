"""What `explore_linear` makes of its classifiers: rows, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from overgen.data import Dataset, pictures
from overgen.run.results import metric, over_classes_row, rate_row

Arrays = Mapping[str, np.ndarray]


def cell(
    decays: Mapping[float, Arrays],
    kinds: Mapping[str, Tensor],
    dataset: Dataset,
    settings: Any,
    taus: Sequence[float],
) -> tuple[list[dict[str, Any]], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """The rows, tables and examples of the cell.

    decays: what the stage's `fitted` gives of each inverse decay; kinds: the images that were shown; settings: the
    section of params.yaml; taus: thresholds.
    """
    rows: list[dict[str, Any]] = []
    for i, (decay, arrays) in enumerate(decays.items()):
        rows += classifier_rows(arrays, kinds, settings.classes, taus, c=None if i == 0 else decay)
    arrays = next(iter(decays.values()))
    known = [str(label) for label in settings.classes]
    noise = [kind for kind in kinds if not kind.isdigit()]
    tables = {
        "images": images_table(arrays, kinds, dataset, known, taus),
        "points": points(arrays, [*known, str(settings.third), *noise], settings.shown),
        "plane": pd.DataFrame({"norm": [float(np.linalg.norm(arrays["weight"]))]}),
    }
    return rows, tables, examples(arrays, kinds, [*known, str(settings.third), *noise])


def classifier_rows(
    arrays: Arrays, kinds: Mapping[str, Tensor], classes: Sequence[int], taus: Sequence[float], *, c: float | None
) -> list[dict[str, Any]]:
    """The numbers of one classifier. c: its inverse decay, None for the first, which is the study's."""
    first, second = (str(label) for label in classes)
    right = int((arrays[f"{first}.distance"] <= 0).sum() + (arrays[f"{second}.distance"] > 0).sum())
    count = len(arrays[f"{first}.distance"]) + len(arrays[f"{second}.distance"])
    rows = [rate_row("linear", metric("accuracy", c=c), [right], count, of="test images")]
    others = [kind for kind in kinds if kind.isdigit() and kind not in (first, second)]
    labels = pd.Series(np.repeat(others, [len(arrays[f"{kind}.score"]) for kind in others]))
    scores = pd.Series(np.concatenate([arrays[f"{kind}.score"] for kind in others]))
    for tau in taus:
        rows.append(over_classes_row("linear", metric("sure", on="other-class", c=c), scores > tau, labels, tau=tau))
        for kind in kinds:
            if not kind.isdigit():
                hits = int((arrays[f"{kind}.score"] > tau).sum())
                name = metric("sure", on=kind, c=c)
                rows.append(rate_row("linear", name, [hits], len(arrays[f"{kind}.score"]), of="images", tau=tau))
    return rows


def images_table(
    arrays: Arrays, kinds: Mapping[str, Tensor], dataset: Dataset, known: Sequence[str], taus: Sequence[float]
) -> pd.DataFrame:
    """A row a kind and τ: how many of its images get y > τ, and how many of those as the second class."""
    rows = []
    for kind in kinds:
        group = "known" if kind in known else "other" if kind.isdigit() else "noise"
        name = dataset.classes[int(kind)] if kind.isdigit() else kind
        for tau in taus:
            sure = arrays[f"{kind}.score"] > tau
            second = int((sure & (arrays[f"{kind}.distance"] > 0)).sum())
            rows.append((group, kind, name, tau, len(sure), int(sure.sum()), second))
    return pd.DataFrame(rows, columns=["group", "kind", "name", "tau", "images", "sure", "second"])


def points(arrays: Arrays, kinds: Sequence[str], count: int) -> pd.DataFrame:
    """The first images of some kinds in the plane: kind, distance from the boundary, height, in pixels."""
    tables = [
        pd.DataFrame(
            {"kind": kind, **{name: arrays[f"{kind}.{name}"][:count].round(4) for name in ("distance", "height")}}
        )
        for kind in kinds
    ]
    return pd.concat(tables, ignore_index=True)


def examples(arrays: Arrays, kinds: Mapping[str, Tensor], shown: Sequence[str]) -> dict[str, np.ndarray]:
    """The image of each kind whose distance from the boundary is the kind's median: (P, H, W), 8 bits.

    Beside it kind (P,), distance, height and score (P,).
    """
    places = []
    for kind in shown:
        order = np.argsort(arrays[f"{kind}.distance"], kind="stable")
        places.append(int(order[len(order) // 2]))
    images = [pictures(kinds[kind][i]) for kind, i in zip(shown, places, strict=True)]
    of = {
        name: np.array([arrays[f"{kind}.{name}"][i] for kind, i in zip(shown, places, strict=True)])
        for name in ("distance", "height", "score")
    }
    return {"kind": np.array(shown), "image": np.stack(images)} | of
