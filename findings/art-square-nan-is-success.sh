#!/usr/bin/env bash
# ART's SquareAttack in L2 hands back images of NaN, which argmax counts as fooled
#
# Guess: It returns an image in [0, 1] within the ball, or the one it was given.
# What happens: A score with a threshold is attacked as two logits, 0 and threshold - score. With a threshold far
#   off, 10 of 50 digits come back as NaN in every pixel. predict gives (0, NaN), numpy's argmax takes the NaN, and
#   the attack counts as a success: 10 of 50, not one of them real. The same network's ten classes are spared: all
#   their logits become NaN, and a margin of NaN is never better.
# Why it matters: A detector of unknown images looks breakable where it was not broken. Check that images are
#   finite and in their ball before counting.
# Where: adversarial-robustness-toolbox 1.20.1, art/attacks/evasion/square_attack.py: generate divides a step by
#   what is left of the ball (0 where it is full and the windows are empty); _get_logits_diff takes NaN for the best.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(adversarial-robustness-toolbox==1.20.1 torch==2.15.0 scikit-learn==1.9.1 numpy==2.4.6 packaging==26.4)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import random
import sys
import warnings
from importlib.metadata import version

import numpy as np
import torch
from art.attacks.evasion import SquareAttack
from art.estimators.classification import PyTorchClassifier
from sklearn.datasets import load_digits
from torch import nn

print({name: version(name) for name in ["adversarial-robustness-toolbox", "torch", "scikit-learn", "numpy"]})
warnings.simplefilter("ignore")
digits = load_digits()
x = nn.functional.interpolate(torch.tensor(digits.images[:, None] / 16, dtype=torch.float32), (28, 28))
labels = torch.tensor(digits.target)
torch.manual_seed(0)
network = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
optimiser = torch.optim.Adam(network.parameters(), 0.005)
for _ in range(60):
    optimiser.zero_grad()
    nn.functional.cross_entropy(network(x[:1500]), labels[:1500]).backward()
    optimiser.step()


class Unknown(nn.Module):  # says 1, unknown, where the energy score is below 0, far below that of digits
    def forward(self, images):
        return torch.stack([torch.zeros(len(images)), -network(images).logsumexp(1)], 1)


found = {}
for name, model, classes, truth in (("score", Unknown(), 2, 0 * labels), ("classifier", network, 10, labels)):
    art = PyTorchClassifier(model, nn.CrossEntropyLoss(), (1, 28, 28), classes, clip_values=(0, 1))
    truth = truth[1500:1550].numpy()
    np.random.seed(0)
    random.seed(0)
    attack = SquareAttack(art, norm=2, eps=1.2, max_iter=500, verbose=False)
    result = attack.generate(x[1500:1550].numpy(), np.eye(classes)[truth])
    nan, fooled = np.isnan(result).all((1, 2, 3)), art.predict(result).argmax(1) != truth
    found[name] = int(nan.sum()), int(fooled.sum()), int((fooled & nan).sum())
    print(f"{name}: all NaN {found[name][0]} of 50, fooled by argmax {found[name][1]}, both {found[name][2]}")
checks = {
    "score: some images are NaN": found["score"][0] > 0,
    "score: what argmax calls fooled is exactly those": found["score"][1] == found["score"][2] == found["score"][0],
    "classifier: no NaN": found["classifier"][0] == 0,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
