#!/usr/bin/env bash
# torchmetrics' calibration error puts confidences of exactly 1 into a bin of their own
#
# Guess: With n bins the last one is closed on the right: a confidence of exactly 1.0 is counted together with
#   0.95.
# What happens: The edges are searched with right=True, so exactly 1.0 falls into a bin n + 1. Errors that
#   cancel within the last bin no longer cancel: 0.08 instead of 0.02 here.
# Why it matters: Softmax outputs of confident networks are exactly 1.0 in float32 for most images, so that
#   extra bin holds most of the data, and the value differs from other libraries' and from the same
#   probabilities in float64.
# Where: torchmetrics 1.9.0, torchmetrics/functional/classification/calibration_error.py, _binning_bucketize.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6)
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
from torchmetrics.classification import BinaryCalibrationError

print({name: version(name) for name in ["torchmetrics", "torch", "numpy"]})


def error(confidence):
    """50 right predictions at .94, and 50 at the given confidence, 45 of them right: ten bins."""
    probabilities = torch.tensor([0.94] * 50 + [confidence] * 50)
    right = torch.tensor([1] * 95 + [0] * 5)
    return BinaryCalibrationError(n_bins=10, norm="l1")(probabilities, right).item()


one, nearly = error(1.0), error(0.999999)
by_hand = abs((0.94 + 1.0) / 2 - 0.95)
print(f"at exactly 1: {one:.4f}; at 0.999999: {nearly:.4f}; one bin from 0.9 to 1, by hand: {by_hand:.4f}")
checks = {
    "at 0.999999 as by hand": abs(nearly - by_hand) < 1e-4,
    "at exactly 1 four times as much": abs(one - 0.08) < 1e-4,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
