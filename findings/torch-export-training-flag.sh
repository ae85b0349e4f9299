#!/usr/bin/env bash
# A torch.export program says training=True whatever it was exported as, and cannot be told eval()
#
# Guess: program.module().training says in which mode the network was exported, or eval() puts it right.
# What happens: It is True for both. eval() raises; a program exported in training mode draws dropout for good.
# Why it matters: The usual guard, `if network.training`, refuses every good program or, left out, lets the one
#   pass that draws. What tells is to ask twice, or the graph.
# Where: torch 2.15.0, torch/export/exported_program.py, ExportedProgram.module.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torch==2.15.0 numpy==2.4.6)
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

print({name: version(name) for name in ["torch", "numpy"]})
x = torch.ones(1, 1000)


def loaded(network):
    """The network as a program, written and read."""
    file = io.BytesIO()
    torch.export.save(torch.export.export(network, (x,)), file)
    file.seek(0)
    return torch.export.load(file).module()


def refuses_eval(module):
    try:
        module.eval()
    except NotImplementedError as error:
        print("eval():", error)
        return True
    return False


training, evaluation = loaded(nn.Sequential(nn.Dropout(0.5)).train()), loaded(nn.Sequential(nn.Dropout(0.5)).eval())
for name, module in (("exported in training", training), ("in evaluation", evaluation)):
    print(f"{name}: training={module.training}; ones become {sorted(set(module(x)[0].tolist()))}")
checks = {
    "both say training=True": training.training and evaluation.training,
    "one draws dropout": sorted(set(training(x)[0].tolist())) == [0.0, 2.0],
    "the other does not": torch.equal(evaluation(x), x),
    "neither can be told eval()": refuses_eval(training) and refuses_eval(evaluation),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
