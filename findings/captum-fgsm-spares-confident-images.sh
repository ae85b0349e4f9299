#!/usr/bin/env bash
# captum's FGSM and PGD leave an image untouched when the network is sure of it
#
# Guess: FGSM takes the sign of the gradient, so its size does not matter: multiplying all logits by 5 changes
#   no decision and no sign, and the attack does the same.
# What happens: Entries of the gradient below 1e-6 count as zero. With logits times 5, 41 of 50 digits come
#   back unchanged, with times 20 all 50: the fooling rate falls from 0.96 to 0.18 to 0.
# Why it matters: Confident networks look robust. Weight decay, longer training or a temperature change the
#   measured robustness without changing a single decision. PGD is built on the same step.
# Where: captum 0.9.0, captum/robust/_core/fgsm.py, FGSM.zero_thresh.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(captum==0.9.0 torch==2.13.0 scikit-learn==1.9.1 numpy==2.4.6)
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
from captum.robust import FGSM, PGD
from sklearn.datasets import load_digits
from torch import nn

print({name: version(name) for name in ["captum", "torch", "scikit-learn", "numpy"]})
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
for times in (1, 5, 20):

    def probabilities(images):
        return (network(images) * times).softmax(1)

    for attack, settings in (
        (FGSM(probabilities, lower_bound=0, upper_bound=1), {"epsilon": 0.2}),
        (PGD(probabilities, lower_bound=0, upper_bound=1), {"radius": 0.2, "step_size": 0.05, "step_num": 20}),
    ):
        name = type(attack).__name__
        result = attack.perturb(x.clone(), target=y, **settings).detach()
        unchanged = int((result == x).flatten(1).all(1).sum())
        fooled = (network(result).argmax(1) != y).float().mean().item()
        found[name, times] = unchanged, fooled
        print(f"{name}, logits times {times}: {unchanged} of 50 images unchanged, {fooled:.2f} fooled")
checks = {}
for name in ("FGSM", "PGD"):
    checks[f"{name}: plain logits, all images move and above 0.9 are fooled"] = (
        found[name, 1][0] == 0 and found[name, 1][1] > 0.9
    )
    checks[f"{name}: times 5, more than half are untouched"] = found[name, 5][0] > 25
    checks[f"{name}: times 20, all are untouched"] = found[name, 20] == (50, 0)

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
