#!/usr/bin/env bash
# A job of submitit's local executor sees no GPU unless it asks for some
#
# Guess: The local executor runs a function as a process of this machine, with this machine's environment: a network
#   trains on the GPU there if it does so here.
# What happens: CUDA_VISIBLE_DEVICES is set to the empty text, which hides every GPU, also where it was set to
#   something. Only gpus_per_node=N shows the first N, counted from 0 whatever was visible before.
# Why it matters: Code that takes a GPU where there is one, as most of this field's, runs on the CPU without a word:
#   hours instead of minutes, and other last digits. With CUDA_VISIBLE_DEVICES=3 and gpus_per_node=1 it takes GPU 0,
#   which may be somebody else's.
# Where: submitit 1.5.4, submitit/local/local.py (start_controller).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(submitit==1.5.4)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import os
import sys
from importlib.metadata import version

import submitit

print({"submitit": version("submitit")})


def look():
    return os.environ.get("CUDA_VISIBLE_DEVICES", "not set")


def seen(visible, **asked):
    """What a job finds in CUDA_VISIBLE_DEVICES, which is `visible` here."""
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    executor = submitit.AutoExecutor("jobs", cluster="local")
    executor.update_parameters(timeout_min=5, **asked)
    found = executor.submit(look).result()
    print(f"here {visible or 'not set'!r}, asked for {asked or 'nothing'}: in the job {found!r}")
    return found


nothing, two_visible, one_asked = seen(None), seen("3,1"), seen("3,1", gpus_per_node=1)
checks = {
    "without a word the job sees none": nothing == "",
    "nor does it where two were visible": two_visible == "",
    "with gpus_per_node=1 it sees GPU 0, which was not visible": one_asked == "0",
}
for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
