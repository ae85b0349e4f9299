"""Scores by name, fitted on training images and asked of others: what every stage does that judges by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError
from overgen.measures.outputs import scaled_scores
from overgen.run import progress
from overgen.scores import methods
from overgen.scores.names import OF_OUTPUTS, label
from overgen.scores.views import negatives

See = Callable[[Tensor, set[str]], dict[str, np.ndarray]]  # of images, the views that are wanted: (N, D) each


def fitted_scores(
    names: Sequence[str],
    see: See,
    images: Mapping[str, Tensor],
    fit: Tensor,
    labels: np.ndarray,
    draws: torch.Generator,
    answers: np.ndarray,
    *,
    options: Mapping[str, Any],
    fit_images: int,
    refused: Callable[[str, str], None] | None = None,
) -> dict[str, np.ndarray]:
    """`<method>.<part>` of the scores that are fitted, (N,) each; and `<method>.predicted` of the test images.

    names: of methods, as in params.yaml; see: what these judge.
    images: by part, (N, C, H, W) uint8, one of them "test".
    fit, labels: training images (N, C, H, W), in random order, and their classes; draws: the stream of negatives.
    answers: (N,) the network's classes of the test images, for scores that decide on none.
    options: as of `methods.options_on`; fit_images: how many a costly method is fitted on.
    refused: is told the method and why, where one cannot be fitted on these images; without it that is an OvergenError,
    as is a score that is NaN or of another shape.
    """
    about = {name: methods.described(name) for name in names}
    fitted_on = {"": fit}  # and the negatives, by pool
    for pool in sorted({score.pool for score in about.values()} - {""}):
        fitted_on[pool] = negatives(pool, fit, draws)
    judged = {kind: see(x, {score.view for score in about.values()}) for kind, x in images.items()}
    learnt = {
        pool: see(x, {score.view for score in about.values() if pool in ("", score.pool)})
        for pool, x in fitted_on.items()
    }
    scores: dict[str, np.ndarray] = {}
    for name in progress.steps(names, "method"):
        view, pool = about[name].view, about[name].pool
        count = fit_images if about[name].costly else len(fit)
        pooled = {"negatives": learnt[pool][view]} if pool else {}
        try:
            score = methods.make(name, options).fit(learnt[""][view][:count], labels[:count], **pooled)
        except ValueError as error:
            if refused is None:
                raise OvergenError(f"score {name}, fitted on {min(count, len(fit))} images: {error}") from error
            refused(label(name), str(error))
            continue
        for kind, x in judged.items():
            scores[f"{label(name)}.{kind}"] = _checked(name, score.score(x[view]), len(images[kind]))
        predicts = hasattr(score, "predict")
        scores[f"{label(name)}.predicted"] = score.predict(judged["test"][view]) if predicts else answers
    return scores


def _checked(name: str, scores: Any, count: int) -> np.ndarray:
    """A method's scores. Raises OvergenError unless they are one number an image and none is NaN."""
    scores = np.asarray(scores)
    if scores.shape != (count,) or not np.issubdtype(scores.dtype, np.floating):
        raise OvergenError(f"score {name}: gave {scores.dtype} {scores.shape} of {count} images, not ({count},) floats")
    if np.isnan(scores).any():
        raise OvergenError(f"score {name}: gave NaN for image {int(np.isnan(scores).argmax())} of {count}")
    return scores


def output_scores(
    names: Sequence[str], confidence: Any, outputs: Mapping[str, dict[str, np.ndarray]], answers: np.ndarray
) -> dict[str, np.ndarray]:
    """`<method>.<part>` of ỹ and c̃ at each α. Without a reconstruction there is one ỹ, and no c̃.

    confidence: the section of params.yaml; outputs: `image_outputs` by part, (1, N, ...) each; answers: (N,) classes.
    """
    if "distance" in outputs["test"]:
        alphas = sorted({threshold.alpha for threshold in confidence.thresholds})
        labelled = [(f"{name}_alpha{alpha:g}", alpha) for name in OF_OUTPUTS if name in names for alpha in alphas]
    else:
        labelled = [("scaled_output", 0.0)] if "scaled_output" in names else []
    scores: dict[str, np.ndarray] = {}
    for name, alpha in labelled:
        for kind, values in outputs.items():
            log_scaled = scaled_scores(values, 0, alpha=alpha, beta=confidence.beta)
            if name.startswith("confidence"):  # log c̃ = log ỹ − log y
                log_scaled = log_scaled - values["log_y"][0]
            scores[f"{name}.{kind}"] = log_scaled.max(1)
        scores[f"{name}.predicted"] = answers
    return scores
