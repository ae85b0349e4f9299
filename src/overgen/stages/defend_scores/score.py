"""The scores that are attacked here: as they are, smoothed, of an ensemble, of a network that was trained further."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.ensemble import OnEnsemble
from overgen.attacks.on_scores import Attackable, OnOutput, OnScore
from overgen.attacks.smoothed import OnSmoothed
from overgen.confidence import ScaledOutput
from overgen.measures.separation import threshold
from overgen.measures.smoothing import smoothed
from overgen.models import registry
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.attack_scores import score as plain
from overgen.stages.defend_scores.params import ADVERSARIAL, ENSEMBLE, NONE, SCALED, SMOOTHED, Name

SPREADS = 200  # known images, at most, on which the spreads of a smoothed score's draws are measured
Answer = tuple[np.ndarray, np.ndarray]  # (N,) float64 scores and (N,) classes


def names(settings: Any) -> list[Name]:
    """The scores of a cell in order, each undefended one before its defences. settings: the section of params.yaml."""
    found = []
    for model, methods in settings.scores.items():
        for method in methods:
            further = (ENSEMBLE, ADVERSARIAL) if method.startswith(SCALED) else ()
            found += [Name(model, method, defence) for defence in (NONE, SMOOTHED, *further)]
    return found


class Network(plain.Study):
    """A network of the stage, and the images that scores are fitted and tried on: those of `attack_scores`, but that
    the threshold is set on test images which serve for nothing else.

    network: in place of the trained one of that name.
    """

    def __init__(self, stage: Stage, model: str, network: Any = None) -> None:
        dataset = stage.item["dataset"]
        declared: Any = _Declared(stage.params, {f"attack_scores.{dataset}": f"defend_scores.{dataset}"})
        super().__init__(replace(stage, item=stage.item | {"model": model}, params=declared))
        if network is not None:
            vars(self)["network"] = network.to(stage.device)
        labelled = (self.dataset.test_labels >= 0).nonzero()[:, 0]
        order = torch.randperm(len(labelled), generator=generator("attacked scores", dataset, "known"))
        first, count = self.settings.known_images, self.settings.threshold_images
        self.of_threshold = self.dataset.test_images[labelled[order[first : first + count]]]
        if len(self.of_threshold) < count:
            raise OvergenError(
                f"params.yaml, defend_scores.{dataset}: known_images {first} and threshold_images {count} are more "
                f"than the {len(labelled)} labelled test images; lower them"
            )

    @cached_property
    def parts(self) -> dict[str, Tensor]:
        """As of `attack_scores`: `held_out` are the images of the threshold."""
        return {"fit": self.dataset.train_images[self.fit], "held_out": self.of_threshold, "known": self.known}

    @cached_property
    def unknown_parts(self) -> tuple[Tensor, Tensor]:
        """Images of no class, (N, C, H, W) uint8: those of which it is measured how many are accepted, and those that
        are moved within balls, none in both. Of other data, else uniform noise."""
        count, moved = self.settings.unknown_images, self.settings.images
        images = self.unknown
        if images is None:
            draws = generator(self.dataset.name, "defended scores", "noise")
            images = torch.randint(0, 256, (count + moved, *self.dataset.shape), generator=draws, dtype=torch.uint8)
        return images[-moved - count : -moved], images[-moved:]

    def moved_known(self) -> np.ndarray:
        """The numbers of the known images that are moved, in turn of each class: the same for every score."""
        rank = np.zeros(len(self.labels), int)
        for label in np.unique(self.labels):
            mine = self.labels == label
            rank[mine] = np.arange(mine.sum())
        return np.argsort(rank, kind="stable")[: self.settings.images]


class _Declared:
    """The parameters of the stage, some under another stage's name."""

    def __init__(self, params: Any, called: dict[str, str]) -> None:
        self.params, self.called = params, called

    def __call__(self, key: str) -> Any:
        return self.params(self.called.get(key, key))


class Defended:
    """A score, defended or not, with its threshold.

    attackable: as attacks meet it; passes: how many times an image is sent through a network; black_box: "", since each
    has a gradient. accepts, right: (N,) bool, of the known images: accepted, and labelled right.
    """

    passes = 1
    black_box = ""

    def __init__(self, name: Name, study: Network) -> None:
        self.of_name, self.study = name, study
        self.name = name.file
        self.base = plain.AttackedScore(study, name.method)
        if self.base.black_box:
            raise OvergenError(f"defend_scores: {name.method} has no gradient: {self.base.black_box}")
        self.attackable: Attackable | OnEnsemble = self.base.attackable
        self.prepare()
        self.threshold = -np.inf  # so that every value that it is set on is exact
        self.threshold = threshold(self.of(self.flat("held_out"))[0], study.stage.params("evaluate_scores.keep"))
        if not np.isfinite(self.attackable.rise(self.threshold)):
            raise OvergenError(f"defend_scores: {self.name}: its threshold is {self.threshold:g}, the end of its range")
        scores, labels = self.of(self.flat("known"))
        self.accepts, self.right = scores >= self.threshold, labels == study.labels

    def prepare(self) -> None:
        """What a defence adds, before the threshold is known."""

    def flat(self, part: str) -> Tensor:
        return self.study.flat_part(part)

    def of(self, x: Tensor) -> Answer:
        """The score as it is used, of flat images (N, D): exact where it is at least the threshold, else at most so
        high that it stays below."""
        return self.base.of(x)

    def objective(self, direction: Any, targets: Tensor, key: Sequence[object]) -> OnScore:
        """What an attack on it follows. key: names its random streams, with the trial."""
        known = self.flat("known")[np.flatnonzero(self.accepts)]
        attackable: Any = self.attackable
        return OnScore(attackable, self.threshold, known, direction, targets, chunk=self.study.chunk)


