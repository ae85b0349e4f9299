"""What torchattacks comes to on our objectives, as tests/attacks/peers_of_search.json: all that tests need.

    uv venv /tmp/peer && VIRTUAL_ENV=/tmp/peer uv pip install torch torchvision torchattacks==3.5.1
    PYTHONPATH=tests /tmp/peer/bin/python tests/attacks/peers_of_search.py

It pins an old `requests` beside which MLflow cannot be installed, so it is no dependency. A guide is wrapped as a
classifier of two logits (0, guide) whose label is 0: its cross-entropy rises with the guide, and it is wrong where the
guide is above 0. Written with torch 2.15.0 in float64.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torchattacks
from torch import Tensor

from searching import images, network

HERE = Path(__file__).with_suffix(".json")
TRIALS, SHAPE, UPDATES = 6, (3, 4, 4), 100
MANY, WIDE, THRESHOLD = 200, (1, 15, 15), 6.0
STEPS, QUERIES, SEEDS = 40, 500, (0, 1, 2)
RADII = {"linf": ("Linf", 0.1), "l2": ("L2", 1.2)}


class Classifier(torch.nn.Module):
    """Two logits (0, guide − threshold), and what it was asked and said."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = torch.nn.Parameter(torch.tensor(threshold), requires_grad=False)
        self.guides: list[list[float]] = []
        self.points: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        guide = network(flat) - self.threshold
        self.guides.append(guide.detach().tolist())
        self.points.append(flat.detach())
        return torch.stack([torch.zeros_like(guide), guide], 1)


def trajectory(norm: str, radius: float, *, inner: bool) -> dict[str, object]:
    """Guides of all points of an APGD run that nothing ends, its start and its steps at the checkpoints."""
    centre = images(TRIALS, 48, inner=inner)
    model = Classifier(0.0)
    peer = torchattacks.APGD(model, norm=norm, eps=radius, steps=UPDATES, loss="ce")
    steps = []
    check = peer.check_oscillation

    def watched(*arguments: object, **options: object) -> object:
        steps.append(sys._getframe(1).f_locals["step_size"].flatten().tolist())
        return check(*arguments, **options)

    peer.check_oscillation = watched
    torch.manual_seed(0)
    peer.attack_single_run(centre.view(-1, *SHAPE), torch.zeros(TRIALS, dtype=torch.long))
    return {
        "radius": radius,
        "inner": inner,
        "start": model.points[0].tolist(),
        "guides": model.guides,
        "steps": steps,
    }


def rates(norm: str, radius: float) -> dict[str, list[int]]:
    """Of `MANY` images, how many APGD and Square get above the threshold, for each seed."""
    x, label = images(MANY, 225, inner=False).view(-1, *WIDE), torch.zeros(MANY, dtype=torch.long)
    counts: dict[str, list[int]] = {"apgd": [], "square": []}
    for seed in SEEDS:
        model = Classifier(THRESHOLD)
        apgd = torchattacks.APGD(model, norm=norm, eps=radius, steps=STEPS, loss="ce", seed=seed)
        square = torchattacks.Square(
            model, norm=norm, eps=radius, n_queries=QUERIES, loss="margin", seed=seed, resc_schedule=True
        )
        counts["apgd"].append(int((~apgd.perturb(x, label, cheap=True)[0]).sum()))
        counts["square"].append(int((network(square.perturb(x, label).flatten(1)) > THRESHOLD).sum()))
    return counts


def main() -> None:
    """Write the file."""
    torch.set_default_dtype(torch.float64)
    found: dict[str, object] = {
        "torchattacks": torchattacks.__version__,
        "trajectories": {
            "linf": trajectory("Linf", 0.15, inner=True),
            "linf at the walls": trajectory("Linf", 0.15, inner=False),
            "l2": trajectory("L2", 0.25, inner=True),
        },
        "rates": {norm: rates(*ball) for norm, ball in RADII.items()},
    }
    HERE.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
