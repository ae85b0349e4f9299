#!/usr/bin/env bash
# torchmetrics' Accuracy and MulticlassAccuracy of the same answers are two numbers
#
# Guess: Accuracy(task='multiclass') makes a MulticlassAccuracy, so the two agree: 90 right of 100 are 0.9.
# What happens: The default of one is average='micro', of the other 'macro', the mean over classes: 0.9 and 0.5.
#   The functional forms differ likewise.
# Why it matters: An accuracy is compared with a paper's. Where classes are of unequal size, as with unknown
#   classes among the images, the two are far apart, and both are called accuracy. Remedy: say average.
# Where: torchmetrics 1.9.0, torchmetrics/classification/accuracy.py, Accuracy.__new__ and MulticlassAccuracy.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchmetrics==1.9.0 torch==2.15.0 numpy==2.4.6)
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
from torchmetrics import Accuracy
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional import accuracy
from torchmetrics.functional.classification import multiclass_accuracy

print({name: version(name) for name in ["torchmetrics", "torch", "numpy"]})
answers, labels = torch.zeros(100, dtype=torch.long), torch.tensor([0] * 90 + [1] * 10)
plain = Accuracy(task="multiclass", num_classes=2)
named = MulticlassAccuracy(num_classes=2)
first, second = plain(answers, labels).item(), named(answers, labels).item()
third = accuracy(answers, labels, task="multiclass", num_classes=2).item()
fourth = multiclass_accuracy(answers, labels, num_classes=2).item()
print(f"Accuracy(task=...): {first:.2f}, a {type(plain).__name__}; MulticlassAccuracy: {second:.2f}")
print(f"functional accuracy: {third:.2f}; functional multiclass_accuracy: {fourth:.2f}")
checks = {
    "Accuracy makes a MulticlassAccuracy": type(plain) is type(named),
    "90 right of 100: 0.90 by the one": abs(first - 0.9) < 1e-6 and abs(third - 0.9) < 1e-6,
    "0.50 by the other": abs(second - 0.5) < 1e-6 and abs(fourth - 0.5) < 1e-6,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
