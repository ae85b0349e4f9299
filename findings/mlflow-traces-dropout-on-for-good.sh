#!/usr/bin/env bash
# MLflow logs a torch network as it stands: logged in training mode its dropout stays on for good
#
# Guess: load_model gives back the network; calling eval() on it, as after torch.load, switches dropout off.
# What happens: The network is exported as a traced graph in the mode it is in when logged. Logged during
#   training, the loaded graph keeps dropout as an operation: two passes differ, and eval() raises. Logged
#   after eval() it is right.
# Why it matters: Models are logged from training loops and callbacks, in training mode. Every later
#   evaluation or attack on the loaded model is of a noisy network.
# Where: mlflow 3.17.2, mlflow/pytorch, log_model (export to pt2 when an input example is given).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(mlflow==3.17.2 torch==2.13.0 numpy==2.4.6)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import logging
import os
import sys
import warnings
from importlib.metadata import version

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
import torch
from torch import nn

print({name: version(name) for name in ["mlflow", "torch", "numpy"]})
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
mlflow.set_tracking_uri("sqlite:///runs.db")
torch.manual_seed(0)
x = torch.ones(1, 4)
found = {}
for mode in ("training", "evaluation"):
    network = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.5), nn.Linear(64, 3)).train(mode == "training")
    with mlflow.start_run():
        uri = mlflow.pytorch.log_model(network, name="network", input_example=x.numpy()).model_uri
    loaded = mlflow.pytorch.load_model(uri)
    try:
        loaded.eval()
        said = "nothing"
    except NotImplementedError as error:
        said = str(error)
    passes = torch.cat([loaded(x) for _ in range(5)])
    found[mode] = (passes != passes[0]).any().item()
    print(
        f"logged in {mode} mode: loaded as {type(loaded).__name__}, eval() says: {said}; five passes differ: {found[mode]}"
    )
checks = {
    "logged in training mode: passes differ after eval()": found["training"],
    "logged in evaluation mode: they do not": not found["evaluation"],
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
