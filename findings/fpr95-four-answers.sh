#!/usr/bin/env bash
# 'FPR at 95 % TPR' of the same scores: two conventions, and 0, 0.95 or 1 for a constant score
#
# Guess: The name says it all, so libraries agree; a constant score, that tells nothing, gets the worst value,
#   1: to accept 95 % of the positives one must accept everything.
# What happens: oodeel counts the unknown as positive, ood-metrics the known: 0.83 and 0.17 for the same
#   scores. For a constant score ood-metrics interpolates to 0.95, and oodeel, which takes the first point
#   BELOW 95 %, answers 0.0, the best there is.
# Why it matters: The figure is the field's headline number beside AUROC. It cannot be compared between papers
#   without the convention, and a score that has collapsed to one value (a saturated confidence) can win the
#   table.
# Where: ood-metrics 1.1.2, ood_metrics/metrics.py, fpr_at_95_tpr; oodeel 0.4.0, oodeel/eval/metrics.py,
#   bench_metrics.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(ood-metrics==1.1.2 oodeel==0.4.0 scikit-learn==1.9.1 numpy==1.26.4)
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
from ood_metrics import fpr_at_95_tpr
from oodeel.eval.metrics import bench_metrics

print({name: version(name) for name in ["ood-metrics", "oodeel", "scikit-learn", "numpy"]})
generator = np.random.default_rng(0)
known = generator.normal(0, 1, 2000)
unknown = np.concatenate([generator.normal(3, 1, 1800), generator.normal(-1, 0.5, 200)])
outlier_score = np.concatenate([known, unknown])
is_unknown = np.concatenate([np.zeros(2000), np.ones(2000)])
constant = np.full(4000, 0.5)


def both(score):
    return (fpr_at_95_tpr(-score, 1 - is_unknown), bench_metrics(score, is_unknown, metrics=["fpr95tpr"])["fpr95tpr"])


first = both(outlier_score)
same = both(constant)
print("the same scores: ood-metrics", round(first[0], 3), "oodeel", round(first[1], 3))
print("a constant score: ood-metrics", same[0], "oodeel", same[1], "(accepting everything is the only way: 1)")
checks = {
    "the two differ by more than 0.5": first[1] - first[0] > 0.5,
    "ood-metrics with the unknown as positive agrees with oodeel": abs(
        fpr_at_95_tpr(outlier_score, is_unknown) - first[1]
    )
    < 0.01,
    "constant: 0.95 from ood-metrics": abs(same[0] - 0.95) < 1e-9,
    "constant: 0 from oodeel": same[1] == 0,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