class Ensemble(Defended):
    """ỹ of several networks: of each class the least."""

    def prepare(self) -> None:
        study, _, alpha = self.study, *self.of_name.method.partition(plain.PER_ALPHA)[1:]
        options: dict[str, Any] = {"alpha": float(alpha), "beta": study.confidence.beta, "probes": study.probes}
        models = study.settings.ensemble
        networks = [
            study.network if model == self.of_name.model
            else registry.trained(study.dataset.name, model, device=study.device)[0].requires_grad_(False)
            for model in models
        ]  # fmt: skip
        self.passes = len(models)
        self.attackable = OnEnsemble([OnOutput(network, study.dataset.shape, **options) for network in networks])
        self.members = [ScaledOutput(network, **options) for network in networks]

    @torch.no_grad()
    def of(self, x: Tensor) -> Answer:
        scores, classes = [], []
        for block in x.split(self.study.chunk):
            images = block.view(-1, *self.study.dataset.shape)
            of_class = torch.stack([member(images).double() for member in self.members]).amin(0)
            best, label = of_class.max(1)
            scores.append(best.cpu().numpy())
            classes.append(label.cpu().numpy())
        return np.concatenate(scores), np.concatenate(classes)

    def objective(self, direction: Any, targets: Tensor, key: Sequence[object]) -> OnScore:
        objective = super().objective(direction, targets, key)
        assert isinstance(self.attackable, OnEnsemble)
        self.attackable.look_from(objective.level - objective.past)
        return objective


class Smoothed(Defended):
    """The median of a score over images with noise: `draws` fixed ones, the same for every image, so that an image has
    one score whatever stands beside it."""

    def prepare(self) -> None:
        self.settings = self.study.settings.smoothing
        self.passes = self.settings.draws
        self.attackable = copy.copy(self.base.attackable)
        self.noise = self.drawn("decide", self.settings.draws)

    def drawn(self, what: str, count: int) -> Tensor:
        """Noise for every image alike: (count, D), on the device."""
        draws = generator(self.study.dataset.name, "defended scores", "noise of", what)
        size = int(np.prod(self.study.dataset.shape))
        return (self.settings.sigma * torch.randn(count, size, generator=draws)).to(self.study.device)

    def of(self, x: Tensor) -> Answer:
        values, labels = self.each(x, self.noise)
        votes = np.stack([(labels == label).sum(1) for label in range(len(self.study.dataset.classes))], 1)
        return smoothed(values), votes.argmax(1)

    def each(self, x: Tensor, noise: Tensor) -> Answer:
        """The score and the class of each draw around each image: (N, n) each."""
        values, labels = [], []
        for block in x.split(max(1, self.study.chunk // len(noise))):
            noisy = (block[:, None] + noise).flatten(0, 1)
            each, classes = self.one(noisy)
            values.append(each.reshape(len(block), -1))
            labels.append(classes.reshape(len(block), -1))
        return np.concatenate(values), np.concatenate(labels)

    @torch.no_grad()
    def one(self, x: Tensor) -> Answer:
        """The score that is smoothed, with the gate of ỹ only where ỹ without it reaches the threshold."""
        if not isinstance(self.base.attackable, OnOutput):
            return self.base.of(x)
        attackable = copy.copy(self.base.attackable)
        attackable.level = self.threshold
        looks = [attackable(block) for block in x.split(self.study.chunk)]
        scores, labels = (torch.cat([look[i] for look in looks]).cpu().numpy() for i in (0, 2))
        return scores, labels

    def hits(self, x: Tensor, direction: str, noise: Tensor) -> np.ndarray:
        """Of how many draws around each image the score is where `direction` moves it *from*: (N,)."""
        accepted = (self.each(x, noise)[0] >= self.threshold).sum(1)
        return len(noise) - accepted if direction == "accept" else accepted

    def objective(self, direction: Any, targets: Tensor, key: Sequence[object]) -> OnScore:
        study, settings = self.study, self.settings
        known = self.flat("known")[np.flatnonzero(self.accepts)[:SPREADS]]
        noise = self.drawn("spreads", len(known))
        attackable: Any = self.attackable

        def verdict(rows: Tensor, x: Tensor) -> Tensor:
            scores, labels = self.of(x)
            accepted = torch.from_numpy(scores >= self.threshold).to(x.device)
            if direction == "reject":
                return ~accepted
            asked = targets[rows]
            return accepted & ((asked < 0) | (torch.from_numpy(labels).to(x.device) == asked))

        return OnSmoothed(
            attackable, self.threshold, known + noise, direction, targets,
            sigma=settings.sigma, draws=settings.attack_draws,
            generators=[generator(study.dataset.name, "defended scores", *key, i) for i in range(len(targets))],
            verdict=verdict, chunk=study.chunk,
        )  # fmt: skip


KINDS: dict[str, type[Defended]] = {NONE: Defended, SMOOTHED: Smoothed, ENSEMBLE: Ensemble, ADVERSARIAL: Defended}


class Scores:
    """The scores of a cell, each made once, by name. tuned: gives the network that was trained further."""

    def __init__(self, stage: Stage, tuned: Callable[[], Any]) -> None:
        self.stage, self.tuned = stage, tuned
        self.networks: dict[tuple[str, bool], Network] = {}

    def network(self, model: str, *, further: bool = False) -> Network:
        """A network with its images. further: the one that was trained further."""
        if (model, further) not in self.networks:
            self.networks[model, further] = Network(self.stage, model, self.tuned() if further else None)
        return self.networks[model, further]

    def score(self, name: Name) -> Defended:
        return KINDS[name.defence](name, self.network(name.model, further=name.defence == ADVERSARIAL))
