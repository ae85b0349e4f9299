#!/usr/bin/env bash
# scikit-learn's log_loss of one certain, wrong answer is 6.9, 15.9 or 36.0, by the type of the array
#
# Guess: The negative log-likelihood of a class with probability 0 is infinite; at least it is the same for the
#   same numbers.
# What happens: Probabilities are cut at the machine epsilon of the array's type. That it is cut there is
#   documented; that a cast of exact values changes the result more than twofold is easily missed.
# Why it matters: Softmax outputs of confident networks are exactly 0 and 1 in float32. With such answers wrong
#   on 1 % of the images the mean loss is 0.16 in float32 and 0.36 after astype(float64): as between two
#   calibrations, made by a cast.
# Where: scikit-learn 1.9.1, sklearn/metrics/_classification.py, log_loss.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(scikit-learn==1.9.1 numpy==2.4.6)
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
from sklearn.metrics import log_loss

print({name: version(name) for name in ["scikit-learn", "numpy"]})
answers = [[1.0, 0.0], [1.0, 0.0]]  # the first right, the second wrong: exact in each type
losses = {kind: 2 * float(log_loss([0, 1], np.array(answers, kind))) for kind in ("float16", "float32", "float64")}
for kind, loss in losses.items():
    print(f"{kind}: {loss:.3f} nats for the wrong one; -log of the type's eps is {-np.log(np.finfo(kind).eps):.3f}")
checks = {
    "float16: 6.9": abs(losses["float16"] - 6.93) < 0.05,
    "float32: 15.9": abs(losses["float32"] - 15.942) < 0.01,
    "float64: 36.0": abs(losses["float64"] - 36.044) < 0.01,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
