#!/usr/bin/env bash
# libmr answers -9999 as a probability where the tail's values tie
#
# Guess: A tail of equal distances has no Weibull fit, so fitting raises; or the probability is 0 below and 1
#   above.
# What happens: fit_high says nothing, is_valid turns False, and w_score returns -9999.0 for every input.
#   Distances as they come from repeated images or a saturated layer are enough: 20 equal ones among 60.
# Why it matters: OpenMax multiplies the logits by 1 - weight times this value: with -9999 the class wins or
#   loses everything, for every image, and no one is told.
# Where: libmr 0.1.9, libMR/MetaRecognition.cpp, W_score (-9999 while isvalid is false).
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
generator = np.random.default_rng(0)
spread = np.abs(generator.normal(size=60))
tied = np.repeat([0.1, 0.2, 0.3], 20)
found = {}
for name, distances in (("spread", spread), ("tied", tied)):
    model = libmr.MR()
    model.fit_high(distances, 20)
    found[name] = bool(model.is_valid), [model.w_score(x) for x in (0.0, 0.3, 1.0, 5.0)]
    print(name, "valid:", found[name][0], "probabilities at 0, 0.3, 1, 5:", found[name][1])
checks = {
    "spread: probabilities": found["spread"][0] and all(0 <= p <= 1 for p in found["spread"][1]),
    "tied: -9999 everywhere, without an error": not found["tied"][0] and set(found["tied"][1]) == {-9999.0},
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
