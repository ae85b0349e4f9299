#!/usr/bin/env bash
# After a foolbox attack the network's parameters hold gradients
#
# Guess: An attack differentiates with respect to the image; the network's parameters are as before, their
#   .grad too.
# What happens: eagerpy's value_and_grad calls backward, which adds the gradient of the attack's loss to every
#   parameter, at every step. In a training loop that clears gradients before the attack and not after it the
#   update that follows is hundreds of times as long as intended.
# Why it matters: Adversarial training and retraining on fooling images attack inside the loop. The network
#   still learns, so nothing shows but a worse result.
# Where: foolbox 3.3.4 with eagerpy 0.30.0, eagerpy/tensor/pytorch.py, _value_and_grad_fn. (torchattacks
#   3.5.1: CW, DeepFool, JSMA and EAD do it, FGSM and PGD do not.)
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(foolbox==3.3.4 eagerpy==0.30.0 torch==2.13.0 scikit-learn==1.9.1 numpy==2.4.6)
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

print({name: version(name) for name in ["foolbox", "eagerpy", "torch", "scikit-learn", "numpy"]})
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

model = foolbox.PyTorchModel(network, bounds=(0, 1))
before = [p.grad is None for p in network.parameters()]
_, adversarial, _ = foolbox.attacks.LinfPGD(steps=20)(model, x, y, epsilons=0.2)
left = sum(p.grad.norm().item() for p in network.parameters() if p.grad is not None)


def update(clear_after_attack):
    network.zero_grad()
    _, adversarial, _ = foolbox.attacks.LinfPGD(steps=20, random_start=False)(model, x, y, epsilons=0.2)
    if clear_after_attack:
        network.zero_grad()
    F.cross_entropy(network(adversarial), y).backward()
    return torch.cat([p.grad.flatten() for p in network.parameters()])


intended, actual = update(True), update(False)
cosine = F.cosine_similarity(intended, actual, dim=0).item()
ratio = (actual.norm() / intended.norm()).item()
print("gradients before the attack:", not all(before), "- norm of what the attack left:", round(left, 3))
print(f"update after an attack that was not cleared: {ratio:.1f} times as long as intended, cosine {cosine:.3f}")
checks = {
    "no gradients before": all(before),
    "gradients after": left > 0,
    "the update is more than three times as long": ratio > 3,
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
