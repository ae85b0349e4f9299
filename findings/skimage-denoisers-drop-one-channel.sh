#!/usr/bin/env bash
# scikit-image's denoisers drop a channel axis of one, and the residual is a cube
#
# Guess: 'Denoised image, of same shape as `image`': (28, 28, 1) in with channel_axis=-1, (28, 28, 1) out.
# What happens: (28, 28) comes out of denoise_nl_means, denoise_tv_bregman and denoise_bilateral, (28, 28, 1) out of
#   denoise_tv_chambolle. x - denoised is then (28, 28, 28) without an error, as rows meet channels, and the mean
#   squared residual of a digit 0.166 in place of 0.002. With three channels all keep the shape.
# Why it matters: MNIST in the form N x 28 x 28 x 1 is gray with a channel axis. A score from what a denoiser takes
#   away is then some eighty times too large, and says nothing about the noise.
# Where: scikit-image 0.26.0, skimage/restoration/_denoise.py (np.squeeze of the result); for denoise_nl_means in
#   the compiled part that non_local_means.py calls.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(scikit-image==0.26.0 scikit-learn==1.9.1 numpy==2.4.6)
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
from skimage import restoration
from sklearn.datasets import load_digits

print({name: version(name) for name in ["scikit-image", "scikit-learn", "numpy"]})
warnings.simplefilter("ignore")
digit = np.pad(np.kron(load_digits().images[0] / 16, np.ones((3, 3))), 2)[..., None]
shapes = {}
for name, settings in {
    "denoise_nl_means": {"h": 0.1, "patch_size": 3, "patch_distance": 5},
    "denoise_tv_bregman": {},
    "denoise_bilateral": {},
    "denoise_tv_chambolle": {},
}.items():
    denoise = getattr(restoration, name)
    gray = denoise(digit, channel_axis=-1, **settings)
    colour = denoise(np.repeat(digit, 3, -1), channel_axis=-1, **settings)
    shapes[name] = gray.shape, colour.shape
    print(f"{name}: {digit.shape} becomes {gray.shape}, (28, 28, 3) becomes {colour.shape}")
    if name == "denoise_nl_means":
        wrong, right = ((digit - gray) ** 2), ((digit[..., 0] - gray) ** 2)
        print(f"  x - denoised: {wrong.shape}, mean square {wrong.mean():.4f}; without the axis {right.mean():.4f}")
checks = {
    "three of them drop the axis": all(s[0] == (28, 28) for n, s in shapes.items() if n != "denoise_tv_chambolle"),
    "denoise_tv_chambolle keeps it": shapes["denoise_tv_chambolle"][0] == (28, 28, 1),
    "three channels: all keep the shape": all(s[1] == (28, 28, 3) for s in shapes.values()),
    "the residual is a cube, its mean square over 20 times too large": wrong.shape == (28, 28, 28)
    and wrong.mean() > 20 * right.mean(),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
