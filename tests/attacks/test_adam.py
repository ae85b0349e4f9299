"""Adam on the pixels against torch's own, one trial after the other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from overgen.attacks.adam import adam
from overgen.attacks.search import Ball

from searching import images, network


@pytest.mark.parametrize("ball", [Ball("linf", 0.15), Ball("none", math.inf)], ids=lambda ball: ball.norm)
def test_it_is_torchs_adam_with_a_projection_after_each_step(ball: Ball) -> None:
    centre = images(4, 48, inner=True)
    threshold = torch.tensor([-50.0, 6.0, 8.0, 99.0], dtype=torch.float64)

    def objective(rows: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        guide = network(x)
        return guide, guide > threshold[rows]

    found = adam(objective, centre, centre, ball, updates=30, learning_rate=0.02)
    for trial, around in enumerate(centre):
        x = around.clone().requires_grad_()
        optimiser = torch.optim.Adam([x], lr=0.02, maximize=True)
        seen = []
        for update in range(31):
            guide = network(x[None])[0]
            seen.append((guide.item(), x.detach().clone()))
            if guide.item() > threshold[trial]:
                assert int(found.step[trial]) == update
                break
            optimiser.zero_grad()
            guide.backward()
            optimiser.step()
            with torch.no_grad():
                x.copy_(ball.project(x[None], around[None])[0])
        else:
            assert int(found.step[trial]) == -1
            seen.sort(key=lambda pair: pair[0])
        guide, image = seen[-1]
        assert float(found.guide[trial]) == pytest.approx(guide, abs=1e-5)
        torch.testing.assert_close(found.image[trial], image, rtol=0, atol=2e-6)  # looked at inside the cube
    assert len(set(found.step.tolist())) == 4
