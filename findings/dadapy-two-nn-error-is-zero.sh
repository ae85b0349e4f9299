#!/usr/bin/env bash
# dadapy's two-nearest-neighbour dimension comes with an error of 0.0
#
# Guess: compute_id_2NN returns the dimension and its standard error: for 500 points some 4 % of the value.
# What happens: The error is the spread over random parts of the data; with the default data_fraction of 1
#   there is one part, so it is exactly 0.0, at 50 points as at 5000, while the answers for twenty clouds of
#   50 points have a standard deviation of 0.9.
# Why it matters: A dimension with '+- 0.0' in a table reads as exact. The error needs data_fraction < 1,
#   several data sets or theory (value / sqrt(n)).
# Where: dadapy 0.3.4, dadapy/id_estimation.py, IdEstimation.compute_id_2NN.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(dadapy==0.3.4 numpy==1.26.4)
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
from dadapy import Data

print({name: version(name) for name in ["dadapy", "numpy"]})


def estimate(n, seed):
    generator = np.random.default_rng(seed)
    cloud = generator.uniform(size=(n, 5)) @ np.random.default_rng(99).normal(size=(5, 20))
    data = Data(cloud, verbose=False)
    data.compute_distances(maxk=10)
    dimension, error, _ = data.compute_id_2NN()
    return float(dimension), float(error)


small = [estimate(50, seed) for seed in range(20)]
large = estimate(2000, 0)
spread = float(np.std([dimension for dimension, _ in small]))
print("50 points, four clouds (dimension, error):", [(round(d, 2), e) for d, e in small[:4]])
print(f"2000 points: {large[0]:.2f}, {large[1]}; spread of 20 clouds of 50 points: {spread:.2f}")
checks = {
    "every reported error is exactly 0": all(e == 0 for _, e in [*small, large]),
    "the spread between clouds is not": spread > 0.2,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
