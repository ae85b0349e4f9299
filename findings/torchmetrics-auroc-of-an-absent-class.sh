#!/usr/bin/env bash
# torchmetrics' multi-class AUROC counts a class without images as 0: a perfect ranking of two of three is 0.67
#
# Guess: A class without images has no AUROC: NaN, or left out of the mean, as torchmetrics' own accuracy leaves
#   it out.
# What happens: It counts as 0, the worst ranking there is, worse than chance, though a warning speaks of the
#   missing samples.
# Why it matters: Networks that know some of the classes, and small test sets, have absent classes all the time;
#   of ten classes with five present a perfect ranking is 0.5, which reads as chance.
# Where: torchmetrics 1.9.0, torchmetrics/functional/classification/roc.py and auroc.py, _reduce_auroc.
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
import warnings
from importlib.metadata import version

import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC

print({name: version(name) for name in ["torchmetrics", "torch", "numpy"]})
probabilities = torch.tensor([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.2, 0.8, 0.0]])
labels = torch.tensor([0, 0, 1, 1])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    ranking = MulticlassAUROC(num_classes=3)(probabilities, labels).item()
    each = MulticlassAUROC(num_classes=3, average=None)(probabilities, labels).tolist()
    accuracy = MulticlassAccuracy(num_classes=3)(probabilities, labels).item()
print(f"AUROC {ranking:.3f}, by class {each}; accuracy, a mean over classes too, {accuracy:.3f}")
print({str(warning.message)[:100] for warning in said})
checks = {
    "the absent class has an AUROC of 0": each == [1.0, 1.0, 0.0],
    "it is in the mean: 0.667": abs(ranking - 2 / 3) < 1e-4,
    "the accuracy leaves it out: 1": accuracy == 1.0,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
