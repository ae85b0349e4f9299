"""Inceptionism on small networks: what single units like, and whether a class can be synthesised from a classifier.

    python -m overgen.run explore_features --dataset digits --model networks

Reads: data/<dataset>; the networks of its section, models/<dataset>/networks/<model>/.
Writes the cell: units.csv, a row an image of a unit; classes.csv, a row an image of a class; usual.csv, how far test
images are from the training images; examples.npz, images of 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.attacks import maximise, synthesis
from overgen.confidence import ScaledOutput
from overgen.measures.outputs import image_outputs, scaled_scores
from overgen.models import registry
from overgen.models.features import seen
from overgen.models.probes import Probe
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_features import summary, units

# Deviation of the noise from which images begin, on a ground as bright as the training images: of pixels, and of
# spectra, as in `synthesis.noise`
NOISE, SPECTRAL_NOISE = 0.1, 0.01
USUAL = "usual"  # the member that says what is usual of test images

Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell."""
    work = Work(stage)
    settings = work.settings
    of_units = {f"units-{name}": partial(work.units, name) for name in (settings.network, settings.autoencoder)}
    of_classes = {way: partial(work.classes, way) for way in (*settings.ways, *settings.priors)}
    computed: dict[str, Callable[[], Arrays]] = {**of_units, **of_classes, USUAL: work.usual}
    names = list(computed)
    found = dict(zip(names, stage.members(names, lambda i, _: computed[names[i]]()), strict=False))
    if stage.rank == 0:
        tables = summary.tables(
            {name.removeprefix("units-"): found[name] for name in of_units}, {way: found[way] for way in of_classes},
            found[USUAL], settings,
        )  # fmt: skip
        own = {f"explore_features.{name}": getattr(work.sizes, name) for name in ("steps", "unit_steps", "units")}
        results.write(
            stage.cell,
            budget=work.budget | own,
            metrics=summary.rows(tables, settings, work.tau),
            tables=tables,
            examples=summary.shown(found, settings, work.source.classes),
        )


