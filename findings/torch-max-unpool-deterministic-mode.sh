#!/usr/bin/env bash
# In deterministic mode max_unpool2d raises, on the CPU too, with distinct indices too
#
# Guess: The refusal is for accelerators, where several threads may write to one place; on a CPU, with indices
#   that came from max_pool2d and are all different, there is nothing to race for.
# What happens: torch.use_deterministic_algorithms(True) makes it raise RuntimeError for every input. A
#   scatter with the same indices is allowed and gives the same values.
# Why it matters: An autoencoder that unpools with switches cannot be trained under the setting that
#   reproducible studies turn on.
# Where: torch 2.13.0, aten/src/ATen/native/MaxUnpooling.cpp, max_unpooling2d_forward_out_cpu.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torch==2.13.0 numpy==2.4.6)
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
import torch.nn.functional as F

print({name: version(name) for name in ["torch", "numpy"]})
torch.manual_seed(0)
x = torch.rand(2, 3, 8, 8)
values, places = F.max_pool2d(x, 2, return_indices=True)
allowed = F.max_unpool2d(values, places, 2)
torch.use_deterministic_algorithms(True)
try:
    F.max_unpool2d(values, places, 2)
    said = ""
except RuntimeError as error:
    said = str(error).split(",")[0]
print("device:", x.device, "- said:", said)
by_scatter = torch.zeros(2, 3, 64).scatter(2, places.flatten(2), values.flatten(2)).view(2, 3, 8, 8)
checks = {
    "it raises on the CPU": "does not have a deterministic implementation" in said,
    "the indices are distinct": all(len(set(p.tolist())) == p.numel() for p in places.flatten(2).flatten(0, 1)),
    "scatter is allowed and gives the same": torch.equal(by_scatter, allowed),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
