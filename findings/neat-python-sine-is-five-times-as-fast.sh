#!/usr/bin/env bash
# neat-python's sine is sin(5z), and constant beyond |z| = 12
#
# Guess: The activation called sin is the sine, so a CPPN with weight w over a coordinate has w / 2 pi waves
#   to the unit, everywhere.
# What happens: Its argument is multiplied by 5 and then clamped to [-60, 60]: five times as many waves, and
#   from |z| = 12 on none at all, the flat value sin(60) = -0.30. gauss is exp(-5 z^2), sigmoid 1 / (1 +
#   exp(-5 z)).
# Why it matters: CPPNs that draw fooling images use pixel numbers (0 to 27) and weights up to 10: the stripes
#   of such a picture end where |weight x pixel| = 12, and the rest is one grey. Figures drawn with the plain
#   sine have another period.
# Where: neat-python 2.0.0, neat/activations.py, sin_activation, gauss_activation, sigmoid_activation.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(neat-python==2.0.0)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import math
import sys
from importlib.metadata import version

from neat.activations import ActivationFunctionSet

print({name: version(name) for name in ["neat-python"]})
functions = ActivationFunctionSet()
sine = functions.get("sin")
for z in (0.1, 1.0, 11.9, 12.0, 13.0, 100.0):
    print(f"sin activation at {z}: {sine(z):.4f}, sine {math.sin(z):.4f}, sine of 5z {math.sin(5 * z):.4f}")
row = [sine(1.0 * x) for x in range(28)]
print("one row of a 28-pixel image, weight 1:", [round(v, 2) for v in row])
checks = {
    "it is sin(5z) up to 12": all(abs(sine(z) - math.sin(5 * z)) < 1e-12 for z in (0.1, 1.0, -3.0, 11.9)),
    "it is constant from 12 on": len({sine(z) for z in (12.0, 13.0, 20.0, 100.0)}) == 1,
    "16 of 28 pixels in the row are one grey": max(row.count(v) for v in row) == 16,
    "gauss(1) is exp(-5)": abs(functions.get("gauss")(1.0) - math.exp(-5)) < 1e-12,
    "sigmoid(1) is 1 / (1 + exp(-5))": abs(functions.get("sigmoid")(1.0) - 1 / (1 + math.exp(-5))) < 1e-12,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