class Work:
    """What all members share: the images, the networks, and what they say."""

    def __init__(self, stage: Stage) -> None:
        self.settings: Any = stage.params("explore_features")
        dataset = stage.item["dataset"]
        if dataset not in self.settings.sizes:
            raise OvergenError(f"params.yaml, explore_features.sizes: none for {dataset}; give those of another one")
        self.sizes = self.settings.sizes[dataset]
        self.source = data.load(dataset)
        self.key = ("explore_features", dataset)
        confidence = stage.params(f"confidence.{dataset}")
        self.tau, self.alpha = confidence.thresholds[0].tau, confidence.thresholds[0].alpha
        self.beta = confidence.beta
        self.chunk, self.probes = (stage.params(f"engine.{dataset}.{name}") for name in ("chunk", "probes"))
        names = [self.settings.network, self.settings.autoencoder, *self.settings.witnesses]
        self.networks: dict[str, Any] = {}
        self.budget: dict[str, int] = {}
        for name in dict.fromkeys(names):
            network, about = registry.trained(dataset, name)
            self.networks[name] = network.requires_grad_(False)
            self.budget |= about["budget"]
        name, classes = self.settings.network, len(self.source.classes)
        with torch.no_grad():
            _, logits = seen(self.networks[name], torch.zeros(1, *self.source.shape))
        if logits.shape[1] != classes:
            raise OvergenError(
                f"params.yaml, explore_features.network: the last layer of {name} has {logits.shape[1]} units for "
                f"{classes} classes; name a network with one for each"
            )
        if not hasattr(self.networks[self.settings.autoencoder], "decode"):
            raise OvergenError(
                f"params.yaml, explore_features.autoencoder: {self.settings.autoencoder} has no decoder; name a "
                "denoising autoencoder"
            )

    @cached_property
    def pixels(self) -> Tensor:
        """The training images, (N, D) float32 in [0, 1]."""
        return data.floats(self.source.train_images).flatten(1)

    @cached_property
    def centre(self) -> Tensor:
        """A flat image as bright as the training images are on average, (C, H, W)."""
        return torch.full(self.source.shape, float(self.pixels.mean()))

    def noise(self, way: synthesis.Way, streams: list[torch.Generator]) -> Tensor:
        """Where images begin that come from nothing: on the flat ground, with noise of pixels or of the spectrum."""
        if way.parametrisation == "fourier":
            ground = synthesis.spectrum_of(self.centre[None])
            drawn = [ground + SPECTRAL_NOISE * torch.randn(ground.shape, generator=stream) for stream in streams]
            return synthesis.image_of(torch.cat(drawn), self.source.shape[1:])
        drawn = [self.centre + NOISE * torch.randn(self.source.shape, generator=stream) for stream in streams]
        return torch.stack(drawn).clamp(0, 1)

    def units(self, name: str) -> Arrays:
        """Images of units of a network, one after another: layer, kind, unit, way and start of each, (I,), activity on
        it and the most on any test picture compared, answer before and after, and what `said` says; image (I, C, H, W)
        and start_image, uint8."""
        network, settings = self.networks[name], self.settings
        order = torch.randperm(len(self.source.test_images), generator=generator(*self.key, "compared"))
        compared = data.floats(self.source.test_images[order[: self.sizes.compared]])
        runs = [(way, "noise") for way in settings.ways] + [(way, "picture") for way in settings.from_pictures]
        parts: dict[str, list[Any]] = {}
        made: list[Tensor] = []
        for layer, kind, count in units.kinds(settings.layers, network, self.source.shape):
            probe = Probe(network, layer)
            chosen = torch.randperm(count, generator=generator(*self.key, name, layer, kind))[: self.sizes.units]
            with torch.no_grad():
                most = units.activity(units.output(probe, compared), kind).amax(0)[chosen]
            objective = units.liking(probe, kind, chosen)
            for way, begin in runs:
                streams = [generator(*self.key, name, layer, kind, way, begin, int(unit)) for unit in chosen]
                how = settings.ways[way].way()
                start = self.noise(how, streams) if begin == "noise" else compared[: len(chosen)]
                image = in_8_bits(self.maximised(objective, start, how, streams, unit=True))
                with torch.no_grad():
                    columns: dict[str, Any] = {"activity": objective(image), "most": most, "unit": chosen}
                columns |= {text: [value] * len(chosen) for text, value in
                            (("layer", layer), ("kind", kind), ("way", way), ("start", begin))}  # fmt: skip
                columns |= {"before": self.answer(name, start), "after": self.answer(name, image)}
                for column, values in columns.items():
                    parts.setdefault(column, []).append(np.asarray(values))
                made += [image, start]
            probe.remove()
        images, starts = torch.cat(made[::2]), torch.cat(made[1::2])
        arrays = {column: np.concatenate(values) for column, values in parts.items()}
        scores = self.scaled(images)
        arrays |= {"confidence": scores.max(1), "image": bytes_of(images), "start_image": bytes_of(starts)}
        return arrays

    def classes(self, way: str) -> Arrays:
        """An image of each class made in one way: target (K,), what `said` says, and image (K, C, H, W) uint8."""
        settings, count = self.settings, len(self.source.classes)
        streams = [generator(*self.key, "classes", way, target) for target in range(count)]
        targets = torch.arange(count)
        if way in settings.ways:
            objective, how = log_odds(self.networks[settings.network], targets), settings.ways[way].way()
            made = self.maximised(objective, self.noise(how, streams), how, streams)
        else:
            prior = settings.priors[way]
            autoencoder = self.networks[settings.autoencoder]
            steps = synthesis.Way("pixels", prior.rate)
            start = self.noise(steps, streams)
            if prior.by == "projection":
                objective = log_odds(self.networks[settings.network], targets)
                made = self.maximised(
                    objective, start, steps, streams, prior=lambda x: autoencoder(x).reconstruction.view_as(x)
                )
            else:
                scaled = ScaledOutput(autoencoder, alpha=self.alpha, beta=self.beta)
                made = self.maximised(
                    lambda x: scaled.upper_bound(x).gather(1, targets[:, None])[:, 0], start, steps, streams
                )
        images = in_8_bits(made)
        return self.said(images, targets) | {"target": targets.numpy(), "image": bytes_of(images)}

    def maximised(
        self, objective: synthesis.Objective, start: Tensor, way: synthesis.Way, streams: list[torch.Generator],
        *, unit: bool = False, prior: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        steps = self.sizes.unit_steps if unit else self.sizes.steps
        return maximise.maximise(
            objective, start, way, steps=steps, centre=self.centre, streams=streams, prior=prior
        )  # fmt: skip

    def said(self, images: Tensor, targets: Tensor) -> Arrays:
        """Of each network its answer; the confidence, ỹ of the autoencoder, of the class; log c̃; the distance from the
        nearest training image, that one's label, and its number."""
        found: Arrays = {f"answer_{name}": self.answer(name, images) for name in self.networks}
        scores = self.scaled(images)
        found["confidence"] = scores[np.arange(len(targets)), targets.numpy()]
        gap, place = nearest(images.flatten(1), self.pixels)
        found |= {"distance": gap.numpy(), "nearest": place.numpy()}
        return found | {"nearest_label": self.source.train_labels[place].numpy()}

    @torch.no_grad()
    def answer(self, name: str, images: Tensor) -> np.ndarray:
        """What a network takes images for, (N,)."""
        return self.networks[name](images).log_y.argmax(1).numpy()

    def scaled(self, images: Tensor) -> np.ndarray:
        """ỹ of the autoencoder, (N, K), at the first threshold's α."""
        outputs = image_outputs(
            self.networks[self.settings.autoencoder], (255 * images).round().byte(), chunk=self.chunk,
            probes=self.probes,
        )  # fmt: skip
        stacked = {name: values[None] for name, values in outputs.items()}
        return np.exp(scaled_scores(stacked, 0, alpha=self.alpha, beta=self.beta))

    def usual(self) -> Arrays:
        """Of some test images of each class: label, and distance from the nearest training image, (I,)."""
        draws = generator(*self.key, "usual")
        rows = [torch.nonzero(self.source.test_labels == label)[:, 0] for label in range(len(self.source.classes))]
        chosen = torch.cat([own[torch.randperm(len(own), generator=draws)[: self.sizes.typical]] for own in rows])
        images = data.floats(self.source.test_images[chosen])
        gap, _ = nearest(images.flatten(1), self.pixels)
        return {"label": self.source.test_labels[chosen].numpy(), "distance": gap.numpy()}


def log_odds(network: Any, targets: Tensor) -> synthesis.Objective:
    """log(y/(1 − y)) of each image's class: it rises as log y does, and goes on where y = 1 to all digits."""

    def objective(x: Tensor) -> Tensor:
        _, logits = seen(network, x)
        own = logits.gather(1, targets[:, None])[:, 0]
        others = logits.scatter(1, targets[:, None], -torch.inf)
        return own - others.logsumexp(1)

    return objective


def nearest(images: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
    """The L2 distance of images (N, D) from the nearest of base (M, D), and its number: (N,) each."""
    best, place = torch.full((len(images),), torch.inf), torch.zeros(len(images), dtype=torch.int64)
    first = 0
    for block in base.split(10_000):
        gap, at = torch.cdist(images, block).min(1)
        place = torch.where(gap < best, at + first, place)
        best = torch.minimum(gap, best)
        first += len(block)
    return best, place


def in_8_bits(x: Tensor) -> Tensor:
    """Images in [0, 1] as they are when saved as pictures: multiples of 1/255."""
    return (255 * x).round() / 255


def bytes_of(x: Tensor) -> np.ndarray:
    return (255 * x).round().byte().numpy()
