#!/usr/bin/env bash
# A renamed ONNX export takes the weights of what is exported next under its former name
#
# Guess: A network as small as this is one file, which can be renamed like any other.
# What happens: All but the smallest tensors lie in net.onnx.data, whose name stands inside net.onnx. Renamed,
#   the program still reads that file; when another network of the same shape is exported as net.onnx, the first
#   one runs with its own small tensors and the other's large ones. It loads without a word.
# Why it matters: Keeping the best network by renaming it, or one file for each seed or epoch, gives networks
#   that nobody trained, with plausible answers where they are from one training. Remedy: external_data=False,
#   or a folder for each.
# Where: torch 2.15.0, torch/onnx/__init__.py, export (external_data=True by default).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torch==2.15.0 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 numpy==2.4.6)
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
from pathlib import Path

import numpy as np
import onnxruntime
import torch

warnings.simplefilter("ignore")
print({name: version(name) for name in ["torch", "onnx", "onnxruntime", "onnxscript", "numpy"]})
x = torch.ones(1, 400)


def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Linear(400, 4).eval()


def answer(file):
    session = onnxruntime.InferenceSession(file)
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0][0]


torch.onnx.export(network(0), (x,), "net.onnx", verbose=False)
print({path.name: path.stat().st_size for path in sorted(Path().glob("net*"))})
beside = Path("net.onnx.data").exists()
before = answer("net.onnx")
Path("net.onnx").rename("first.onnx")
torch.onnx.export(network(1), (x,), "net.onnx", verbose=False)
after, other = answer("first.onnx"), answer("net.onnx")
mixture = (network(1).weight @ x[0] + network(0).bias).detach().numpy()
for name, values in (("first.onnx before", before), ("first.onnx after", after), ("net.onnx", other)):
    print(name, values.round(4).tolist())
checks = {
    "1,604 numbers are written as two files": beside,
    "the renamed network answers otherwise after another export": not np.allclose(before, after, atol=1e-3),
    "and as neither: by the second's weights with the first's biases": np.allclose(after, mixture, atol=1e-5)
    and not np.allclose(after, other, atol=1e-3),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
