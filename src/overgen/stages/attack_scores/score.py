"""The scores that are attacked: each fitted on training images, with its threshold, as it is used and as a function
that a gradient can pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.attacks.on_scores import Attackable, BlackBox, OnOutput, OnView
from overgen.confidence import ScaledOutput
from overgen.data import borrow
from overgen.measures.separation import threshold
from overgen.models import registry
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.scores import methods
from overgen.scores.names import OF_OUTPUTS
from overgen.scores.tensors import plain, tensor_score
from overgen.scores.views import held_out, negatives

PER_ALPHA = "_alpha"
Seen = tuple[np.ndarray, np.ndarray]  # (N, D) what a method judges, and (N,) the network's class


def method_names(stage: Stage) -> list[str]:
    """The methods of evaluate_scores for the stage's model, and further ones; of outputs, once for each α of ỹ."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    thresholds = stage.params(f"confidence.{dataset}").thresholds
    alphas = sorted({pair.alpha for pair in thresholds})
    names: list[str] = []
    further = stage.params(f"attack_scores.{dataset}").once.get(model, [])
    for name in [*stage.params(f"evaluate_scores.methods.{model}"), *further]:
        scaled = name in OF_OUTPUTS and model.startswith("dae")
        names += [f"{name}{PER_ALPHA}{alpha:g}" for alpha in alphas] if scaled else [name]
    return names


class Study:
    """A network, the images that scores are fitted and tried on, and the unknown ones.

    known: test images, (N, C, H, W) uint8, and labels (N,); unknown: test images of other data, or None.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.dataset = dataset = data.load(stage.item["dataset"])
        self.settings = stage.params(f"attack_scores.{dataset.name}")
        self.confidence = stage.params(f"confidence.{dataset.name}")
        self.chunk, self.probes = (stage.params(f"engine.{dataset.name}.{name}") for name in ("chunk", "probes"))
        self.device = stage.device
        self.flat_parts: dict[str, Tensor] = {}
        self._seen: dict[tuple[str, str], Seen] = {}
        self._scores: dict[str, AttackedScore] = {}
        draws = generator("attacked scores", dataset.name, "fit")
        fit, left_out = held_out(
            dataset.train_labels, range(len(dataset.classes)), draws, stage.params("evaluate_scores.held_out")
        )
        self.fit, self.left_out = fit[: self.settings.fitted_images], left_out
        labelled = (dataset.test_labels >= 0).nonzero()[:, 0]
        order = torch.randperm(len(labelled), generator=generator("attacked scores", dataset.name, "known"))
        chosen = labelled[order[: self.settings.known_images]]
        self.known, self.labels = dataset.test_images[chosen], dataset.test_labels[chosen].numpy()

    @cached_property
    def network(self) -> Any:
        """The trained network, frozen."""
        network, _ = registry.trained(self.dataset.name, self.stage.item["model"], device=self.device)
        return network.eval().requires_grad_(False)

    @cached_property
    def unknown(self) -> Tensor | None:
        """Test images of the other data set that params.yaml names, in random order: (N, C, H, W) uint8."""
        name = self.stage.params("evaluate_scores.other_data").get(self.dataset.name)
        if name is None:
            return None
        images = borrow.borrow(name, os.environ.get("OVERGEN_MIRROR") or None).test_images
        if tuple(images.shape[1:]) != self.dataset.shape:
            raise OvergenError(
                f"params.yaml, evaluate_scores.other_data.{self.dataset.name}: images of {name} are "
                f"{tuple(images.shape[1:])}, those of {self.dataset.name} {self.dataset.shape}; name data of one shape"
            )
        return images[torch.randperm(len(images), generator=generator("attacked scores", "other data", name))]

    def flat(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) uint8 as attacks take them: (N, D) float32 in [0, 1], on the device."""
        return data.floats(images.to(self.device)).flatten(1)

    @cached_property
    def parts(self) -> dict[str, Tensor]:
        """The images that every method sees, (N, C, H, W) uint8: `fit`, `held_out` and `known`."""
        train = self.dataset.train_images
        return {"fit": train[self.fit], "held_out": train[self.left_out], "known": self.known}

    def flat_part(self, name: str) -> Tensor:
        """A part as attacks take it, made once: `flat_parts` may get further ones."""
        if name not in self.flat_parts:
            self.flat_parts[name] = self.flat(self.parts[name])
        return self.flat_parts[name]

    def part(self, name: str, view: str) -> Seen:
        """What methods see of a part, looked at once."""
        if (name, view) not in self._seen:
            self._seen[name, view] = self.seen(self.flat_part(name), view)
        return self._seen[name, view]

    @torch.no_grad()
    def seen(self, x: Tensor, view: str) -> Seen:
        """What a method sees of flat images x (N, D), and the network's class (N,)."""
        look = OnView(self.network, plain(lambda judged: judged), view, self.dataset.shape).seen
        parts = [look(block.view(-1, *self.dataset.shape)) for block in x.split(self.chunk)]
        judged, log_y = (torch.cat([part[i] for part in parts]).cpu().numpy() for i in (0, 1))
        return judged, log_y.argmax(1)

    def score(self, name: str) -> AttackedScore:
        """A method, fitted once. Raises ValueError as `AttackedScore` does."""
        if name not in self._scores:
            self._scores[name] = AttackedScore(self, name)
        return self._scores[name]


