#!/usr/bin/env bash
# dvc exp run -S rate=1e-5 writes a value that PyYAML reads as text
#
# Guess: DVC reads and writes YAML, PyYAML reads YAML: a learning rate of 1e-5, 1.0e-5 or 0.00001 set on the
#   command line is a number in the stage that loads params.yaml.
# What happens: DVC writes 1e-05 in all three cases: a float in YAML 1.2, which DVC speaks, and the string
#   '1e-05' in YAML 1.1, which yaml.safe_load speaks (it wants a point: 1.0e-05). A rate that was 0.001 in the
#   file and worked becomes text once it is swept.
# Why it matters: Sweeps over learning rates end in 'must be a float, not str', or, where the code is lenient,
#   in float('1e-05') here and a comparison of text there. Read floats as YAML 1.2 does.
# Where: dvc 3.67.1, dvc/utils/serialize/_yaml.py (writes with ruamel.yaml); PyYAML 6.0.4, the float pattern
#   of its resolver.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(dvc==3.67.1 pyyaml==6.0.4)
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
import subprocess
import sys
from importlib.metadata import version

import yaml

os.environ["DVC_NO_ANALYTICS"] = "1"
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]

print({name: version(name) for name in ["dvc", "pyyaml"]})


def call(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


os.mkdir("study")
os.chdir("study")
with open("params.yaml", "w") as file:
    file.write("rate: 0.001\n")
with open("dvc.yaml", "w") as file:
    file.write("stages:\n  train:\n    cmd: cp params.yaml out.txt\n    params: [rate]\n    outs: [out.txt]\n")
call("git", "init", "-q")
call("git", "config", "user.email", "a@example.org")
call("git", "config", "user.name", "a")
call("dvc", "init", "-q")
call("dvc", "repro", "-q")
call("git", "add", "-A")
call("git", "commit", "-q", "-m", "first")
found = {}
for given in ("0.002", "1e-5", "1.0e-5", "0.00001"):
    call("dvc", "exp", "run", "-q", "-S", f"rate={given}")
    with open("params.yaml") as file:
        text = file.read().strip()
    found[given] = yaml.safe_load(text)["rate"]
    print(f"-S rate={given} writes '{text}', PyYAML reads {found[given]!r}")
checks = {
    "0.002 is read as a number": found["0.002"] == 0.002,
    "1e-5, 1.0e-5 and 0.00001 are read as the text '1e-05'": all(
        found[k] == "1e-05" for k in ("1e-5", "1.0e-5", "0.00001")
    ),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
