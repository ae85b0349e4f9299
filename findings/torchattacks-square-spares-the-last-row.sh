#!/usr/bin/env bash
# torchattacks' Square never changes the last row and column after its first guess
#
# Guess: As in the paper, a window's corner is drawn from 0 to side - width, both included: each pixel can be hit.
# What happens: The upper end is left out, so no window reaches row 27 or column 27 of a
#   28 x 28 image. A network that reads row 13 or row 26 is fooled on 50 of 50 images with 2000 queries, one
#   that reads row 27 on none, though PGD in the same ball fools it on all.
# Why it matters: Square stands beside gradient attacks to show that gradients were not hidden. Here it reports
#   robustness because 55 of 784 pixels stay at the random stripes of the start. (By reading,
#   adversarial-robustness-toolbox 1.20.1 leaves the same end out.)
# Where: torchattacks 3.5.1, torchattacks/attacks/square.py, random_int(0, h - s), which rounds down.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchattacks==3.5.1 torch==2.15.0 torchvision==0.29.2 numpy==2.4.6)
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
import torchattacks

print({name: version(name) for name in ["torchattacks", "torch", "torchvision", "numpy"]})


class Reader(torch.nn.Module):
    """Says 1 if the mean of one row is above 0.58, and keeps the first image of each batch that it is asked."""

    def __init__(self, row):
        super().__init__()
        self.row, self.scale, self.asked = row, torch.nn.Parameter(torch.ones(())), []

    def forward(self, images):
        self.asked.append(images[:1].detach().clone())
        guide = self.scale * (images[:, :, self.row].mean((1, 2)) - 0.58)
        return torch.stack([torch.zeros_like(guide), guide], 1)


images, labels = torch.full((50, 1, 28, 28), 0.5), torch.zeros(50, dtype=torch.long)
square, pgd, farthest = {}, {}, None
for row in (13, 26, 27):
    network = Reader(row)
    attack = torchattacks.Square(network, eps=0.1, n_queries=2000, seed=0)
    before = len(network.asked)
    square[row] = int(network(attack(images, labels)).argmax(1).sum())
    if row == 27:  # nothing is fooled: the first image took all queries
        asked = torch.cat(network.asked[before + 1 : -1])  # the start with its stripes, 2000 queries, the result
        changed = (asked - asked[:1]).abs().amax((0, 1)) > 0
        farthest = int(changed.any(1).nonzero().max()), int(changed.any(0).nonzero().max())
        print(f"2000 queries: last row ever changed {farthest[0]}, last column {farthest[1]}")
    pgd[row] = int(network(torchattacks.PGD(network, eps=0.1, alpha=0.02, steps=20)(images, labels)).argmax(1).sum())
    print(f"a network that reads row {row}: Square fools {square[row]} of 50, PGD {pgd[row]}")
checks = {
    "no window reaches the last row or column": farthest == (26, 26),
    "rows 13 and 26: Square fools nearly all": min(square[13], square[26]) >= 45,
    "row 27: Square fools none, PGD all": square[27] == 0 and pgd[27] == 50,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
