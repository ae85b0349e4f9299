#!/usr/bin/env bash
# scikit-dimension's TwoNN drops duplicated rows in 15 columns and is ruined by them in 784
#
# Guess: Points whose nearest neighbour is at distance 0 are dropped, with a warning, as it says: 30 %
#   repeated rows cost some points, whatever the width.
# What happens: In wide rows distances come from |x|^2 + |y|^2 - 2xy, so most equal rows are some 1e-8 apart,
#   not 0: they stay, with ratios of a hundred million, and the warning names a part of the points only. The
#   dimension of a 5-dimensional cloud reads 0.1 instead of 4 to 6.
# Why it matters: Images have more than 25 pixels. A set that was oversampled, or holds repeated images, gets
#   a dimension near 0, and the guard against it fails just there.
# Where: scikit-dimension 0.5.0, skdim/id/_TwoNN.py, _twonn (pairwise_distances_chunked).
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


def dimension(width):
    generator = np.random.default_rng(0)
    cloud = generator.uniform(size=(500, 5)) @ generator.normal(size=(5, width))
    repeated = np.vstack([cloud, cloud[:150]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = float(skdim.id.TwoNN().fit(repeated).dimension_)
    dropped = sum(int(str(w.message).split()[1]) for w in caught if "duplicate" in str(w.message))
    alone = float(skdim.id.TwoNN().fit(cloud).dimension_)
    print(f"{width} columns: without repeats {alone:.2f}; with 150 rows twice {value:.2f}, dropped {dropped} of 300")
    return alone, value, dropped


narrow, wide = dimension(15), dimension(784)
checks = {
    "15 columns: all 300 are dropped, and the dimension is between 3 and 8": narrow[2] == 300 and 3 < narrow[1] < 8,
    "784 columns: fewer are dropped, and the dimension is below 1": wide[2] < 300 and wide[1] < 1,
    "without repeats both are between 3.5 and 5.5": all(3.5 < v[0] < 5.5 for v in (narrow, wide)),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
