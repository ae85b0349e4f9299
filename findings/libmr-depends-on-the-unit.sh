#!/usr/bin/env bash
# libmr's probability changes with the unit in which distances are measured
#
# Guess: A Weibull distribution has a scale: distances in millimetres or metres give the same probability for
#   the same point.
# What happens: The tail is moved so that its smallest value is 1, in whatever unit, and the location is then
#   held at 0: the same point of the same data has 0.21, 0.15, 0.05 or 0.0 as distances are multiplied by
#   0.001, 1, 10 or 1000.
# Why it matters: OpenMax fits distances between logits, and the scale of logits is set by weight decay,
#   training time and temperature: two networks with the same decisions and the same ranks reject different
#   images.
# Where: libmr 0.1.9, libMR/MetaRecognition.cpp, W_score and the fit (x + translate_amount - small_score,
#   translate_amount = 1).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(libmr==0.1.9 numpy==1.26.4)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[1]}" "setuptools<80" wheel cython
    "$python" -m pip install --quiet --no-build-isolation "${packages[0]}"  # its build needs numpy and Cython at hand
fi

cat > "$folder/check.py" <<'PY'
import sys
from importlib.metadata import version

import libmr
import numpy as np

print({name: version(name) for name in ["libmr", "numpy"]})
distances = np.abs(np.random.default_rng(0).normal(size=500))
found = {}
for unit in (0.001, 1, 10, 1000):
    model = libmr.MR()
    model.fit_high(distances * unit, 20)
    found[unit] = [model.w_score(x * unit) for x in (2.0, 2.5, 3.0)]
    print(f"distances times {unit}: probability of the same three points", [round(p, 3) for p in found[unit]])
checks = {
    "the first point: above 0.2 in one unit, below 0.001 in another": found[0.001][0] > 0.2 and found[1000][0] < 0.001,
    "it falls as the unit's number grows": [found[u][0] for u in (0.001, 1, 10, 1000)]
    == sorted((found[u][0] for u in found), reverse=True),
    "the second point rises": found[1000][1] - found[0.001][1] > 0.1,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
