#!/usr/bin/env bash
# pyribs puts float32 measures that lie on an edge into the cell below, float64 ones into their own
#
# Guess: epsilon=1e-6 is there for just that: a measure on an edge belongs to the cell above, whatever its
#   precision.
# What happens: epsilon is added to the measure times the number of cells; beside 570 it is less than the
#   spacing of float32 and is lost. 439 of the 1,000 measures k/1000 fall into the cell k - 1.
# Why it matters: Measures that are shares, ranks or class numbers divided by the number of classes lie on
#   edges. In an archive with an elite for each of 1,000 classes, as in Nguyen et al. 2015, the images of two
#   classes then compete for one cell, and others stay empty: coverage and QD score fall.
# Where: ribs 0.12.0, ribs/archives/_grid_archive.py, GridArchive.index_of.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(ribs==0.12.0 numpy==2.4.6)
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

import numpy as np
from ribs.archives import GridArchive

print({name: version(name) for name in ["ribs", "numpy"]})
measures = np.arange(1000)[:, None] / 1000  # the lower edge of each cell
wrong = {}
for kind in (np.float32, np.float64):
    archive = GridArchive(solution_dim=1, dims=[1000], ranges=[(0, 1)], measures_dtype=kind)
    off = archive.index_of(measures.astype(kind)) - np.arange(1000)
    wrong[kind] = int((off != 0).sum())
    print(f"{kind.__name__}: {wrong[kind]} of 1000 in another cell, off by {sorted(set(off.tolist()))}")
checks = {
    "float64: all 1000 in their own cells": wrong[np.float64] == 0,
    "float32: more than 400 in the one below": wrong[np.float32] > 400,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
