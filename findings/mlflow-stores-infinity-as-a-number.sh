#!/usr/bin/env bash
# MLflow gives an infinite metric back as 1.797e308, while nan stays nan
#
# Guess: A metric of infinity comes back as infinity, as nan comes back as nan, or is refused.
# What happens: With the database store inf is replaced by the largest float and -inf by its negative. isinf
#   is then False, and means over runs are huge finite numbers.
# Why it matters: -log c of a rejected image, the PSNR of a perfect reconstruction and a loss that has run
#   away are infinite. A filter for 'finite' lets them through.
# Where: mlflow 3.17.2, mlflow/store/tracking/sqlalchemy_store.py (the same in fs2db/_tracking.py).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(mlflow==3.17.2)
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
import math
import os
import sys
import warnings
from importlib.metadata import version

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow

print({name: version(name) for name in ["mlflow"]})
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
mlflow.set_tracking_uri("sqlite:///runs.db")
with mlflow.start_run() as run:
    for name, value in {"inf": math.inf, "minus_inf": -math.inf, "nan": math.nan, "finite": 0.5}.items():
        mlflow.log_metric(name, value)
back = mlflow.get_run(run.info.run_id).data.metrics
print(back)
checks = {
    "inf comes back finite, 1.797e308": math.isfinite(back["inf"]) and back["inf"] > 1.7e308,
    "-inf likewise": math.isfinite(back["minus_inf"]) and back["minus_inf"] < -1.7e308,
    "nan stays nan": math.isnan(back["nan"]),
    "0.5 stays": back["finite"] == 0.5,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
