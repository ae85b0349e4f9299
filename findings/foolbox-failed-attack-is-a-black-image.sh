#!/usr/bin/env bash
# foolbox's Carlini-Wagner and EAD attacks return a black image where they fail, and count it as success
#
# Guess: Where no adversarial image was found the attack returns the image unchanged and reports no success.
# What happens: Both start from an image of zeros as 'best so far' and return that. The network's answer to
#   black is one fixed class, so for images of every other class black 'fools': with 10 steps, 50 of 50 images
#   come back black and 0.9 of them are reported as adversarial.
# Why it matters: The success rate is then (classes - 1) / classes whatever the defence is, with the distance
#   of an image to black in the mean distance. It shows where attacks are cut short or a defence stops them,
#   just what is to be measured.
# Where: foolbox 3.3.4, foolbox/attacks/carlini_wagner.py and ead.py, run (best_advs = zeros_like).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(foolbox==3.3.4 torch==2.13.0 scikit-learn==1.9.1 numpy==2.4.6)
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
import warnings
from importlib.metadata import version

import foolbox
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

print({name: version(name) for name in ["foolbox", "torch", "scikit-learn", "numpy"]})
warnings.simplefilter("ignore")
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

model = foolbox.PyTorchModel(network, bounds=(0, 1))
checks = {}
for attack in (
    foolbox.attacks.L2CarliniWagnerAttack(steps=10, binary_search_steps=1),
    foolbox.attacks.EADAttack(steps=10, binary_search_steps=1),
):
    name = type(attack).__name__
    _, result, success = attack(model, x, y, epsilons=None)
    black = (result == 0).flatten(1).all(1)
    print(
        f"{name}, 10 steps: {int(black.sum())} of 50 images come back black, reported success {success.float().mean():.2f}, "
        f"of the black ones {success[black].float().mean():.2f}; "
        f"the network calls black {int(network(torch.zeros(1, 1, 8, 8)).argmax())}"
    )
    checks[f"{name}: more than 40 come back black"] = int(black.sum()) > 40
    checks[f"{name}: most of the black ones are reported as success"] = success[black].float().mean().item() > 0.7
    checks[f"{name}: the black ones not reported are of the class that black is taken for"] = bool(
        (y[black & ~success] == network(torch.zeros(1, 1, 8, 8)).argmax()).all()
    )

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
