#!/usr/bin/env bash
# Since torch 2.14 clamp has gradient 0 at exactly its bounds, 1/2 when they are tensors
#
# Guess: The gradient of torch.clamp(x, 0, 1) at exactly 0 and 1 is 1, as it was up to 2.13: the closed
#   interval passes it on. Bounds given as numbers or as tensors make no difference.
# What happens: It is 0 with numbers and 0.5 with tensors (as torch.minimum and maximum). hardtanh is 0 there
#   too, as it was before.
# Why it matters: An attack that optimises clamp(x + d, 0, 1) from d = 0 never moves a pixel that is exactly 0
#   or 1: most pixels of handwritten digits. The network looks robust and the attack looks well written.
#   Projecting after the step, on the tensor itself, has no such gap.
# Where: torch 2.14.1, the derivative of clamp in tools/autograd/derivatives.yaml and FunctionsManual.cpp.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torch==2.14.1 numpy==2.4.6)
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


def gradient(operation):
    x = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    operation(x).sum().backward()
    return x.grad.tolist()


zero, one = torch.tensor(0.0), torch.tensor(1.0)
found = {
    "clamp(x, 0, 1)": gradient(lambda x: x.clamp(0, 1)),
    "clamp(x, tensor(0), tensor(1))": gradient(lambda x: x.clamp(zero, one)),
    "hardtanh(x, 0, 1)": gradient(lambda x: F.hardtanh(x, 0, 1)),
}
for name, value in found.items():
    print(name, "at 0, 0.5 and 1:", value)

torch.manual_seed(0)
network = torch.nn.Linear(784, 10)
image = (torch.rand(1, 784) < 0.2).float()
label = network(image).argmax(1)
delta = torch.zeros_like(image, requires_grad=True)
optimiser = torch.optim.Adam([delta], 0.05)
for _ in range(100):
    optimiser.zero_grad()
    (-F.cross_entropy(network((image + delta).clamp(0, 1)), label)).backward()
    optimiser.step()
stuck = (image + delta).clamp(0, 1).detach()
x = image.clone().requires_grad_()
optimiser = torch.optim.Adam([x], 0.05)
for _ in range(100):
    optimiser.zero_grad()
    (-F.cross_entropy(network(x), label)).backward()
    optimiser.step()
    x.data.clamp_(0, 1)
print("clamp inside the loss: pixels moved", (stuck != image).sum().item())
print(
    "projection after the step: pixels moved", (x != image).sum().item(), "fooled", bool(network(x).argmax(1) != label)
)
checks = {
    "clamp with numbers: 0 at the bounds": found["clamp(x, 0, 1)"] == [0, 1, 0],
    "clamp with tensors: 1/2 at the bounds": found["clamp(x, tensor(0), tensor(1))"] == [0.5, 1, 0.5],
    "hardtanh: 0 at the bounds": found["hardtanh(x, 0, 1)"] == [0, 1, 0],
    "100 steps move no pixel of a binary image": torch.equal(stuck, image),
    "projected steps fool the network": bool(network(x).argmax(1) != label),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
