#!/usr/bin/env bash
# pytorch-ood's Mahalanobis score is N times too small: twice the training data, half the score
#
# Guess: The score is half the squared Mahalanobis distance under the shared covariance, as documented: the
#   same training set given twice has the same means and covariance and gives the same scores.
# What happens: The 'covariance' is a sum over the training images that is never divided by their number, so
#   all scores halve. The order of scores, and AUROC, do not change; a threshold does, and so does the weight
#   of the regulariser 1e-6, which is relative to the sum.
# Why it matters: Thresholds and the logistic regression over layers (as in the paper) do not carry over to
#   another number of training images, and a chi-square reading of the distances is off by a factor of
#   thousands.
# Where: pytorch-ood 0.4.0, pytorch_ood/detector/mahalanobis.py, Mahalanobis.fit_features.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(pytorch-ood==0.4.0 torch==2.14.1 torchvision==0.29.1 scikit-learn==1.9.1 numpy==2.4.6)
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

import torch
from pytorch_ood.detector import Mahalanobis

print({name: version(name) for name in ["pytorch-ood", "torch", "torchvision", "scikit-learn", "numpy"]})
torch.manual_seed(0)
features, labels = torch.randn(1000, 8) @ torch.randn(8, 8), torch.arange(1000) % 4
new = torch.randn(200, 8) @ torch.randn(8, 8)
once = Mahalanobis(None).fit_features(features, labels).predict_features(new)
twice = Mahalanobis(None).fit_features(features.repeat(2, 1), labels.repeat(2)).predict_features(new)
means = torch.stack([features[labels == k].mean(0) for k in range(4)])
centred = features - means[labels]
precision = torch.linalg.inv(centred.T @ centred / len(features))
difference = new[:, None] - means
exact = 0.5 * torch.einsum("nki,ij,nkj->nk", difference, precision, difference).min(1).values
print("score with the training set once / twice:", round((once / twice).median().item(), 4))
print("exact / given:", round((exact / once).median().item(), 1), "with 1000 training images")
checks = {
    "twice the data: half the score": (once / twice - 2).abs().max().item() < 0.01,
    "1000 times too small with 1000 images": (exact / once / 1000 - 1).abs().max().item() < 0.01,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
