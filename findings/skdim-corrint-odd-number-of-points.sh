#!/usr/bin/env bash
# With an odd number of points scikit-dimension's CorrInt depends on the unit and the origin
#
# Guess: A ratio of distances: the dimension of the points is the same in millimetres and metres, up to rounding.
# What happens: 31 points: 10.694, times 10 10.498, divided by 255 10.791, though 30 points give 10.591 each time.
#   With 1001 points the second or third decimal changes. (k1 = 5, k2 = 10; the last bits may differ by machine.)
# Why: The two radii are medians of distances to the k-th neighbour. Of an odd number the median is one of these
#   distances itself. The pairs closer than it (<) are counted in a second computation of the distances, whose last
#   bit may differ: rounding decides whether that pair counts. Of an even number the radius lies between two.
# Why it matters: Scaling pixels to 0..1 or centring them looks as if it changed the geometry, the more so the
#   fewer points a class has. Remedy: an even number of points.
# Where: scikit-dimension 0.5.0, skdim/id/_CorrInt.py, _corrint (r1, r2, chunk < r1).
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
changes = {
    "as it is": lambda x: x,
    "times 2": lambda x: x * 2,
    "times 10": lambda x: x * 10,
    "over 255": lambda x: x / 255,
    "plus 100": lambda x: x + 100,
    "plus 1000": lambda x: x + 1000,
}
spread, doubled = {}, {}
for n in (30, 31, 300, 301, 1000, 1001):
    points = np.random.default_rng(0).normal(size=(n, 50))
    answers = {name: float(skdim.id.CorrInt(5, 10).fit(f(points)).dimension_) for name, f in changes.items()}
    spread[n] = max(answers.values()) - min(answers.values())
    doubled[n] = answers["times 2"] == answers["as it is"]
    print(f"{n} points:", {name: round(value, 4) for name, value in answers.items()}, f"spread {spread[n]:.1e}")
checks = {
    "31 points: the answers differ by more than 0.05": spread[31] > 0.05,
    "301 and 1001 points: by more than 0.001": min(spread[301], spread[1001]) > 0.001,
    "30, 300 and 1000 points: they agree to 0.0001": max(spread[30], spread[300], spread[1000]) < 1e-4,
    "times 2, which rounds nothing, changes nothing": all(doubled.values()),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
