#!/usr/bin/env bash
# One repeated row makes scikit-dimension's MLE answer 0 and its DANCo nan
#
# Guess: The distance 0 is skipped, or one neighbourhood of a thousand is off a little: the answer changes in
#   the third digit.
# What happens: MLE's default combination is the harmonic mean of the local estimates, and the local estimate
#   at a repeated row is 0: so is the whole. The median combination is unmoved. DANCo gives nan.
# Why it matters: Image sets hold exact duplicates (a handful in 60,000 digits; black or saturated pictures;
#   every oversampled set). The dimension of the data then reads 0.
# Where: scikit-dimension 0.5.0, skdim/id/_MLE.py, fit (comb='mle') and _maxLikDimEstFromR_haro_approx.
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
from importlib.metadata import version

import numpy as np
import skdim

print({name: version(name) for name in ["scikit-dimension", "numpy", "scikit-learn", "scipy"]})
warnings.simplefilter("ignore")
generator = np.random.default_rng(0)
cloud = generator.uniform(size=(1000, 5)) @ generator.normal(size=(5, 10))
repeated = np.vstack([cloud, cloud[:1]])


def both(estimate):
    return tuple(round(float(estimate(x)), 3) for x in (cloud, repeated))


found = {
    "MLE": both(lambda x: skdim.id.MLE().fit(x).dimension_),
    "MLE, median": both(lambda x: skdim.id.MLE().fit(x, comb="median").dimension_),
    "DANCo": both(lambda x: skdim.id.DANCo(random_state=0).fit(x).dimension_),
}
for name, (without, with_one) in found.items():
    print(f"{name}: 1000 points of a 5-dimensional cloud {without}, with one row twice {with_one}")
checks = {
    "without a repeated row all answer 4 to 5.5": all(4 < v[0] < 5.5 for v in found.values()),
    "MLE: 0": found["MLE"][1] == 0,
    "the median stays": abs(found["MLE, median"][1] - found["MLE, median"][0]) < 0.1,
    "DANCo: nan": np.isnan(found["DANCo"][1]),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
