#!/usr/bin/env bash
# With gamma too large half of a one-class SVM's training points lie outside, whatever nu is
#
# Guess: nu bounds the share of training points outside from above: with nu = 0.01 at most one in a hundred.
# What happens: With a kernel so narrow that all points are far apart every point is a support vector and lies
#   on the boundary, at a decision value of 0 up to the solver's tolerance: half of them come out outside for
#   nu = .01, .1 and .5 alike, and no new image is accepted.
# Why it matters: gamma = 0.1 on 784 pixels in [0, 1], a setting in print, is such a kernel. Rates at the
#   decision 0 mean nothing then, while AUROC may still be good: report orders only, and another gamma beside
#   it.
# Where: scikit-learn 1.9.1, sklearn.svm.OneClassSVM (libsvm, tol = 1e-3).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1)
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
from sklearn.datasets import load_digits
from sklearn.svm import OneClassSVM

print({name: version(name) for name in ["scikit-learn", "numpy", "scipy"]})
digits = load_digits()
zeros = digits.data[digits.target == 0] / 16
train, new = zeros[:120], zeros[120:]
found = {}
for gamma in ("scale", 10.0):
    for nu in (0.01, 0.1, 0.5):
        machine = OneClassSVM(nu=nu, gamma=gamma).fit(train)
        outside = float((machine.predict(train) < 0).mean())
        found[gamma, nu] = outside, len(machine.support_) / 120, float((machine.predict(new) > 0).mean())
        print(
            f"gamma {gamma}, nu {nu}: outside {outside:.2f}, support vectors {found[gamma, nu][1]:.2f}, "
            f"new zeros accepted {found[gamma, nu][2]:.2f}, largest decision value {np.abs(machine.decision_function(train)).max():.1e}"
        )
checks = {
    "gamma 'scale': the share outside is nu, within 0.06": all(
        abs(found["scale", nu][0] - nu) < 0.06 for nu in (0.01, 0.1, 0.5)
    ),
    "gamma 10: 30 % or more outside for every nu": all(found[10.0, nu][0] > 0.3 for nu in (0.01, 0.1, 0.5)),
    "gamma 10: nearly all are support vectors": all(found[10.0, nu][1] > 0.95 for nu in (0.01, 0.1, 0.5)),
    "gamma 10: no new zero is accepted": all(found[10.0, nu][2] < 0.05 for nu in (0.01, 0.1, 0.5)),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
