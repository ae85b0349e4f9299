"""The scores of one member of the open-set study: what is judged, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import data
from overgen.data.unknowns import shuffled, uniform_images
from overgen.measures.outputs import image_outputs, scaled_scores
from overgen.models import registry
from overgen.run import progress
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores import methods
from overgen.scores.names import FITTED, OF_OUTPUTS
from overgen.scores.views import held_out, negatives, views


def option(stage: Stage, name: str) -> Any:
    """An option of the section `evaluate_scores`."""
    return stage.params(f"evaluate_scores.{name}")


def scores_of(
    stage: Stage, path: Path, outputs: dict[str, np.ndarray], further: dict[str, Tensor], names: list[str]
) -> dict[str, np.ndarray]:
    """The scores of one member: `<method>.<part>`, (N,) each.

    path: of its weights; outputs: its stored arrays, (1, ...) each; further: of `further_images`.
    names: of the methods.
    The parts are held_out, test and the kinds of `summary.KINDS` that there are: scores, larger = more in-distribution;
    and predicted: the class of each test image.
    """
    dataset, confidence = data.load(stage.item["dataset"]), stage.params(f"confidence.{stage.item['dataset']}")
    chunk, probes = (stage.params(f"engine.{dataset.name}.{name}") for name in ("chunk", "probes"))
    known = np.flatnonzero(outputs["known"][0]).tolist()
    network, _ = registry.of_model(path, dataset.name, stage.item["model"], device=stage.device, known=known)
    draws = generator("scores", dataset.name, *known)
    fit, left_out = held_out(dataset.train_labels, known, draws, option(stage, "held_out"))
    images = {"held_out": dataset.train_images[left_out], "test": dataset.test_images}
    images |= unknown_images(dataset, known, dataset.train_images[fit], draws, option(stage, "noise_images"))
    images |= further
    answers = outputs["log_y"][0].argmax(1)
    scores = fitted_scores(stage, network, [name for name in names if name in FITTED], images, fit, draws, answers)
    if set(names) & set(OF_OUTPUTS):
        stored = {"test": outputs}
        for kind, x in images.items():
            if kind == "test":  # its outputs are stored
                continue
            values = image_outputs(network, x.to(stage.device), chunk=chunk, probes=probes)
            stored[kind] = {name: array[None] for name, array in values.items()}
        scores |= output_scores(names, confidence, stored, answers)
    return scores


def unknown_images(
    dataset: data.Dataset, known: Sequence[int], fitted: Tensor, draws: torch.Generator, count: int
) -> dict[str, Tensor]:
    """Images of no class, by kind: uniform noise, normal noise, and test images of known classes with shuffled pixels.

    known: the known classes; fitted: images (N, C, H, W) uint8, whose mean and deviation the normal noise has.
    Returns (count, C, H, W) uint8 each.
    """
    uniform = uniform_images(count, dataset.shape, draws)
    pixels = fitted.float()
    normal = torch.randn(uniform.shape, generator=draws) * pixels.std() + pixels.mean()
    place = torch.isin(dataset.test_labels, torch.tensor(known)).nonzero()[:, 0]
    chosen = place[torch.randint(len(place), (count,), generator=draws)]
    return {
        "uniform": uniform,
        "normal": normal.round().clamp(0, 255).byte(),
        "shuffled": shuffled(dataset.test_images[chosen], draws),
    }


def fitted_scores(
    stage: Stage,
    network: nn.Module,
    names: list[str],
    images: dict[str, Tensor],
    fit: Tensor,
    draws: torch.Generator,
    answers: np.ndarray,
) -> dict[str, np.ndarray]:
    """`<method>.<part>` of the scores that are fitted.

    names: of `FITTED`; images: by part, (N, C, H, W) uint8; fit: indices of training images, in random order.
    answers: (N,) the network's classes of the test images, for scores that decide on none.
    """
    dataset = data.load(stage.item["dataset"])
    chunk = stage.params(f"engine.{dataset.name}.chunk")

    def seen(x: Tensor, pool: str | None = None) -> dict[str, np.ndarray]:
        wanted = {FITTED[name].view for name in names if pool in (None, FITTED[name].pool)}
        return views(network, x.to(stage.device), wanted, chunk=chunk)

    fitted_on = {"": dataset.train_images[fit]}  # and the negatives, by pool
    for pool in sorted({FITTED[name].pool for name in names} - {""}):
        fitted_on[pool] = negatives(pool, fitted_on[""], draws)
    judged = {kind: seen(x) for kind, x in images.items()}
    learnt = {pool: seen(x, pool or None) for pool, x in fitted_on.items()}
    labels = dataset.train_labels[fit].numpy()
    values = methods.options_on(dataset.name, partial(option, stage))
    scores: dict[str, np.ndarray] = {}
    for name in progress.steps(names, "method"):
        view, pool = FITTED[name].view, FITTED[name].pool
        count = option(stage, "fit_images") if FITTED[name].costly else len(fit)
        pooled = {"negatives": learnt[pool][view]} if pool else {}
        score = methods.make(name, values).fit(learnt[""][view][:count], labels[:count], **pooled)
        scores |= {f"{name}.{kind}": score.score(x[view]) for kind, x in judged.items()}
        scores[f"{name}.predicted"] = score.predict(judged["test"][view]) if hasattr(score, "predict") else answers
    return scores


def output_scores(
    names: list[str], confidence: Any, outputs: dict[str, dict[str, np.ndarray]], answers: np.ndarray
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
