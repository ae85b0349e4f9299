#!/usr/bin/env bash
# ood-metrics' detection error weighs the two kinds of error with each other's share
#
# Guess: The detection error is P(positive) (1 - TPR) + P(negative) FPR at the best threshold with TPR of 95 %
#   or more: the share of samples that are told wrongly.
# What happens: The two shares are exchanged. With as many known as unknown nothing shows; with nine to one
#   the answer is 0.36 where at most 0.1 is possible, the error of accepting everything.
# Why it matters: Test sets of known and unknown images are seldom of one size (10,000 against 26,032 or
#   300,000), and the value is then neither an error rate nor comparable with another one.
# Where: ood-metrics 1.1.2, ood_metrics/metrics.py, detection_error.
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
from ood_metrics import detection_error
from sklearn.metrics import roc_curve

print({name: version(name) for name in ["ood-metrics", "scikit-learn", "numpy"]})
generator = np.random.default_rng(0)


def compare(n_known, n_unknown):
    score = np.concatenate([generator.normal(2, 1, n_known), generator.normal(0, 1, n_unknown)])
    is_known = np.concatenate([np.ones(n_known), np.zeros(n_unknown)])
    fpr, tpr, _ = roc_curve(is_known, score)
    share = n_known / (n_known + n_unknown)
    kept = tpr >= 0.95
    by_hand = (share * (1 - tpr) + (1 - share) * fpr)[kept].min()
    swapped = ((1 - share) * (1 - tpr) + share * fpr)[kept].min()
    given = detection_error(score, is_known)
    print(
        f"{n_known} known, {n_unknown} unknown: given {given:.4f}, by hand {by_hand:.4f}, shares exchanged {swapped:.4f}"
    )
    return given, by_hand, swapped


equal, uneven = compare(1000, 1000), compare(900, 100)
checks = {
    "as many of both: as by hand": abs(equal[0] - equal[1]) < 1e-9,
    "nine to one: above 0.1, which accepting everything reaches": uneven[0] > 0.15 and uneven[1] <= 0.1,
    "nine to one: exactly the exchanged shares": abs(uneven[0] - uneven[2]) < 1e-9,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
