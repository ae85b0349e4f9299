#!/usr/bin/env bash
# torchattacks' CW attack cannot move a pixel that is exactly 0 or 1
#
# Guess: The change of variables to tanh keeps pixels within [0, 1] and leaves all of them free; the usual
#   factor just below 1 keeps the ends finite.
# What happens: There is no such factor: a pixel of 0 becomes -infinity, where tanh has slope 0, and stays. On
#   digits none of the black and white pixels moves, and the distances are longer than need be; drawn in by
#   0.001 all of them move. (ART 1.20.1's CarliniL2Method has the factor 0.999999, and hardly moves them
#   either.)
# Why it matters: Most pixels of handwritten digits are exactly 0. A 'minimal' distance is then that of an
#   attack on the grey edges of strokes only, and a binary image cannot be attacked at all.
# Where: torchattacks 3.5.1, torchattacks/attacks/cw.py, inverse_tanh_space and atanh.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchattacks==3.5.1 torch==2.14.1 torchvision==0.29.1 scikit-learn==1.9.1 numpy==2.4.6)
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
import torchattacks
from sklearn.datasets import load_digits
from torch import nn

print({name: version(name) for name in ["torchattacks", "torch", "torchvision", "scikit-learn", "numpy"]})
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
labels = torch.tensor(digits.target)
torch.manual_seed(0)
network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimiser = torch.optim.Adam(network.parameters(), 0.01)
for _ in range(60):
    optimiser.zero_grad()
    F.cross_entropy(network(images[:1500]), labels[:1500]).backward()
    optimiser.step()
optimiser.zero_grad(set_to_none=True)
network.eval()
right = network(images[1500:]).argmax(1) == labels[1500:]
x, y = images[1500:][right][:50], labels[1500:][right][:50]

at_bounds = (x == 0) | (x == 1)


def attack(images):
    result = torchattacks.CW(network, c=10, steps=300, lr=0.05)(images, y).detach()
    moved = (result - images).abs() > 1e-4
    fooled = (network(result).argmax(1) != y).float().mean().item()
    distance = (result - images).flatten(1).norm(dim=1).mean().item()
    return fooled, moved[at_bounds].float().mean().item(), moved[~at_bounds].float().mean().item(), distance


found = {
    "as they are": attack(x),
    "drawn in to [.001, .999]": attack(x.clamp(0.001, 0.999)),
    "binary": attack((x > 0.5).float()),
}
print(f"pixels of exactly 0 or 1: {at_bounds.float().mean():.2f}")
for name, (fooled, bound, inner, distance) in found.items():
    print(
        f"{name}: fooled {fooled:.2f}, moved of the pixels at 0 or 1 {bound:.2f}, of the others {inner:.2f}, mean L2 {distance:.3f}"
    )
checks = {
    "as they are: none at the bounds moves, most others do": found["as they are"][1] == 0
    and found["as they are"][2] > 0.5,
    "drawn in: a third or more of them move": found["drawn in to [.001, .999]"][1] > 0.33,
    "drawn in: shorter distances": found["drawn in to [.001, .999]"][3] < found["as they are"][3],
    "binary images do not move at all": found["binary"][3] == 0,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
