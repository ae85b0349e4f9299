"""Known from unknown by any trained network: every score that applies, against images of no class.

    python -m overgen.run evaluate_unknowns --dataset mnist --model cnn

The network knows all classes of its data set. Known are test images; unknown the kinds of `overgen.data.unknowns`, test
images of other data sets of the same shape, images that fooled, and a file of one's own. Every network is judged by the
same methods, as far as they apply: a black box has no features, and where there is no logit for each class, methods of
logits judge log y instead, but for those for which the size of logits counts. Scores are fitted on labelled training
images of all classes; no method sees an unknown of any kind, but for an "other" class, which has negatives of its own.

Reads: data/<dataset>; models/<dataset>/networks/<model>/ (the first seed); the images of the cell of `collect_fooling`,
if there is one; test images of the data sets, and the file, that params.yaml names.
Writes the cell: trials.csv, a row a method and kind; examples.npz, images of each kind; and means over the kinds.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.data import borrow, unknowns
from overgen.measures.outputs import image_outputs
from overgen.models import features, registry
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores import methods
from overgen.scores.arrays import log_sum_exp
from overgen.scores.fitting import fitted_scores, output_scores
from overgen.scores.names import OF_OUTPUTS, OF_SIZE, label
from overgen.scores.views import held_out, views
from overgen.stages.evaluate_unknowns import summary

SAME = 1e-3  # of Σ y from 1, up to which y is a softmax


def main(stage: Stage) -> None:
    """Write the cell."""
    own = stage.params("evaluate_unknowns").own.get(stage.item["dataset"])
    name = "judged" if own is None else f"judged-{unknowns.digest(own)}"  # another file is another result
    judged = stage.members([name], lambda i, run: scores_of(stage))
    if stage.rank == 0:
        settings, dataset = stage.params("evaluate_unknowns"), data.load(stage.item["dataset"])
        kinds, _, known = images_of(stage, dataset)
        arrays = {name: array for name, array in judged[0].items() if name != "refused"}
        refused = dict(np.reshape(judged[0]["refused"], (-1, 2)).tolist())
        keep = stage.params("evaluate_scores.keep")
        rows, trials = summary.cell(arrays, dataset.test_labels[known].numpy(), list(kinds), refused, keep)
        _, metadata = registry.trained(dataset.name, stage.item["model"])
        budget = {
            f"evaluate_unknowns.{name}": getattr(settings, name) for name in ("known_images", "images", "fitted_images")
        }
        budget["evaluate_scores.fit_images"] = stage.params("evaluate_scores.fit_images")
        examples = summary.examples({kind: data.pictures(images) for kind, images in kinds.items()})
        results.write(
            stage.cell, budget=metadata["budget"] | budget, metrics=rows, tables={"trials": trials}, examples=examples
        )


def scores_of(stage: Stage) -> dict[str, np.ndarray]:
    """`<method>.<part>` of every method that applies, (N,) each, and `refused`: (R, 2) method and why it does not.

    Parts: test, held_out (training images that no method is fitted on), the kinds, and predicted, the class of each
    test image.
    """
    dataset = data.load(stage.item["dataset"])
    chunk, probes = (stage.params(f"engine.{dataset.name}.{name}") for name in ("chunk", "probes"))
    network, _ = registry.trained(dataset.name, stage.item["model"], device=stage.device)
    kinds, (fit, left_out), known = images_of(stage, dataset)
    images = {"held_out": dataset.train_images[left_out]} if len(left_out) else {}
    images |= {"test": dataset.test_images[known], **kinds}
    answers = log_y_of(network, images["test"].to(stage.device), chunk).argmax(1)
    refused: dict[str, str] = {}
    some_images = images["test"][:chunk].to(stage.device)
    logits = logits_of(network, data.floats(some_images))
    names = applicable(stage, network, logits, len(fit), some_images, refused)
    see = partial(seen, network, logits, stage.device, chunk)
    draws = generator("unknowns", dataset.name, "negatives")
    plain = [name for name in names if name not in OF_OUTPUTS and not methods.described(name).learns]
    learning = [name for name in names if name not in OF_OUTPUTS and methods.described(name).learns]
    options = methods.options_on(dataset.name, lambda name: stage.params(f"evaluate_scores.{name}"))
    scores: dict[str, np.ndarray] = {}
    for chosen, on, labels in (
        (plain, images["test"][:1], answers[:1]),  # they take the number of columns from it
        (learning, dataset.train_images[fit], dataset.train_labels[fit].numpy()),
    ):
        if chosen:
            scores |= fitted_scores(
                chosen, see, images, on, labels, draws, answers, options=options, refused=refused.__setitem__,
                fit_images=stage.params("evaluate_scores.fit_images"),
            )  # fmt: skip
    if set(names) & set(OF_OUTPUTS):
        outputs = {
            kind: {name: array[None] for name, array in
                   image_outputs(network, x.to(stage.device), chunk=chunk, probes=probes).items()}
            for kind, x in images.items()
        }  # fmt: skip
        scores |= output_scores(names, stage.params(f"confidence.{dataset.name}"), outputs, answers)
    return scores | {"refused": np.array(list(refused.items()), str), "network.predicted": answers}


def applicable(
    stage: Stage, network: nn.Module, logits: str, fitted: int, x: Tensor, refused: dict[str, str]
) -> list[str]:
    """The methods that apply to a network; the others go to `refused`, by what they are called, with the reason.

    logits: where they are, of `logits_of`; fitted: how many labelled training images there are; x: some images
    (N, C, H, W) uint8, on the network's device.
    """
    settings = stage.params("evaluate_unknowns")
    asked = [*settings.methods, *settings.once.get(stage.item["model"], [])]
    with torch.no_grad():
        output = network(data.floats(x))
        hidden, _ = features.seen(network, data.floats(x))
    log_y = output.log_y.double().cpu().numpy()
    a_softmax = bool(np.abs(log_sum_exp(log_y)).max() < SAME)
    names = []
    for name in asked:
        if name in OF_OUTPUTS:
            if output.reconstruction is None and name == "confidence":
                refused[name] = "no reconstruction: there is no c̃"
                continue
            if output.reconstruction is None and a_softmax:
                refused[name] = "no reconstruction, and y is a softmax: ỹ is softmax"
                continue
        else:
            about = methods.described(name)
            if about.view == "features" and hidden is None:
                refused[label(name)] = "no features: a black box, or a program without layers to look into"
                continue
            if name in OF_SIZE and logits == "log_y":
                refused[label(name)] = "no logit for each class: log y alone is known, whose size says nothing more"
                continue
            if about.learns and fitted < settings.least:
                refused[label(name)] = f"{fitted} labelled images to be fitted on, fewer than {settings.least}"
                continue
        names.append(name)
    return names


def images_of(stage: Stage, dataset: data.Dataset) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor], Tensor]:
    """Unknown images by kind, (N, C, H, W) uint8 each; the training images to fit on and to hold out; the known ones.

    The last three are indices: of training images in random order, and of test images.
    """
    settings, name = stage.params("evaluate_unknowns"), dataset.name
    count = len(dataset.test_images)
    known = torch.randperm(count, generator=generator("unknowns", name, "known"))[: settings.known_images].sort().values
    draws = generator("unknowns", name, "fit")
    classes = range(len(dataset.classes))
    fit, left_out = held_out(dataset.train_labels, classes, draws, stage.params("evaluate_scores.held_out"))
    fit = fit[: settings.fitted_images]
    streams = {kind: generator("unknowns", name, kind) for kind in unknowns.KINDS}
    kinds = unknowns.generated(dataset.test_images[known], settings.images, streams)
    for other in settings.other_data.get(name, ()):
        borrowed = borrow.borrow(other, os.environ.get("OVERGEN_MIRROR") or None)
        if borrowed.shape != dataset.shape:
            raise OvergenError(
                f"params.yaml, evaluate_unknowns.other_data.{name}: images of {other} are {borrowed.shape}, "
                f"those of {name} {dataset.shape}; name data sets of the same shape"
            )
        kinds[f"data_{other}"] = some(borrowed.test_images, settings.images, "data", other)
    collected = Path(f"reports/cells/{name}/collect_fooling/attacked/examples.npz")
    if collected.is_file() and len(fooling := read_npz(collected)["image"]):
        kinds["fooling"] = some(data.planes(torch.from_numpy(fooling)), settings.images, "fooling")
    if name in settings.own:
        kinds["own"] = some(unknowns.read(settings.own[name], dataset.shape), settings.images, "own")
    return kinds, (fit, left_out), known


def some(images: Tensor, count: int, *key: str) -> Tensor:
    """At most so many of some images, in random order."""
    return images[torch.randperm(len(images), generator=generator("unknowns", *key))[:count]]


def logits_of(network: nn.Module, x: Tensor) -> str:
    """Where a network's logits, one for each class, are to be had: "layer", its last one; "answers", its own, of one
    without such a layer to look into, as a program is; or "log_y", which must stand for them.

    x: some images (N, C, H, W) in [0, 1], on the network's device.
    """
    with torch.no_grad():
        log_y, (_, logits) = network(x).log_y, features.seen(network, x)
        if logits.shape == log_y.shape and not torch.equal(logits, log_y):
            return "layer"
        own: Any = getattr(network, "raw", None)  # of an adopted network
        if getattr(network, "outputs", "") == "logits" and own is not None and own(x).shape == log_y.shape:
            return "answers"
    return "log_y"


def seen(
    network: nn.Module, logits: str, device: Any, chunk: int, images: Tensor, wanted: set[str]
) -> dict[str, np.ndarray]:
    """`views` of images. logits: where they are, of `logits_of`."""
    images = images.to(device)
    found = views(network, images, wanted, chunk=chunk)
    if "logits" in found and logits != "layer":
        found["logits"] = log_y_of(network, images, chunk) if logits == "log_y" else raw_of(network, images, chunk)
    return found


def log_y_of(network: nn.Module, images: Tensor, chunk: int) -> np.ndarray:
    """log y of images (N, C, H, W) uint8, on the network's device. Returns (N, K) float32."""
    with torch.no_grad():
        return torch.cat([network(data.floats(block)).log_y for block in images.split(chunk)]).cpu().numpy()


def raw_of(network: Any, images: Tensor, chunk: int) -> np.ndarray:
    """As `log_y_of`, what an adopted network answers itself."""
    with torch.no_grad():
        return torch.cat([network.raw(data.floats(block)).float() for block in images.split(chunk)]).cpu().numpy()
