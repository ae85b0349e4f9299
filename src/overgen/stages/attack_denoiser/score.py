"""The scores of a denoiser that are attacked, with the classifier's label beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overgen.attacks.on_scores import OnOutput, OnView
from overgen.confidence import probe_vectors
from overgen.measures.separation import threshold
from overgen.models import Output, denoisers, registry
from overgen.run.stage import Stage
from overgen.scores.flow_likelihood import flow_log_likelihood, levels
from overgen.scores.restoration import restoration
from overgen.scores.tensors import plain
from overgen.stages.attack_denoiser.names import BESIDE, HELD_BACK, LIKELIHOOD, MEAN, RESTORATION, SCALED
from overgen.stages.attack_denoiser.params import Attacks
from overgen.stages.attack_scores.score import PER_ALPHA, AttackedScore, Study
from overgen.stages.train_denoiser.split import split

FEW = 40  # images whose path is followed at once: it is kept whole for the gradient


def method_names(stage: Stage) -> list[str]:
    """The scores that cost about a pass: of the paper's form at one σ and averaged over several, with and without a
    gradient through the denoiser; and ỹ at the α of the largest τ, with the denoiser and of the dAE beside it."""
    _, alpha = max((pair.tau, pair.alpha) for pair in stage.params(f"confidence.{stage.item['dataset']}").thresholds)
    scaled = [f"{name}{PER_ALPHA}{alpha:g}" for name in (SCALED, BESIDE)]
    return [RESTORATION, HELD_BACK, MEAN, *scaled]


class Gated(nn.Module):
    """A classifier with a denoiser in the place of the dAE's decoder: y of the one, r(x) = D(x; σ) of the other."""

    def __init__(self, classifier: nn.Module, denoiser: denoisers.Denoiser) -> None:
        super().__init__()
        self.classifier, self.denoiser = classifier, denoiser
        self.encode, self.decode = denoiser.encode, denoiser.decode

    def forward(self, x: Tensor) -> Output:
        return Output(self.classifier(x).log_y, self.denoiser.restore(x))


class DenoiserStudy(Study):
    """As `Study`, with a denoiser beside the classifier. The images that a threshold is chosen on are training images
    that the denoiser never saw."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.own = stage.params(f"attack_denoiser.{self.dataset.name}")
        self.try_as(self.own)
        _, self.left_out = split(self.dataset, stage.params(f"train_denoiser.{self.dataset.name}.held_out"))

    def try_as(self, attacks: Attacks) -> None:
        """Take the attacks, and the number of known images, from a section."""
        own = {name: getattr(attacks, name) for name in Attacks.model_fields}
        self.settings = self.settings.model_copy(update=own)
        self.known, self.labels = self.known[: attacks.known_images], self.labels[: attacks.known_images]

    @cached_property
    def network(self) -> Any:
        """The trained classifier, frozen."""
        network, _ = registry.trained(self.dataset.name, self.own.classifier, device=self.device)
        return network.eval().requires_grad_(False)

    @cached_property
    def beside(self) -> Any:
        """The trained autoencoder that is attacked in the same way, frozen."""
        network, _ = registry.trained(self.dataset.name, self.own.beside, device=self.device)
        return network.eval().requires_grad_(False)

    @cached_property
    def denoiser(self) -> denoisers.Denoiser:
        """The trained denoiser of the first seed, frozen."""
        return denoisers.load(self.dataset.name, device=self.device)[0]

    def score(self, name: str) -> AttackedScore:
        """A score by its name, made once."""
        if name not in self._scores:
            self._scores[name] = DenoiserScore(self, name)
        return self._scores[name]


class DenoiserScore(AttackedScore):
    """A score of the denoiser, as `AttackedScore` has those of a network: nothing is fitted."""

    def __init__(self, study: DenoiserStudy, name: str) -> None:
        self.study, self.name, self.black_box = study, name, ""
        base, _, alpha = name.partition(PER_ALPHA)
        if base in (SCALED, BESIDE):
            network = Gated(study.network, study.denoiser) if base == SCALED else study.beside
            beta, probes = study.confidence.beta, study.probes
            self.attackable = OnOutput(network, study.dataset.shape, alpha=float(alpha), beta=beta, probes=probes)
        else:
            form = plain(form_of(study, base))
            self.attackable = OnView(study.network, form, "pixels", study.dataset.shape)
        size = FEW if base == LIKELIHOOD else study.chunk

        @torch.no_grad()
        def score(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
            looks = [self.attackable(block) for block in x.split(size)]
            parts = [look.score for look in looks], [look.label for look in looks]
            values, labels = (torch.cat(part).cpu().numpy() for part in parts)
            return values, labels

        self.of = score
        self.of_part = lambda part: score(study.flat_part(part))
        self.threshold = threshold(self.of_part("held_out")[0], study.stage.params("evaluate_scores.keep"))
        self.known_scores, labels = self.of_part("known")
        self.accepts, self.right = self.known_scores >= self.threshold, labels == study.labels


def form_of(study: DenoiserStudy, name: str) -> Callable[[Tensor], Tensor]:
    """A score as a function of flat images (N, D) that gives (N,) float64."""
    denoiser = study.denoiser
    if name == LIKELIHOOD:
        own = study.own.likelihood
        sigmas = levels(own.smallest, own.largest, own.steps)
        probes = probe_vectors(own.probes, int(np.prod(study.dataset.shape))).to(study.device)
        return lambda x: flow_log_likelihood(denoiser, x, sigmas, probes)
    at = study.own.sigmas if name == MEAN else [denoiser.sigma]
    return lambda x: restoration(denoiser, x, at, held_back=name == HELD_BACK)
