#!/usr/bin/env bash
# foolbox's L2 fast-minimum-norm attack does not minimise: its projection does nothing
#
# Guess: FMN finds nearly the smallest L2 perturbation; on a linear classifier, where that is known exactly,
#   it comes within a few per cent, as DeepFool does.
# What happens: project() computes min(1, norms / norms), which is 1, and never uses epsilon. The perturbation
#   only grows by steps of up to 1, and the first image past the boundary is the answer: 1.0 where 0.05 is
#   enough. The Linf version projects and is right.
# Why it matters: Minimal distances are the result of such studies; these are the step size. Robustness looks
#   up to twenty times better than it is.
# Where: foolbox 3.3.4, foolbox/attacks/fast_minimum_norm.py, L2FMNAttack.project.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(foolbox==3.3.4 torch==2.13.0 numpy==2.4.6)
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

import foolbox
import torch
from torch import nn

print({name: version(name) for name in ["foolbox", "torch", "numpy"]})
torch.manual_seed(0)
network = nn.Sequential(nn.Flatten(), nn.Linear(784, 2)).eval()
weight = (network[1].weight[1] - network[1].weight[0]).detach()
bias = (network[1].bias[1] - network[1].bias[0]).detach()
# images at a known distance of 0.05 from the boundary, far from the bounds 0 and 1
grey = 0.4 + 0.2 * torch.rand(20, 784)
at = grey - ((grey @ weight + bias) / weight.norm() ** 2)[:, None] * weight
x = (at - 0.05 * weight / weight.norm()).view(20, 1, 28, 28).detach()
y = torch.zeros(20, dtype=torch.long)
model = foolbox.PyTorchModel(network, bounds=(0, 1))
assert float(x.min()) > 0.1 and float(x.max()) < 0.9 and bool((network(x).argmax(1) == y).all())
found = {}
for attack in (foolbox.attacks.L2FMNAttack(), foolbox.attacks.L2DeepFoolAttack(), foolbox.attacks.DDNAttack()):
    name = type(attack).__name__
    _, result, success = attack(model, x, y, epsilons=None)
    found[name] = (result - x).flatten(1).norm(dim=1).mean().item()
    print(f"{name}: success {success.float().mean():.2f}, mean L2 distance {found[name]:.4f}; exact 0.05")
    assert bool(success.all())
checks = {
    "FMN: more than ten times too far": found["L2FMNAttack"] > 0.5,
    "DeepFool: within 10 %": found["L2DeepFoolAttack"] < 0.055,
    "DDN: within 20 %": found["DDNAttack"] < 0.06,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
