#!/usr/bin/env bash
# The area under the precision-recall curve of a constant score is 0.75, of a useless one 0.5
#
# Guess: A score that is the same for every image tells nothing, so its area is the share of positives: 0.5 on
#   balanced data, as for random scores.
# What happens: ood-metrics joins the curve's points by straight lines; a constant score has two points,
#   (recall 0, precision 1) and (1, 0.5), and gets 0.75. The more ties, the higher: a random score in 2 steps
#   is above 0.6, a random one without ties 0.5. (pytorch-ood 0.4.0 has the same 0.75.) scikit-learn's average
#   precision stays at 0.5.
# Why it matters: Confidences of over-confident networks tie at exactly 1.0, the more so in float16: a
#   saturated, useless score gets a better AUPR than an honest random one.
# Where: ood-metrics 1.1.2, ood_metrics/metrics.py, aupr (auc over precision_recall_curve).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(ood-metrics==1.1.2 scikit-learn==1.9.1 numpy==1.26.4)
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
from ood_metrics import aupr
from sklearn.metrics import average_precision_score

print({name: version(name) for name in ["ood-metrics", "scikit-learn", "numpy"]})
generator = np.random.default_rng(0)
labels = np.tile([0, 1], 5000)
score = generator.uniform(size=10000)
found = {}
for name, values in {
    "constant": np.full(10000, 0.5),
    "random, two steps": np.round(score),
    "random, no ties": score,
}.items():
    found[name] = aupr(values, labels), average_precision_score(labels, values)
    print(f"{name}: trapezoids {found[name][0]:.3f}, average precision {found[name][1]:.3f}")
checks = {
    "constant: 0.75": found["constant"][0] == 0.75,
    "two steps: above 0.6": found["random, two steps"][0] > 0.6,
    "no ties: 0.5": abs(found["random, no ties"][0] - 0.5) < 0.03,
    "average precision: 0.5 for all three": all(abs(v[1] - 0.5) < 0.03 for v in found.values()),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
