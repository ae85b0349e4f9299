#!/usr/bin/env bash
# ToTensor of a 16-bit gray picture is not scaled, and its bright half is negative
#
# Guess: ToTensor gives [0, 1], as for 8-bit pictures and as v2's ToImage and ToDtype(scale=True) do.
# What happens: For the mode I;16 it gives int16 as the bits lie there: black to half brightness is 0 to 32767,
#   the bright half is -32768 to -1, white is -1. v2 scales. Pillow's convert('L'), the other usual way, cuts at
#   255, so that all but the darkest 1/256 is white.
# Why it matters: X-ray, microscope and depth pictures are 16-bit gray. Three usual readers give a network three
#   pictures, two of them nonsense, and it answers all of them.
# Where: torchvision 0.29.2, torchvision/transforms/functional.py, to_tensor (mode_to_nptype); Pillow 13.0.0,
#   Image.convert.
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
import warnings
from importlib.metadata import version

import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import v2

warnings.simplefilter("ignore")
print({name: version(name) for name in ["torchvision", "torch", "pillow", "numpy"]})
pixels = np.array([[0, 255, 256, 1000, 32767, 32768, 65535]], np.uint16)
Image.fromarray(pixels).save("gray.png")
picture = Image.open("gray.png")
old = transforms.ToTensor()(picture)[0, 0]
new = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])(picture)[0, 0]
eight = np.asarray(picture.convert("L"))[0]
print("mode", picture.mode, "pixels", pixels[0].tolist())
print("ToTensor", old.dtype, old.tolist())
print("v2", [round(value, 4) for value in new.tolist()])
print("Pillow to 8 bits", eight.tolist())
checks = {
    "ToTensor gives 16-bit integers, not scaled to [0, 1]": old.dtype == torch.int16 and old[3] == 1000,
    "from half brightness on they are negative": old[5:].tolist() == [-32768, -1],
    "v2's two steps give [0, 1]": bool(np.allclose(new.numpy(), pixels[0] / 65535, atol=1e-6)),
    "Pillow's 8 bits are white from 255 of 65535 on": eight.tolist() == [0] + [255] * 6,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
