#!/usr/bin/env bash
# scikit-dimension's KNN estimator decides the dimension of 1000 points from 3 to 6 of them, drawn by chance
#
# Guess: An estimator that is given 1000 points uses them; called twice on the same array it answers the same,
#   or nearly.
# What happens: By default it draws one sample each of 3, 4, 5 and 6 points (with replacement). On a
#   5-dimensional cloud in 20 columns 40 calls answer anything from 1 to 20.
# Why it matters: A table of estimates by method shows such a number beside the others. It needs ps, M and
#   random_state by hand.
# Where: scikit-dimension 0.5.0, skdim/id/_KNN.py, fit (_ps) and _knnDimEst.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(scikit-dimension==0.5.0 numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1)
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
from collections import Counter
from importlib.metadata import version

import numpy as np
import skdim

print({name: version(name) for name in ["scikit-dimension", "numpy", "scikit-learn", "scipy"]})
warnings.simplefilter("ignore")
generator = np.random.default_rng(0)
cloud = generator.uniform(size=(1000, 5)) @ generator.normal(size=(5, 20))
answers = Counter(int(skdim.id.KNN(random_state=seed).fit(cloud).dimension_) for seed in range(40))
print("dimension: how often in 40 calls", dict(sorted(answers.items())))
print("TwoNN on the same cloud:", round(float(skdim.id.TwoNN().fit(cloud).dimension_), 2))
checks = {
    "at least four different answers": len(answers) >= 4,
    "from 2 or less to 10 or more": min(answers) <= 2 and max(answers) >= 10,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
