#!/usr/bin/env bash
# foolbox's NewtonFool returns images of NaN and reports them as adversarial
#
# Guess: Where the gradient vanishes the attack cannot move: the image stays and does not count.
# What happens: It divides by the fourth power of the gradient's norm. For images that the network is sure of
#   that is 0 in float32: 0 / 0 fills the image with NaN, the argmax of NaN logits is class 0, so every such
#   image of another class is reported as success: about half of 50 digits, nearly all with logits times 20.
# Why it matters: The surer the network, the more 'successes', and they are no images. Any attack's rate needs
#   a check that the images are finite and within bounds.
# Where: foolbox 3.3.4, foolbox/attacks/newtonfool.py, run (delta / gradients_l2_norm.square()).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(foolbox==3.3.4 torch==2.13.0 scikit-learn==1.9.1 numpy==2.4.6)
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

import foolbox
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class Times(nn.Module):
    def __init__(self, network, times):
        super().__init__()
        self.network, self.times = network, times

    def forward(self, x):
        return self.times * self.network(x)


print({name: version(name) for name in ["foolbox", "torch", "scikit-learn", "numpy"]})
warnings.simplefilter("ignore")
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

found = {}
for times in (1, 20):
    model = foolbox.PyTorchModel(Times(network, times).eval(), bounds=(0, 1))
    _, result, success = foolbox.attacks.NewtonFoolAttack()(model, x, y, epsilons=None)
    broken = result.isnan().flatten(1).any(1)
    found[times] = int(broken.sum()), success.float().mean().item(), success[broken].float().mean().item()
    print(
        f"logits times {times}: {found[times][0]} of 50 images hold NaN, reported success {found[times][1]:.2f}, "
        f"among those with NaN {found[times][2]:.2f}"
    )
checks = {
    "plain logits: NaN in 10 images or more": found[1][0] >= 10,
    "logits times 20: in 40 or more": found[20][0] >= 40,
    "most of them count as success": found[1][2] > 0.7 and found[20][2] > 0.7,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
