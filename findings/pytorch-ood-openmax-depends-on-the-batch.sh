#!/usr/bin/env bash
# pytorch-ood's OpenMax scores an image by the classes that others in its batch were taken for
#
# Guess: A score belongs to its image: scored alone or among others it is the same up to rounding.
# What happens: Distances to the class means are computed for those classes only that are somebody's first
#   choice in the batch; for all other classes the distance is left at 0, which counts as perfectly typical.
#   Scored one at a time 98 % of 297 digits get another score, up to 0.98 apart.
# Why it matters: A batch of one, a batch sorted by class, or a batch of outliers that all look like an 8 gets
#   other unknown-probabilities than a mixed one. Rates and AUROC hang on the loader's order and batch size.
# Where: pytorch-ood 0.4.0, pytorch_ood/detector/openmax/numpy.py, OpenMax.predict (classes =
#   np.unique(labels)).
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

logits = network(images).detach()
detector = OpenMax(None, tailsize=20, alpha=10).fit_logits(logits[:1200], labels[:1200])
new = logits[1500:]
together = detector.predict_logits(new)
alone = torch.cat([detector.predict_logits(row[None]) for row in new])
changed = ((alone - together).abs() > 1e-6).float().mean().item()
largest = (alone - together).abs().max().item()
print(
    f"{len(new)} digits, scored together and one at a time: {changed:.2f} of the scores differ, by up to {largest:.2f}"
)
checks = {
    "more than 90 % of the scores differ": changed > 0.9,
    "by more than 0.5 at most": largest > 0.5,
    "the same batch twice: the same scores": torch.equal(together, detector.predict_logits(new)),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