class AttackedScore:
    """A method by its name, fitted, with its threshold.

    of: flat images (N, D) to scores (N,) float64 and classes (N,): the method as it is used; of_part: the same of a
    part of the study. attackable: the same as attacks meet it; black_box: why it has no gradient, else "".
    accepts, right: (N,) bool, the known test images that it accepts, and labels right.
    Raises ValueError if it cannot be fitted on these images.
    """

    def __init__(self, study: Study, name: str) -> None:
        self.study, self.name, self.black_box = study, name, ""
        base, _, alpha = name.partition(PER_ALPHA)
        self.attackable: Attackable
        self.of: Callable[[Tensor], tuple[np.ndarray, np.ndarray]]
        if base in OF_OUTPUTS:
            self.of_outputs(float(alpha or 0), confidence=base == "confidence")
        else:
            self.of_view(name)
        self.threshold = threshold(self.of_part("held_out")[0], study.stage.params("evaluate_scores.keep"))
        scores, labels = self.of_part("known")
        self.accepts, self.right = scores >= self.threshold, labels == study.labels

    def of_view(self, name: str) -> None:
        study, about = self.study, methods.described(name)
        option, view = study.stage.params, about.view
        options = methods.options_on(study.dataset.name, lambda key: option(f"evaluate_scores.{key}"))
        count = option("evaluate_scores.fit_images") if about.costly else len(study.fit)
        judged, labels = study.part("fit", view)[0][:count], study.dataset.train_labels[study.fit[:count]].numpy()
        pooled = {}
        if about.pool:
            draws = generator("attacked scores", study.dataset.name, about.pool)
            pool = negatives(about.pool, study.parts["fit"][:count], draws)
            pooled = {"negatives": study.seen(study.flat(pool), view)[0]}
        fitted = methods.make(name, options).fit(judged, labels, **pooled)

        def of_seen(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
            judged, classes = seen
            return fitted.score(judged), fitted.predict(judged) if hasattr(fitted, "predict") else classes

        self.of = lambda x: of_seen(study.seen(x, view))
        self.of_part = lambda part: of_seen(study.part(part, view))
        try:
            self.attackable = OnView(study.network, tensor_score(fitted, study.device), view, study.dataset.shape)
        except OvergenError as error:
            self.attackable, self.black_box = BlackBox(self.of, len(study.dataset.classes)), str(error)

    def of_outputs(self, alpha: float, *, confidence: bool) -> None:
        study, beta = self.study, self.study.confidence.beta
        scaled = ScaledOutput(study.network, alpha=alpha, beta=beta, probes=study.probes)

        @torch.no_grad()
        def score(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
            scores, classes = [], []
            for block in x.split(study.chunk):
                images = block.view(-1, *study.dataset.shape)
                log_y = study.network(images).log_y.double()
                best = scaled(images).double().amax(1)
                scores.append((best - log_y.amax(1) if confidence else best).cpu().numpy())
                classes.append(log_y.argmax(1).cpu().numpy())
            return np.concatenate(scores), np.concatenate(classes)

        self.of = score
        self.of_part = lambda part: score(study.flat_part(part))
        self.attackable = OnOutput(
            study.network, study.dataset.shape, alpha=alpha, beta=beta, probes=study.probes, confidence=confidence
        )
