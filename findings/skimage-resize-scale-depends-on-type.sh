#!/usr/bin/env bash
# scikit-image's resize: the same pixels come back as 0..1, 0..255 or all black, by their type
#
# Guess: resize changes the size; values of 0..255 stay so, or all become 0..1.
# What happens: Integers are divided by the largest value of their type and floats are left alone. int64, which
#   numpy gives for lists and for most arithmetic on pixels, is divided by 9.2e18: the picture is black to a
#   network.
# Why it matters: One step before it (a difference, a sum, astype(int)) decides what the network sees; the
#   result is a valid float picture each time. Remedy: to float in [0, 1] by hand first, or preserve_range=True.
# Where: scikit-image 0.26.0, skimage/util/dtype.py, called by transform.resize with preserve_range=False.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(scikit-image==0.26.0 numpy==2.4.6)
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
from skimage.transform import resize

print({name: version(name) for name in ["scikit-image", "numpy"]})
pixels = np.full((32, 32), 200)
brightest = {}
for kind in ("uint8", "uint16", "int64", "float32", "float64"):
    brightest[kind] = float(resize(pixels.astype(kind), (28, 28)).max())
    print(f"{kind}: pixels of 200 become {brightest[kind]:.4g}")
checks = {
    "uint8: 200/255": abs(brightest["uint8"] - 200 / 255) < 1e-6,
    "uint16: 200/65535": abs(brightest["uint16"] - 200 / 65535) < 1e-9,
    "int64: 2e-17, black": 0 < brightest["int64"] < 1e-15,
    "float32 and float64: 200": all(abs(brightest[kind] - 200) < 1e-3 for kind in ("float32", "float64")),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
