#!/usr/bin/env bash
# safetensors.numpy writes an array in its memory order under its logical shape
#
# Guess: An array comes back as it was saved, whatever its memory layout, or the layout is refused
#   (safetensors.torch refuses).
# What happens: A Fortran-ordered array, a transpose and a strided slice are written as the bytes lie in
#   memory, with the shape of the view: the file loads without a word and holds other numbers.
# Why it matters: Weights and images are transposed all the time (a decoder's tied weights are the encoder's,
#   transposed; images move between channel orders). The file is valid and the shapes agree, so nothing
#   notices but the accuracy. Remedy: numpy.ascontiguousarray before saving.
# Where: safetensors 0.8.0, safetensors/numpy.py, save and save_file.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(safetensors==0.8.0 numpy==2.4.6)
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
from safetensors.numpy import load, save

print({name: version(name) for name in ["safetensors", "numpy"]})
matrix = np.arange(6.0).reshape(2, 3)
wide = np.arange(12.0).reshape(3, 4)
arrays = {
    "C order": matrix,
    "Fortran order": np.asfortranarray(matrix),
    "transpose": matrix.T,
    "every second": wide[:, ::2],
}
checks = {}
for name, array in arrays.items():
    back = load(save({name: array}))[name]
    print(name, "saved:", array.tolist(), "loaded:", back.tolist())
    same = np.array_equal(array, back)
    if name == "C order":
        checks["an array in C order comes back"] = same
    else:
        checks[f"{name}: loads with the right shape and other numbers"] = back.shape == array.shape and not same
contiguous = load(save({"a": np.ascontiguousarray(matrix.T)}))["a"]
checks["ascontiguousarray mends it"] = np.array_equal(contiguous, matrix.T)

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
