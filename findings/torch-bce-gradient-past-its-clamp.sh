#!/usr/bin/env bash
# binary_cross_entropy is clamped at 100, its gradient is not: it is 1e12, and through a sigmoid 0
#
# Guess: The logarithm is clamped at -100, so a wrong output of exactly 0 costs 100 and, the clamp being flat,
#   has gradient 0; through a sigmoid the gradient is prediction minus target, -1 for a pixel that is black
#   for sure and should be white.
# What happens: At an output of exactly 0 the gradient is -1e12 (the backward pass divides by max(p(1 - p),
#   1e-12) and knows nothing of the clamp). Through a sigmoid it starts to vanish at logits below -28: -4e-6
#   at -40, 0 at -200, where binary_cross_entropy_with_logits gives -1.
# Why it matters: A decoder that ends in clamp or hardtanh, an image used as its own prediction, or a gradient
#   through a reconstruction score all have outputs of exactly 0 and 1: one such pixel outweighs all others by
#   1e12. Behind a sigmoid a surely wrong pixel never learns.
# Where: torch 2.13.0, aten/src/ATen/native/Loss.cpp, binary_cross_entropy_backward.
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
one = torch.ones(1)
p = torch.zeros(1, requires_grad=True)
loss = F.binary_cross_entropy(p, one)
loss.backward()
print("output exactly 0, target 1: loss", loss.item(), "gradient", p.grad.item())
checks = {
    "the loss is 100": loss.item() == 100,
    "its gradient is -1e12": abs(p.grad.item() + 1e12) < 1e7,
}
for logit, low, high in ((-10.0, 0.99, 1.01), (-40.0, 0, 1e-5), (-200.0, 0, 0)):
    z = torch.tensor([logit], requires_grad=True)
    F.binary_cross_entropy(z.sigmoid(), one).backward()
    exact = torch.tensor([logit], requires_grad=True)
    F.binary_cross_entropy_with_logits(exact, one).backward()
    print("logit", logit, "gradient through a sigmoid", z.grad.item(), "with logits", exact.grad.item())
    checks[f"logit {logit}: gradient through a sigmoid within [{low}, {high}] in size"] = low <= -z.grad.item() <= high
    checks[f"logit {logit}: with logits -1"] = abs(exact.grad.item() + 1) < 1e-3

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
