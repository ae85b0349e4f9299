#!/usr/bin/env bash
# torchvision's transforms of bicubic weights: a picture and its tensor differ, and pixels leave [0, 1]
#
# Guess: weights.transforms() takes a picture or a tensor, and gives the same up to rounding to 8 bits.
# What happens: So it is for bilinear weights. For bicubic ones (EfficientNet-B0 and others) a float tensor
#   overshoots at edges, beyond black and white, and nothing cuts it; a picture in 8 bits is cut. At an edge the
#   two are tens of grey levels apart.
# Why it matters: An attack works on float tensors and its picture is judged through 8 bits: the network sees
#   two inputs. Pixels outside [0, 1] are no picture, though every pixel that was given is.
# Where: torchvision 0.29.2, torchvision/transforms/_presets.py, ImageClassification.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchvision==0.29.2 torch==2.15.0 pillow==13.0.0 numpy==2.4.6)
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
import torch
from PIL import Image
from torchvision.models import EfficientNet_B0_Weights, ResNet18_Weights

print({name: version(name) for name in ["torchvision", "torch", "pillow", "numpy"]})
y, x = np.mgrid[:300, :400]
board = np.repeat(((x // 7 + y // 7) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)  # black and white squares
found = {}
for name, weights in (("bilinear", ResNet18_Weights.DEFAULT), ("bicubic", EfficientNet_B0_Weights.DEFAULT)):
    transform = weights.transforms()
    tensor = torch.from_numpy(board).permute(2, 0, 1)
    mean, std = (torch.tensor(values)[:, None, None] for values in (transform.mean, transform.std))
    picture, floats = (transform(image) * std + mean for image in (Image.fromarray(board), tensor / 255))
    apart = 255 * (picture - floats).abs().max().item()
    low, high = floats.min().item(), floats.max().item()
    print(f"{name}: up to {apart:.1f} of 255 apart; pixels of the float tensor from {low:.3f} to {high:.3f}")
    found[name] = apart, low, high
checks = {
    "bilinear: within 1.1 of 255, inside [0, 1]": found["bilinear"][0] < 1.1 and found["bilinear"][1] > -1e-4,
    "bicubic: more than 10 of 255": found["bicubic"][0] > 10,
    "bicubic: float pixels below -0.04 and above 1.04": found["bicubic"][1] < -0.04 and found["bicubic"][2] > 1.04,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
