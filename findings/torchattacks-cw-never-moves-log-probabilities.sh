#!/usr/bin/env bash
# torchattacks' CW attack does nothing to a network that returns log-probabilities
#
# Guess: The attack compares the logit of the true class with the largest other one; log_softmax shifts both
#   by the same amount, so the attack is the same.
# What happens: It masks the other classes by multiplying with 0 instead of removing them: where all outputs
#   are negative the maximum of the masked ones is the 0 itself, on both sides, and the loss and its gradient
#   are 0. Fooled 100 % with logits, 0 % with their log_softmax, not one pixel moved.
# Why it matters: Networks that return log-probabilities (NLLLoss, product rules, confidence-scaled outputs)
#   look perfectly robust. For logits that are partly negative the true class's margin is wrong in the same
#   way.
# Where: torchattacks 3.5.1, torchattacks/attacks/cw.py, CW.f.
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

found = {}
for name, model in (("logits", network), ("log-probabilities", nn.Sequential(network, nn.LogSoftmax(1)))):
    result = torchattacks.CW(model, c=10, steps=100, lr=0.05)(x, y).detach()
    fooled = (network(result).argmax(1) != y).float().mean().item()
    found[name] = fooled, int((result != x).sum())
    print(f"{name}: fooled {fooled:.2f}, pixels moved {found[name][1]} of {x.numel()}")
checks = {
    "logits: above 0.9 fooled": found["logits"][0] > 0.9,
    "log-probabilities: no pixel moved": found["log-probabilities"] == (0, 0),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
