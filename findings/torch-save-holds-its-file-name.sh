#!/usr/bin/env bash
# The bytes that torch.save writes depend on the file's name
#
# Guess: The same tensors give the same bytes, so the checksum of a weights file depends on the weights.
# What happens: The file is an archive whose inner folder is called after the file: saved as a.pt and as b.pt
#   the same tensors have different checksums, and a file written under a temporary name and then renamed
#   differs from one written in place. Into a buffer the folder is called 'archive'.
# Why it matters: Pipelines decide by checksum whether a network has changed. Writing to a temporary name and
#   renaming, the safe way, changes the checksum whenever the temporary name does.
# Where: torch 2.13.0, torch/serialization.py, _open_zipfile_writer_file (the archive's name is the file's
#   stem).
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
import hashlib
import io
import os
import sys
import zipfile
from importlib.metadata import version

import torch

print({name: version(name) for name in ["torch", "numpy"]})


def digest(path):
    with open(path, "rb") as file:
        return hashlib.md5(file.read()).hexdigest()


weights = {"weight": torch.arange(6.0).reshape(2, 3)}
torch.save(weights, "first.pt")
torch.save(weights, "other.pt")
digests = {"first.pt": digest("first.pt"), "other.pt": digest("other.pt")}
torch.save(weights, "tmp8a1f.pt")
os.replace("tmp8a1f.pt", "first.pt")
digests["first.pt, renamed from tmp8a1f.pt"] = digest("first.pt")
torch.save(weights, "first.pt")
digests["first.pt again"] = digest("first.pt")
for name, value in digests.items():
    print(value, name)
folder = {zipfile.ZipFile(name).namelist()[0].split("/")[0] for name in ("first.pt", "other.pt")}
print("folders inside:", sorted(folder))
buffers = []
for _ in range(2):
    buffers.append(io.BytesIO())
    torch.save(weights, buffers[-1])
checks = {
    "another name, other bytes": digests["first.pt"] != digests["other.pt"],
    "renamed, other bytes than written in place": digests["first.pt"] != digests["first.pt, renamed from tmp8a1f.pt"],
    "the same name, the same bytes": digests["first.pt"] == digests["first.pt again"],
    "the folder inside has the file's stem": folder == {"first", "other"},
    "into buffers the bytes are equal": buffers[0].getvalue() == buffers[1].getvalue(),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
