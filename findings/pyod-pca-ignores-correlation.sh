#!/usr/bin/env bash
# pyod's PCA scores the point that breaks the correlation like the one that follows it
#
# Guess: A score from principal components divides by each component's variance: of two points equally far
#   from the mean, the one off the data's line is the outlier.
# What happens: decision_function takes the distance from the sample to the tip of each unit eigenvector, as
#   points, not the projection on it. On data along the diagonal (correlation 0.995) the points (2, 2) and (2,
#   -2) score 1188 and 1499 where the squared Mahalanobis distances are 4 and 1555, and a point and its mirror
#   image about the mean differ. It is little more than a distance from the mean.
# Why it matters: PCA is the baseline beside an autoencoder's reconstruction error. This one does not use what
#   PCA learnt; with constant pixels (digits' corners) it divides by eigenvalues of 1e-33 and gives scores of
#   1e34 to ordinary digits.
# Where: pyod 3.6.7, pyod/models/pca.py, decision_function (cdist with selected_components_).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(pyod==3.6.7 scikit-learn==1.9.1 numpy==2.4.6)
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
from pyod.models.pca import PCA
from sklearn.datasets import load_digits

print({name: version(name) for name in ["pyod", "scikit-learn", "numpy"]})
warnings.simplefilter("ignore")
generator = np.random.default_rng(0)
common = generator.normal(size=2000)
data = np.stack([common, common], 1) + 0.07 * generator.normal(size=(2000, 2))
model = PCA().fit(data)
points = np.array([[2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]])
scores = model.decision_function(points)
inverse = np.linalg.inv(np.cov(data.T))
mahalanobis = np.einsum("ni,ij,nj->n", points, inverse, points)
print("correlation", round(float(np.corrcoef(data.T)[0, 1]), 3))
for point, score, exact in zip(points.tolist(), scores, mahalanobis):
    print(point, "pyod", round(float(score), 1), "squared Mahalanobis distance", round(float(exact), 1))

digits = load_digits()
images = digits.data[digits.target < 5] / 16
largest = float(np.median(PCA().fit(images[:600]).decision_function(images[600:])))
constant = int((images[:600].std(0) == 0).sum())
print(f"digits, {constant} of 64 pixels constant: median score of new digits of the same classes {largest:.1e}")
checks = {
    "along and across the diagonal: less than 1.5 times apart": 1 < scores[1] / scores[0] < 1.5,
    "exact distances: more than 200 times apart": mahalanobis[1] > 200 * mahalanobis[0],
    "a point and its mirror image about the mean differ": abs(scores[0] - scores[2]) > 0.01,
    "constant pixels: scores above 1e20": largest > 1e20,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
