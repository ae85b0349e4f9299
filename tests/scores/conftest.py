"""Real digits, and scores fitted to six classes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from scores_of_digits import KNOWN, SCORES, fit


@pytest.fixture(scope="session")
def digits() -> dict[str, Any]:
    """Digits 0..5 to be fitted on, and images of them and of 6..9 to be scored: pixels, and logits of a classifier."""
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / 16
    train = np.arange(len(labels)) % 2 == 0
    mine = labels < KNOWN
    classifier = LogisticRegression(max_iter=200).fit(pixels[train & mine], labels[train & mine])

    def views(chosen: np.ndarray) -> dict[bool, np.ndarray]:
        return {False: pixels[chosen], True: classifier.decision_function(pixels[chosen])}

    return {
        "train": views(train & mine),
        "labels": labels[train & mine],
        "known": views(~train & mine),
        "known_labels": labels[~train & mine],
        "unknown": views(~train & ~mine),
    }


class Fitted(dict[str, Any]):
    """The scores by name, each fitted when it is first asked for."""

    def __init__(self, digits: dict[str, Any]) -> None:
        super().__init__()
        self.digits = digits

    def __missing__(self, name: str) -> Any:
        make, logits = SCORES[name]
        self[name] = fit(make(), self.digits["train"][logits], self.digits["labels"])
        return self[name]


@pytest.fixture(scope="session")
def fitted(digits: dict[str, Any]) -> Fitted:
    return Fitted(digits)
