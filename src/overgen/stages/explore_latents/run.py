"""What the latents of an autoencoder look like, and what is decoded from latents that no image has.

    python -m overgen.run explore_latents --dataset digits --model networks

Reads: data/<dataset>; the networks of its section, models/<dataset>/networks/<model>/; the autoencoders of
`train_codes`, models/<dataset>/codes/.
Writes the cell: variance.csv, a row a principal component of the latents; purity.csv, a row a space and class;
noise.csv, a row a level of noise and class; drawn.csv, a row a source, seed and way of drawing; examples.npz, the
places of test images in the plane, and pictures.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.confidence import ScaledOutput
from overgen.measures.frechet import frechet_distance
from overgen.measures.neighbours import nearest
from overgen.measures.thresholds import threshold_pairs
from overgen.models import codes, registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_latents import summary
from overgen.stages.explore_latents.ways import PRIOR, WAYS, drawn

PICTURES = 8  # kept of each way of drawing


def main(stage: Stage) -> None:
    """Write the cell."""
    work = Work(stage)
    sources = [("images", ""), *work.sources]
    names = ["plane", "noise", "between", *(f"drawn-{name}" for name, _ in sources)]

    def compute(i: int, run: Any) -> dict[str, np.ndarray]:
        return (work.plane, work.noise, work.between)[i]() if i < 3 else work.judged(*sources[i - 3])

    found = stage.members(names, compute)
    if stage.rank == 0:
        plane, noise, between, *judged = found
        prefix = f"explore_latents.{work.source.name}"
        own = {f"{prefix}.{key}": getattr(work.settings, key) for key in ("shown", "noisy", "drawn")}
        rows, tables = summary.cell(plane, noise, dict(zip(sources, judged, strict=True)), work.settings)
        results.write(
            stage.cell, budget=work.budget | own, metrics=rows, tables=tables,
            examples=summary.examples(
                plane, noise, between, dict(zip(sources, judged, strict=True)), work.source.classes
            ),
        )  # fmt: skip


class Work:
    """What all members share: the images and the networks."""

    def __init__(self, stage: Stage) -> None:
        self.source = data.load(stage.item["dataset"])
        name = self.source.name
        self.settings: Any = stage.params(f"explore_latents.{name}")
        self.device, self.chunk = stage.device, stage.params(f"engine.{name}.chunk")
        confidence, self.probes = stage.params(f"confidence.{name}"), stage.params(f"engine.{name}.probes")
        for key, images in (("shown", self.source.test_images), ("drawn", self.source.test_images),
                            ("fitted", self.source.train_images), ("reference", self.source.train_images)):  # fmt: skip
            if (asked := getattr(self.settings, key)) > len(images):
                raise OvergenError(f"params.yaml, explore_latents.{name}.{key}: {asked}, but there are {len(images)}")
        pairs = threshold_pairs(confidence.thresholds, reconstructs=True)
        alphas = [alpha for tau, alpha in pairs if tau == self.settings.tau]
        if not alphas:
            raise OvergenError(
                f"params.yaml, explore_latents.{name}.tau: {self.settings.tau} is none of the thresholds of "
                f"confidence.{name}, which say the α that goes with it"
            )
        self.budget: dict[str, int] = {}
        self.autoencoder, self.classifier, judge = (
            self.trained(model) for model in (self.settings.network, self.settings.classifier, self.settings.judge)
        )
        self.coders = {self.settings.network: self.autoencoder}
        for each in (*self.settings.codes, *self.settings.variational):
            self.coders[each], about = codes.load(name, each, device=self.device)
            self.budget |= about["budget"]
        self.judge = ScaledOutput(judge, alpha=alphas[0], beta=confidence.beta, probes=self.probes)
        order = torch.randperm(len(self.source.train_images), generator=generator("latents", name, "training images"))
        self.fitted = self.source.train_images[order[: self.settings.fitted]]
        self.reference = self.source.train_images[order[: self.settings.reference]]
        order = torch.randperm(len(self.source.test_images), generator=generator("latents", name, "test images"))
        self.test_images, self.test_labels = self.source.test_images[order], self.source.test_labels[order]

    def trained(self, model: str) -> Any:
        network, about = registry.trained(self.source.name, model, device=self.device)
        self.budget |= about["budget"]
        return network

    @property
    def sources(self) -> list[tuple[str, str]]:
        """What decodes, each with the group of seeds that it belongs to."""
        settings = self.settings
        return [(settings.network, "network"), *((name, "codes") for name in settings.codes),
                *((name, "variational") for name in settings.variational)]  # fmt: skip

    @torch.no_grad()
    def through(self, function: Any, values: Tensor) -> np.ndarray:
        """What a function makes of rows, block by block: of uint8 images as networks take them. (N, ...) float32."""
        blocks = []
        for block in values.split(self.chunk):
            x = block.to(self.device)
            blocks.append(function(data.floats(x) if x.dtype == torch.uint8 else x).float().cpu())
        return torch.cat(blocks).numpy()

    @cached_property
    def latents(self) -> np.ndarray:
        """Of the fitted images, (N, k)."""
        return self.through(self.autoencoder.encode, self.fitted)

    @cached_property
    def reference_features(self) -> np.ndarray:
        """The classifier's features of the reference images, (N, F)."""
        return self.through(self.classifier.encode, self.reference)

    def decoded(self, autoencoder: Any, latents: np.ndarray) -> Tensor:
        """Pictures, (N, C, H, W) float32 in [0, 1]."""
        pixels = self.through(autoencoder.decode, torch.from_numpy(latents))
        return torch.from_numpy(pixels).clamp(0, 1).view(-1, *self.source.shape)

    def answers(self, pictures: Tensor) -> np.ndarray:
        """The classifier's log y, (N, K)."""
        return self.through(lambda x: self.classifier(x).log_y, pictures)

    def plane(self) -> dict[str, np.ndarray]:
        """Test images in the plane of the two first principal components of the latents, and by t-SNE of the latents.

        plane, tsne: (N, 2); label: (N,); variance: (k,) shares; `pure.<space>` (N,): the share of an image's nearest
        others that are of its class; `silhouette.<space>` (): mean silhouette of the classes.
        """
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
        from sklearn.metrics import silhouette_score

        images, labels = self.test_images[: self.settings.shown], self.test_labels[: self.settings.shown].numpy()
        latents = self.through(self.autoencoder.encode, images)
        components = PCA(svd_solver="covariance_eigh").fit(self.latents)
        drawing = TSNE(max_iter=self.settings.iterations, init="pca", random_state=0)
        found = {"plane": components.transform(latents)[:, :2], "tsne": drawing.fit_transform(latents)}
        spaces = {"pixels": data.floats(images).flatten(1).numpy(), "latents": latents} | found
        found |= {"label": labels, "variance": components.explained_variance_ratio_}
        for name, values in spaces.items():
            near = nearest(values, self.settings.neighbours).places
            found[f"pure.{name}"] = (labels[near] == labels[:, None]).mean(1)
            found[f"silhouette.{name}"] = np.array(silhouette_score(values, labels))
        return found

    def noise(self) -> dict[str, np.ndarray]:
        """Whether the classifier's answer to a decoded latent stays, under growing noise on the latent.

        label: (I,); kept: (L, I) bool; image: (L, K, H, W) float32, of the first image of each class.
        """
        rows = torch.cat([
            torch.nonzero(self.test_labels == c)[: self.settings.noisy, 0] for c in range(len(self.source.classes))
        ])  # fmt: skip
        labels = self.test_labels[rows].numpy()
        latents = self.through(self.autoencoder.encode, self.test_images[rows])
        deviation = math.sqrt(float(self.latents.var(0).mean()))
        noise = torch.randn(latents.shape, generator=generator("latents", self.source.name, "noise")).numpy()
        first = [int(np.flatnonzero(labels == c)[0]) for c in np.unique(labels)]
        kept, images, before = [], [], None
        for level in self.settings.noises:
            pictures = self.decoded(self.autoencoder, latents + np.float32(level * deviation) * noise)
            said = self.answers(pictures).argmax(1)
            before = said if before is None else before
            kept.append(said == before)
            images.append(data.pictures(pictures[first]))
        return {"label": labels, "kept": np.stack(kept), "image": np.stack(images)}

    def between(self) -> dict[str, np.ndarray]:
        """From a test image of the first class to one of the last: decoded between their latents, and blended.

        image: (2, steps, H, W) float32.
        """
        labels = self.test_labels
        ends = self.test_images[
            torch.tensor([int(torch.nonzero(labels == c)[0]) for c in (labels.min(), labels.max())])
        ]
        share = torch.linspace(0, 1, self.settings.steps)
        latents = torch.from_numpy(self.through(self.autoencoder.encode, ends))
        decoded = self.decoded(self.autoencoder, (latents[:1] + share[:, None] * (latents[1:] - latents[:1])).numpy())
        first, last = data.floats(ends)
        blended = torch.stack([torch.lerp(first, last, float(each)) for each in share])
        return {"image": np.stack([data.pictures(decoded), data.pictures(blended)])}

    def judged(self, name: str, group: str) -> dict[str, np.ndarray]:
        """What judges say of pictures of a source, by `<way>.…`: of test images themselves, or decoded by a network.

        y, scaled (N,): whether the classifier's y, and the judge's ỹ, lie above τ; nearest: (N,), the distance to the
        nearest fitted image; frechet: (), of the classifier's features from those of the reference; image: (P, H, W).
        """
        count, tests = self.settings.drawn, self.test_images[: self.settings.drawn]
        if not group:
            return {f"real.{key}": values for key, values in self.judgement(data.floats(tests)).items()}
        autoencoder = self.coders[name]
        latents = self.through(autoencoder.encode, self.fitted)
        of_way = {"restored": self.through(autoencoder.encode, tests)}
        for way in (PRIOR,) if group == "variational" else WAYS:
            draws = generator("latents", self.source.name, name, way)
            of_way[way] = drawn(way, latents, count, draws, components=self.settings.components)
        return {
            f"{way}.{key}": values
            for way, of in of_way.items()
            for key, values in self.judgement(self.decoded(autoencoder, of)).items()
        }

    def judgement(self, pictures: Tensor) -> dict[str, np.ndarray]:
        """What `judged` gives of pictures, (N, C, H, W) in [0, 1]."""
        log_tau, flat = math.log(self.settings.tau), pictures.flatten(1).numpy()
        base = data.floats(self.fitted).flatten(1).numpy()
        gaps = flat - base[nearest(base, 1, flat).places[:, 0]]
        return {
            "y": self.answers(pictures).max(1) > log_tau,
            "scaled": self.accepted(pictures, log_tau),
            "nearest": np.sqrt(np.einsum("nd,nd->n", gaps, gaps, dtype=np.float64)),
            "frechet": np.array(
                frechet_distance(self.through(self.classifier.encode, pictures), self.reference_features)
            ),
            "image": data.pictures((255 * pictures[:PICTURES]).round().byte()),
        }

    def accepted(self, pictures: Tensor, log_tau: float) -> np.ndarray:
        """Whether the judge's largest ỹ lies above τ, (N,). γ is computed only of those that can pass."""
        bounds = self.through(self.judge.upper_bound, pictures).max(1)
        passed = bounds > log_tau
        if passed.any():
            rest = pictures[torch.from_numpy(passed)]
            passed[passed] = self.through(self.judge, rest).max(1) > log_tau
        return passed
