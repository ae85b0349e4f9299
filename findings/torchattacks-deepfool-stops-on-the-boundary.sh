#!/usr/bin/env bash
# torchattacks' DeepFool ends on the boundary, where the batch size decides whether an image is adversarial
#
# Guess: DeepFool overshoots by 2 %, so what it returns lies clearly on the other side and is misclassified,
#   alone or in a batch.
# What happens: The overshoot is applied to each step, not to the sum, and each step is clipped to [0, 1]: on
#   images with many pixels at 0 or 1 the steps get ever shorter and end on the boundary, with margins of
#   1e-6. Half of the images are still classified rightly, and how many depends on whether they are scored
#   alone or together. With no pixel near the bounds all succeed.
# Why it matters: Success rates after DeepFool are noise on digits, and 'the network is 40 to 60 % robust' is
#   read from rounding errors. foolbox's DeepFool adds up the steps before overshooting and fools all.
# Where: torchattacks 3.5.1, torchattacks/attacks/deepfool.py, _forward_indiv.
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(torchattacks==3.5.1 torch==2.14.1 torchvision==0.29.1 scikit-learn==1.9.1 numpy==2.4.6)
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

import torch
import torch.nn.functional as F
import torchattacks
from sklearn.datasets import load_digits
from torch import nn

print({name: version(name) for name in ["torchattacks", "torch", "torchvision", "scikit-learn", "numpy"]})
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
labels = torch.tensor(digits.target)
torch.manual_seed(0)
network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimiser = torch.optim.Adam(network.parameters(), 0.01)
for _ in range(60):
    optimiser.zero_grad()
    F.cross_entropy(network(images[:1500]), labels[:1500]).backward()
    optimiser.step()
optimiser.zero_grad(set_to_none=True)
network.eval()
right = network(images[1500:]).argmax(1) == labels[1500:]
x, y = images[1500:][right][:50], labels[1500:][right][:50]


def attack(model, images):
    result = torchattacks.DeepFool(model)(images, y)
    outputs = model(result).detach()
    together = (outputs.argmax(1) != y).float().mean().item()
    alone = (
        torch.stack([model(image[None]).argmax(1)[0] != label for image, label in zip(result, y)]).float().mean().item()
    )
    margin = outputs.topk(2, 1).values
    return together, alone, (margin[:, 0] - margin[:, 1]).median().item()


class Inner(nn.Module):
    """The same network on images drawn in to [.25, .75]."""

    def forward(self, images):
        return network(2 * (images - 0.25))


inner = Inner()
inner.network = network
found = {"pixels at 0 and 1": attack(network, x), "the same, drawn in": attack(inner, 0.25 + x / 2)}
for name, (together, alone, margin) in found.items():
    print(
        f"{name}: fooled, scored together {together:.2f}, scored alone {alone:.2f}, median margin of the logits {margin:.1e}"
    )
ends, drawn = found.values()
checks = {
    "pixels at the bounds: a quarter or more are not fooled": ends[0] < 0.75,
    "their margins are below 1e-4": ends[2] < 1e-4,
    "drawn in: all are fooled": drawn[0] == drawn[1] == 1,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
