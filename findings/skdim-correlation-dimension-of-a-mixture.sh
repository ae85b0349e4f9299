#!/usr/bin/env bash
# On clusters of unequal size and spread the correlation dimension falls with more points while others rise
#
# Guess: More points bring every estimator nearer to the same value, or at least move them the same way.
# What happens: scikit-dimension's CorrInt counts pairs closer than the median distance to the 10th and 20th
#   neighbour. With more points those radii shrink until the tight cluster, a tenth of the data, has nearly
#   all the close pairs: 5.5 to 2.0 from 500 to 4000 points, while MLE goes from 4.9 to 7.2 on the same data.
# Why it matters: Handwritten digits are such a mixture: the ones are thin and close together. A dimension of
#   'the data' says what the tightest class is; dimensions belong to one class each, with the number of
#   points.
# Where: scikit-dimension 0.5.0, skdim/id/_CorrInt.py, _corrint.
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
from importlib.metadata import version

import numpy as np
import skdim

print({name: version(name) for name in ["scikit-dimension", "numpy", "scikit-learn", "scipy"]})


def mixture(n):
    """A tenth of the points on a short line, the rest in a 10-dimensional cube beside it; noise of 0.001 in all 20 columns."""
    generator = np.random.default_rng(0)
    x = 1e-3 * generator.normal(size=(n, 20))
    x[: n // 10, 0] += 0.3 * generator.uniform(size=n // 10)
    x[n // 10 :, :10] += generator.uniform(size=(n - n // 10, 10))
    x[n // 10 :, 15] += 5
    return x


found = []
for n in (500, 1000, 2000, 4000):
    x = mixture(n)
    found.append((float(skdim.id.CorrInt().fit(x).dimension_), float(skdim.id.MLE().fit(x).dimension_)))
    print(f"{n} points: correlation dimension {found[-1][0]:.2f}, MLE {found[-1][1]:.2f}")
correlation, mle = zip(*found)
checks = {
    "the correlation dimension falls at every step, to less than half": list(correlation)
    == sorted(correlation, reverse=True)
    and correlation[-1] < correlation[0] / 2,
    "MLE rises at every step": list(mle) == sorted(mle),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
