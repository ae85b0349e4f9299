"""Classifiers of scikit-learn, which come as pickles."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from overgen import OvergenError
from overgen.models.adopted.inputs import Input
from overgen.models.adopted.opening import Opened
from overgen.models.adopted.programs import black_box
from overgen.models.adopted.state import PICKLE

SUFFIXES = (".joblib", ".pkl", ".pickle")


def estimator(path: Path, *, unsafe: bool) -> Opened:
    """A classifier with `predict_proba`, on the pixels of images in a row: a black box.

    unsafe: read the pickle, which can run any code.
    Raises OvergenError without `unsafe`, for a file that cannot be read, and for what gives no probabilities.
    """
    if not path.is_file():
        raise OvergenError(f"{path}: missing")
    if not unsafe:
        raise OvergenError(f"{path}: {PICKLE.partition('; better')[0]}; better, write it as ONNX")
    import joblib

    try:
        held: Any = joblib.load(path)
    except Exception as error:  # whatever the pickle's own code raises
        raise OvergenError(f"{path}: cannot be read ({type(error).__name__}: {error})") from error
    if not hasattr(held, "predict_proba"):
        raise OvergenError(
            f"{path}: a {type(held).__name__} has no predict_proba, which gives probabilities of classes"
        )
    classes = [label.item() if isinstance(label, np.generic) else label for label in held.classes_]
    numbered = classes == list(range(len(classes)))
    return Opened(
        black_box(held.predict_proba),
        "estimator",
        input=Input(layout="flat"),
        shape=_square(int(held.n_features_in_)) if hasattr(held, "n_features_in_") else None,
        outputs="probabilities",
        class_names=None if numbered else tuple(map(str, classes)),
        files=(path,),
    )


def _square(features: int) -> tuple[int, int, int] | None:
    """The shape of square images with that many pixels, gray or of three colours; None if there is no such."""
    for channels in (1, 3):
        side = math.isqrt(features // channels)
        if channels * side * side == features:
            return (channels, side, side)
    return None
