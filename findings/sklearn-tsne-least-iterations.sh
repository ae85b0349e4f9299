#!/usr/bin/env bash
# scikit-learn's t-SNE at the least iterations it takes never leaves its early exaggeration
#
# Guess: max_iter=250, the smallest value that is not refused, gives a rough picture in which classes can be told.
# What happens: All 250 iterations are those of the early exaggeration, which follow another objective. The
#   embedding is at chance, kl_divergence_ is the largest float there is, and no warning is given. 50 iterations
#   more give the picture.
# Why it matters: A quick look at latents, or a test that saves time, takes the smallest value; the picture then
#   says that the code knows nothing of the classes.
# Where: scikit-learn 1.9.1, sklearn/manifold/_t_sne.py, TSNE._tsne (_EXPLORATION_MAX_ITER = 250).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1)
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
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE

print({name: version(name) for name in ["scikit-learn", "numpy", "scipy"]})
images, labels = load_digits(return_X_y=True)
images, labels = images[:200].astype(np.float32), labels[:200]
found = {}
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for iterations in (250, 300):
        tsne = TSNE(max_iter=iterations, init="pca", random_state=0)
        plane = tsne.fit_transform(images)
        distances = ((plane[:, None] - plane) ** 2).sum(2)
        np.fill_diagonal(distances, np.inf)
        same = (labels[distances.argsort(1)[:, :10]] == labels[:, None]).mean()
        found[iterations] = (float(tsne.kl_divergence_), float(same))
        print(f"max_iter={iterations}: kl_divergence_ {found[iterations][0]:.4g}, same class among 10 neighbours {same:.3f}")
checks = {
    "250 iterations: the divergence is the largest float": found[250][0] == sys.float_info.max,
    "250 iterations: neighbours in the picture are at chance (0.1)": found[250][1] < 0.2,
    "300 iterations: neighbours are of one class": found[300][1] > 0.85,
    "no warning": not told,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
