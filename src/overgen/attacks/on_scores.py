"""Open-set scores on a network as attacks meet them: a function of pixels that is to rise or to fall past a threshold.

Two directions. *accept*: the score of an image that is of no class is to reach the threshold, under a label that is
asked for or under any. *reject*: that of a known image is to fall below it.

What an attack follows is in log space: how far the score, and the label's lead, are from where they shall be, each in
its own spread on known images, as −log(1 + distance). A distance of a million spreads then pulls no harder than one of
two, so that neither the label nor the score is forgotten for the other. It ends a little beyond the threshold (`SLACK`
spreads), where rounding does not undo it. What counts is the score itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from overgen.confidence import (
    curvature,
    distance,
    estimated_curvature,
    log_gate,
    log_reconstruction,
    probe_vectors,
)
from overgen.models import features
from overgen.scores.tensors import TensorScore

Direction = Literal["accept", "reject"]
ANY = -1  # as a target: an image may be accepted under any label
SLACK = 0.02  # of a spread, beyond the threshold
TOLERANCE = 1e-4  # of a spread: by so much a score has to be past its threshold, which other arithmetic confirms then


class Look(NamedTuple):
    """What a score makes of R images. score, guide: (R,) float64, see `scores.tensors`; label: (R,) the class that it
    gives them; leads: (R, K) by how much each class leads the best other one, with a gradient."""

    score: Tensor
    guide: Tensor
    label: Tensor
    leads: Tensor


class OnView:
    """A fitted score of a network's features or logits, or of pixels.

    network: frozen, gives an `Output`; form: of the score; view: what it judges. A score that decides on no class takes
    that of the network.
    """

    def __init__(self, network: nn.Module, form: TensorScore, view: str, shape: Sequence[int]) -> None:
        self.network, self.form, self.view, self.shape = network, form, view, tuple(shape)
        self.rise = form.rise

    def __call__(self, x: Tensor) -> Look:
        """x: (R, D) in [0, 1], flat. Returns the look, with gradients in x."""
        images = x.view(-1, *self.shape)
        judged, log_y = x, None
        if self.view != "pixels" or self.form.classes is None:
            judged, log_y = self.seen(images)
        values = self.form.of(judged)
        if values.guides is None or self.form.classes is None:
            assert log_y is not None
            return Look(values.score, values.guide, log_y.argmax(1), leads(log_y.double()))
        classes = torch.as_tensor(self.form.classes, device=x.device)
        label = classes[values.classes.argmax(1)]  # type: ignore[union-attr]
        among = leads(values.guides)
        wide = among.new_full((len(x), int(classes.max()) + 1), -torch.inf)
        return Look(values.score, values.guide, label, wide.index_copy(1, classes, among))

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the score judges and log y, of images (R, C, H, W)."""
        network = self.network
        if self.view == "pixels":
            return images.flatten(1), network(images).log_y
        if hasattr(network, "encode") and hasattr(network, "classify") and hasattr(network, "fc2"):
            h = network.encode(images)  # type: ignore[operator]
            log_y = network.classify(h)  # type: ignore[operator]
            return (h if self.view == "features" else network.fc2(h)), log_y  # type: ignore[operator]
        h, logits = features.seen(network, images)
        log_y = network(images).log_y
        return (h if self.view == "features" else logits), log_y  # type: ignore[return-value]


class OnOutput:
    """ỹ, or c̃ alone, of a network (Spigler 2019, Eq. 3–6), in log space.

    network: frozen; alpha, beta: of the confidence, without effect where it does not reconstruct; probes: of γ.
    confidence: c̃ alone. Γ stands in the score; the guide has its estimate, and only on the images where Γ may act: that
    is looked up anew every `check` calls.
    """

    rise = staticmethod(float)

    def __init__(
        self,
        network: nn.Module,
        shape: Sequence[int],
        *,
        alpha: float,
        beta: float,
        probes: int,
        confidence: bool = False,
    ) -> None:
        self.network, self.shape, self.alpha, self.beta = network, tuple(shape), alpha, beta
        self.probes, self.confidence = probes, confidence
        self.level = -torch.inf  # below it nobody asks whether Γ is 1

    def __call__(self, x: Tensor) -> Look:
        """As of `OnView`."""
        images = x.view(-1, *self.shape)
        log_y, reconstruction = self.network(images)
        log_y = log_y.double()
        best, label = log_y.max(1)
        score = torch.zeros_like(best) if self.confidence else best
        if reconstruction is not None:
            score = score + log_reconstruction(
                distance(x, reconstruction).double(), alpha=self.alpha, pixels=x.shape[1]
            )
        guide = score
        if reconstruction is not None:
            asked = (score >= self.level).nonzero()[:, 0]
            score, guide = score.detach().clone(), score.clone()
            if len(asked):
                gamma, _ = curvature(self.network, images[asked].detach(), probes=self.probes)
                gates = log_gate(gamma.double(), beta=self.beta)
                score[asked] += gates
                acts = asked[gates < 0]
                if len(acts) and x.requires_grad:
                    vectors = probe_vectors(self.probes, x.shape[1]).to(x)
                    estimate, _ = estimated_curvature(self.network, images[acts], vectors, differentiable=True)
                    guide = guide.index_add(0, acts, -self.beta * estimate.double().relu())
        return Look(score, guide, label, leads(log_y))


