#!/usr/bin/env bash
# Adding one number to all logits turns OpenMax from accepting nearly everything to rejecting everything
#
# Guess: Softmax does not change when a constant is added to all logits, distances between logits do not
#   either, so OpenMax, made of the two, does not.
# What happens: The 'unknown' logit is the sum of what is taken off the others, logit times weight, so it
#   grows with the logits' own level: fitted and scored on the same digits' logits plus 20 the mean
#   unknown-probability is 1.00, as they are 0.02, minus 20 it is below 1e-20, and the scores' correlation
#   with the first ones is near 0.
# Why it matters: Networks with the same softmax output (log-probabilities, centred logits, a bias in common)
#   reject different images: OpenMax cannot be computed from published probabilities, and log-probabilities,
#   which are all negative, make it accept everything.
# Where: pytorch-ood 0.4.0, pytorch_ood/detector/openmax/numpy.py, OpenMax.predict (v_0); the method itself
#   has it, not this library only.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(pytorch-ood==0.4.0 torch==2.14.1 torchvision==0.29.1 scikit-learn==1.9.1 numpy==2.4.6)
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

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_ood.detector import OpenMax
from sklearn.datasets import load_digits
from torch import nn

print({name: version(name) for name in ["pytorch-ood", "torch", "torchvision", "scikit-learn", "numpy"]})
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

logits = network(images).detach().double()
found = {}
for shift in (0, 20, -20):
    moved = logits + shift
    assert torch.allclose(moved.softmax(1), logits.softmax(1))
    detector = OpenMax(None, tailsize=20, alpha=10).fit_logits(moved[:1200], labels[:1200])
    found[shift] = detector.predict_logits(moved[1500:]).numpy()
    print(
        f"logits {shift:+d}: mean probability of 'unknown' {found[shift].mean():.2g}, "
        f"correlation with the unshifted {np.corrcoef(found[0], found[shift])[0, 1]:.2f}"
    )
checks = {
    "as they are: below 0.1": found[0].mean() < 0.1,
    "plus 20: above 0.99": found[20].mean() > 0.99,
    "minus 20: below 1e-10": found[-20].mean() < 1e-10,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
