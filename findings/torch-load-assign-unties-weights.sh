#!/usr/bin/env bash
# load_state_dict(assign=True) makes two parameters of one shared weight
#
# Guess: A decoder that shares the encoder's weight shares it after loading too, with assign=True as without;
#   the state dict that torch.load returns even holds one storage for both.
# What happens: With assign=True each key becomes a parameter of its own. Straight from torch.load the two
#   still lie on one storage, each with its own part of the gradient, so one step of Adam moves the weight
#   twice: 0.2 at a rate of 0.1. From a copied state dict the weights drift apart. Nothing is said.
# Why it matters: Tied autoencoders are the classical ones, and assign=True is the usual way to load into a
#   network on the meta device or to keep a file's precision. Fine-tuning after such a load is training at
#   another rate, or of another network, than stated.
# Where: torch 2.13.0, torch/nn/modules/module.py, Module._load_from_state_dict.
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
import io
import sys
from importlib.metadata import version

import torch
from torch import nn


class TiedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(4, 4, bias=False)
        self.decode = nn.Linear(4, 4, bias=False)
        self.decode.weight = self.encode.weight

    def forward(self, x):
        return self.decode(torch.relu(self.encode(x)))


print({name: version(name) for name in ["torch", "numpy"]})
torch.manual_seed(0)
original = TiedAutoencoder()
start = original.encode.weight.detach().clone()
file = io.BytesIO()
torch.save(original.state_dict(), file)
x = torch.rand(16, 4)


def one_step(assign, copy):
    file.seek(0)
    weights = torch.load(file)
    network = TiedAutoencoder()
    network.load_state_dict({k: v.clone() if copy else v for k, v in weights.items()}, assign=assign)
    count = len(list(network.parameters()))
    optimiser = torch.optim.Adam(network.parameters(), 0.1)
    (network(x) - x).square().mean().backward()
    optimiser.step()
    moved = (network.encode.weight - start).abs().max().item()
    apart = (network.encode.weight - network.decode.weight).abs().max().item()
    print(
        f"assign={assign}, copied={copy}: {count} parameters; after one step of Adam at 0.1 the encoder's weight "
        f"has moved by {moved:.3f}, encoder and decoder differ by {apart:.3f}"
    )
    return count, moved, apart


plain, loaded, copied = one_step(False, False), one_step(True, False), one_step(True, True)
checks = {
    "without assign: one parameter, moved by the rate": plain[0] == 1 and abs(plain[1] - 0.1) < 0.001 and plain[2] == 0,
    "assign=True: two parameters": loaded[0] == copied[0] == 2,
    "straight from torch.load the weight moves twice as far": abs(loaded[1] - 0.2) < 0.002 and loaded[2] == 0,
    "from a copied state dict encoder and decoder part": copied[2] > 0.01,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
