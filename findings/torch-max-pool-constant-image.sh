#!/usr/bin/env bash
# On a constant image max pooling sends the gradient to one pixel in four
#
# Guess: Where all pixels of a window are equal, the gradient is split between them, as torch.amax and
#   torch.max over a whole tensor do.
# What happens: max_pool2d gives all of it to the first pixel of the window, so on a constant image three
#   pixels in four have gradient 0; adaptive_max_pool2d to one cell gives all to the top left pixel.
# Why it matters: Attacks, gradient ascent and saliency maps often start from a constant image (black, grey).
#   The first step then moves a lattice of every second pixel in each direction, and a map of a black border
#   shows a lattice that says nothing on the network.
# Where: torch 2.13.0, max_pool2d_with_indices (the index of the first maximum).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torch==2.13.0 numpy==2.4.6)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import sys
from importlib.metadata import version

import torch
import torch.nn.functional as F

print({name: version(name) for name in ["torch", "numpy"]})


def share(operation):
    """Share of the pixels of a constant 28x28 image that have a gradient."""
    x = torch.full((1, 1, 28, 28), 0.5, requires_grad=True)
    operation(x).sum().backward()
    return (x.grad != 0).float().mean().item()


shares = {
    "max_pool2d": share(lambda x: F.max_pool2d(x, 2)),
    "adaptive_max_pool2d": share(lambda x: F.adaptive_max_pool2d(x, 1)),
    "avg_pool2d": share(lambda x: F.avg_pool2d(x, 2)),
    "amax": share(lambda x: x.amax((2, 3))),
    "max(dim)": share(lambda x: x.flatten(1).max(1).values),
    "max()": share(lambda x: x.max()),
}
print(shares)
network = torch.nn.Sequential(torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(196, 10))
torch.manual_seed(0)
x = torch.full((1, 1, 28, 28), 0.5, requires_grad=True)
F.cross_entropy(network(x), torch.tensor([3])).backward()
moved = (x.grad.sign() != 0).float().mean().item()
print("pixels that one signed step moves:", moved)
checks = {
    "max_pool2d: a quarter of the pixels": shares["max_pool2d"] == 0.25,
    "adaptive_max_pool2d: one pixel": abs(shares["adaptive_max_pool2d"] - 1 / 784) < 1e-6,
    "amax and max over the whole tensor: all pixels": shares["amax"] == shares["max()"] == 1,
    "max along a dimension: one pixel": abs(shares["max(dim)"] - 1 / 784) < 1e-6,
    "a signed step moves a quarter at most": moved <= 0.25,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
