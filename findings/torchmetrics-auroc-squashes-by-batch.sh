#!/usr/bin/env bash
# torchmetrics' AUROC squashes scores outside [0, 1], batch by batch: a perfect ranking can come out as 0
#
# Guess: AUROC knows ranks only, so any score will do: logits, energies, reconstruction errors; and however
#   the data come in batches, the result is that of all scores together.
# What happens: A batch with any score outside [0, 1] goes through a sigmoid, a batch without does not, so
#   scores of different batches are no longer on one scale. In float32 the sigmoid is also 1 for everything
#   above 17: larger errors all tie.
# Why it matters: Open-set and novelty scores are seldom probabilities. A perfect score comes out as 0, a good
#   one as 0.5, without a warning, and the value hangs on the batch size.
# Where: torchmetrics 1.9.0, torchmetrics/functional/classification/precision_recall_curve.py,
#   _binary_precision_recall_curve_format (normalize_logits_if_needed at each update).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchmetrics==1.9.0 torch==2.13.0 scikit-learn==1.9.1 numpy==2.4.6)
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
from sklearn.metrics import roc_auc_score
from torchmetrics.classification import BinaryAUROC

print({name: version(name) for name in ["torchmetrics", "torch", "scikit-learn", "numpy"]})
known = torch.tensor([0.85, 0.90, 0.95])
unknown = torch.tensor([1.2, 1.3, 1.4])
scores = torch.cat([known, unknown])
labels = torch.tensor([0, 0, 0, 1, 1, 1])
exact = roc_auc_score(labels, scores)
together = BinaryAUROC()(scores, labels).item()
metric = BinaryAUROC()
metric.update(known, labels[:3])
metric.update(unknown, labels[3:])
batches = metric.compute().item()
print("errors .85-.95 (known), 1.2-1.4 (unknown): scikit-learn", exact, "one batch", together, "two batches", batches)

torch.manual_seed(0)
errors = torch.cat([20 + 20 * torch.rand(500), 30 + 20 * torch.rand(500)])
classes = torch.cat([torch.zeros(500), torch.ones(500)]).int()
good = roc_auc_score(classes, errors)
squashed = BinaryAUROC()(errors, classes).item()
print(f"errors of 20 to 50: scikit-learn {good:.3f} torchmetrics {squashed:.3f}")
checks = {
    "all in one batch: 1": exact == together == 1,
    "in two batches: 0": batches == 0,
    "large errors: 0.5 where scikit-learn has above 0.85": squashed == 0.5 and good > 0.85,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
