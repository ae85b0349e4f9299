#!/usr/bin/env bash
# After a torchattacks attack inside training, frozen BatchNorm layers are in training mode
#
# Guess: An attack puts every module back into the mode in which it found it.
# What happens: It remembers one flag, that of the whole network, and calls network.train() at the end: layers
#   that were set to eval() by hand (frozen BatchNorm, fixed feature extractors) update their statistics from
#   then on. The other way round, dropout kept on for Monte-Carlo sampling in a network in eval() is off for
#   good.
# Why it matters: Adversarial fine-tuning freezes BatchNorm as a rule, and uncertainty by dropout samples
#   after attacks. Both are undone without a word by the first attack.
# Where: torchattacks 3.5.1, torchattacks/attack.py, _change_model_mode and _recover_model_mode.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchattacks==3.5.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6)
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
import torchattacks
from torch import nn

print({name: version(name) for name in ["torchattacks", "torch", "torchvision", "numpy"]})
torch.manual_seed(0)
x, y = torch.rand(8, 1, 8, 8), torch.zeros(8, dtype=torch.long)


def build():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10)
    )


def attack(network):
    torchattacks.FGSM(network, eps=0.1)(x, y)


frozen = build().train()
frozen[2].eval()
mean = frozen[2].running_mean.clone()
frozen(x)
still = torch.equal(frozen[2].running_mean, mean)
attack(frozen)
frozen(x)
print(
    "frozen BatchNorm: training before False, after",
    frozen[2].training,
    "- statistics moved by a forward pass: before",
    not still,
    "after",
    not torch.equal(frozen[2].running_mean, mean),
)
sampling = build().eval()
sampling[4].train()
before = bool((sampling(x) != sampling(x)).any())
attack(sampling)
after = bool((sampling(x) != sampling(x)).any())
print("dropout kept on: passes differ before", before, "after", after)
checks = {
    "frozen before the attack": still,
    "in training mode after it": frozen[2].training and not torch.equal(frozen[2].running_mean, mean),
    "dropout on before, off after": before and not after,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
