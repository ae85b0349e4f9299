"""Attacks on a score that is smoothed, the median over images with noise (`measures.smoothing`), and that know it.

The attack follows the mean, over fresh draws at every update, of what each draw's own objective is: the gradient of an
expectation over the defence's randomness (Athalye et al. 2018, arXiv:1802.00420). It knows σ and the number of draws.
The draws that decide it does not know, since who uses the score draws them anew; but it may ask: where most of its own
draws have passed, the score as it is used says whether the image has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from overgen.attacks.on_scores import ANY, SLACK, Attackable, Direction, OnScore

Verdict = Callable[[Tensor, Tensor], Tensor]


class OnSmoothed(OnScore):
    """The objective of an attack on a smoothed score, see `attacks.search.Objective`.

    attackable: what the score that is smoothed makes of an image; threshold: of the smoothed score; known: (N, D) known
    images with noise, on which the spreads are measured; direction, targets: as of `OnScore`. sigma: of the noise;
    draws: at each update; generators: one for each of the T trials, so that a trial does not depend on the others.
    verdict: of trials (R,) and images (R, D), whether these have succeeded by the smoothed score as it is used, (R,)
    bool on the images' device.
    """

    def __init__(
        self,
        attackable: Attackable,
        threshold: float,
        known: Tensor,
        direction: Direction,
        targets: Tensor,
        *,
        sigma: float,
        draws: int,
        generators: Sequence[torch.Generator],
        verdict: Verdict,
        chunk: int = 500,
    ) -> None:
        super().__init__(attackable, threshold, known, direction, targets, chunk=chunk)
        self.sigma, self.draws, self.generators, self.verdict = sigma, draws, generators, verdict

    def __call__(self, rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """As of `OnScore`: the guide is the mean over the draws of what it is of each."""
        noise = torch.stack(
            [torch.randn(self.draws, x.shape[1], generator=self.generators[row]) for row in rows.tolist()]
        )
        look = self.attackable((x[:, None] + self.sigma * noise.to(x)).flatten(0, 1))
        above = (look.guide - self.level) / self.spread
        passes = look.score >= self.threshold
        if self.direction == "reject":
            guide, passes = -torch.log1p((above + SLACK).relu()), ~passes
        else:
            guide, targets = -torch.log1p((SLACK - above).relu()), self.targets[rows].repeat_interleave(self.draws)
            asked = targets != ANY
            if bool(asked.any()):
                lead = look.leads.gather(1, targets.clamp(min=0)[:, None])[:, 0] / self.lead
                guide = guide - torch.where(asked, torch.log1p((SLACK - lead).relu()), 0.0)
                passes = passes & (~asked | (look.label == targets))
        done = passes.view(-1, self.draws).sum(1) > self.draws / 2
        if bool(done.any()):
            with torch.no_grad():
                done[done.clone()] = self.verdict(rows[done], x.detach()[done])
        return guide.view(-1, self.draws).mean(1), done
