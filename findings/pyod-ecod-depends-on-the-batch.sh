#!/usr/bin/env bash
# pyod's ECOD scores an image by the others it is scored with
#
# Guess: A fitted detector's score is a function of the sample: alone, in a batch of its kind, among noise,
#   the same number.
# What happens: decision_function recomputes the empirical distributions on the training data together with
#   the batch. Of 200 unknown digits 14.5 % are flagged one at a time and 9.5 % as one batch: they lend each
#   other support. An image of uniform noise scores 197 alone and 101 among 1000 of its kind. COPOD does the
#   same.
# Why it matters: Outliers come in batches in every open-set test: they mask each other, the result hangs on
#   the batch size, and a threshold found on single images does not hold.
# Where: pyod 3.6.7, pyod/models/ecod.py and copod.py, decision_function (concatenates X_train and X).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(pyod==3.6.7 scikit-learn==1.9.1 numpy==2.4.6)
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

import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from sklearn.datasets import load_digits

print({name: version(name) for name in ["pyod", "scikit-learn", "numpy"]})
warnings.simplefilter("ignore")
digits = load_digits()
images = digits.data / 16
known = images[digits.target < 5]
unknown = images[digits.target >= 5][:200]
noise = np.random.default_rng(0).uniform(size=(1000, 64))
checks = {}
for detector in (ECOD(), COPOD()):
    name = type(detector).__name__
    detector.fit(known[:600])
    alone = np.array([detector.decision_function(x[None])[0] for x in unknown])
    together = detector.decision_function(unknown)
    rates = (alone > detector.threshold_).mean(), (together > detector.threshold_).mean()
    noise_alone = float(detector.decision_function(noise[:1])[0])
    noise_among = float(detector.decision_function(noise)[0])
    print(
        f"{name}: unknown digits flagged alone {rates[0]:.3f}, as one batch {rates[1]:.3f}; "
        f"one noise image alone {noise_alone:.1f}, among 1000 {noise_among:.1f}"
    )
    checks[f"{name}: alone more are flagged than together"] = rates[0] > 1.3 * rates[1]
    checks[f"{name}: noise among noise scores less than 70 % of noise alone"] = noise_among < 0.7 * noise_alone

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