class BlackBox:
    """A score that is known by its answers alone: it has no gradient, and of the label only which it is.

    score: flat images (N, D) to scores (N,) and classes (N,).
    """

    rise = staticmethod(float)

    def __init__(self, score: Callable[[Tensor], tuple[np.ndarray, np.ndarray]], classes: int) -> None:
        self.score, self.classes = score, classes

    def __call__(self, x: Tensor) -> Look:
        """As of `OnView`; a class leads by 1 or by −1."""
        values, labels = (torch.as_tensor(array, device=x.device) for array in self.score(x.detach()))
        label_of = torch.nn.functional.one_hot(labels.long(), self.classes).double()
        return Look(values.double(), values.double(), labels, 2 * label_of - 1)


Attackable = OnView | OnOutput | BlackBox


def leads(values: Tensor) -> Tensor:
    """By how much each class leads the best other one. values: (R, K), K ≥ 1. Returns (R, K); ∞ where K = 1."""
    if values.shape[1] == 1:
        return torch.full_like(values, torch.inf)
    top = values.topk(2, dim=1).values
    best_other = torch.where(values == top[:, :1], top[:, 1:], top[:, :1])
    return values - best_other


class OnScore:
    """The objective of an attack on a score, see `attacks.search.Objective`.

    attackable: what the score makes of images; threshold: an image is accepted at or above it; known: (N, D) known
    images, accepted ones among them, on which the spreads are measured. direction, targets: of the T trials, (T,)
    classes or `ANY`; targets of "reject" are not looked at.
    """

    def __init__(
        self,
        attackable: Attackable,
        threshold: float,
        known: Tensor,
        direction: Direction,
        targets: Tensor,
        *,
        chunk: int = 500,
    ) -> None:
        self.attackable, self.threshold, self.direction, self.targets = attackable, threshold, direction, targets
        self.level = attackable.rise(threshold)
        with torch.no_grad():
            looks = [attackable(block) for block in known.split(chunk)]
        self.past = TOLERANCE * spread(torch.cat([look.score for look in looks]))
        if isinstance(attackable, OnOutput):
            attackable.level = self.level - self.past
        self.spread = spread(torch.cat([look.guide for look in looks]))
        self.lead = spread(torch.cat([look.leads.amax(1) for look in looks]))

    def __call__(self, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """rows: (R,) trials; x: (R, D). Returns the guide (R,) ≤ 0, which is to rise, and (R,) whether it succeeded."""
        look = self.attackable(x)
        above = (look.guide - self.level) / self.spread
        if self.direction == "reject":
            return -torch.log1p((above + SLACK).relu()), look.score < self.threshold - self.past
        guide, done = -torch.log1p((SLACK - above).relu()), look.score >= self.threshold + self.past
        targets = self.targets[rows]
        asked = targets != ANY
        if bool(asked.any()):
            lead = look.leads.gather(1, targets.clamp(min=0)[:, None])[:, 0] / self.lead
            guide = guide - torch.where(asked, torch.log1p((SLACK - lead).relu()), 0.0)
            done = done & (~asked | ((look.label == targets) & (lead > TOLERANCE)))
        return guide, done


def spread(values: Tensor) -> float:
    """From the 5 % to the 95 % quantile of those that are finite; 1 where that is 0, or where there are none."""
    finite = values[values.isfinite()]
    if not len(finite):
        return 1.0
    low, high = torch.quantile(finite, torch.tensor([0.05, 0.95], dtype=finite.dtype, device=finite.device)).tolist()
    return high - low if high > low else 1.0
