#!/usr/bin/env bash
# Lightning's MLFlowLogger() points to a store that MLflow itself no longer takes
#
# Guess: The default of the logger works with the current release of the library it logs to.
# What happens: MLFlowLogger() without arguments means the folder ./mlruns; MLflow 3.17 refuses the file store
#   with an exception. tracking_uri='sqlite:///mlflow.db' works.
# Why it matters: Training code that ran for years stops, and the message speaks of a backend that nobody
#   chose, not of the logger's default.
# Where: pytorch-lightning 2.6.6, pytorch_lightning/loggers/mlflow.py, MLFlowLogger; mlflow 3.17.2.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(pytorch-lightning==2.6.6 mlflow==3.17.2 torch==2.13.0 numpy==2.4.6)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import inspect
import logging
import os
import sys
import warnings
from importlib.metadata import version

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)
from mlflow.exceptions import MlflowException
from pytorch_lightning.loggers import MLFlowLogger

print({name: version(name) for name in ["pytorch-lightning", "mlflow", "torch", "numpy"]})
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
default = inspect.signature(MLFlowLogger).parameters
print("defaults: tracking_uri", default["tracking_uri"].default, "save_dir", default["save_dir"].default)
try:
    MLFlowLogger().log_metrics({"loss": 1.0})
    said = ""
except MlflowException as error:
    said = str(error)
print("said:", said[:110])
named = MLFlowLogger(tracking_uri="sqlite:///mlflow.db")
named.log_metrics({"loss": 1.0})
checks = {
    "the default is a folder": default["save_dir"].default == "./mlruns",
    "it is refused": "maintenance mode" in said,
    "a database works": named.run_id is not None,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
