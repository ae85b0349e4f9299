#!/usr/bin/env bash
# Lightning's fit trains a network that is in evaluation mode without dropout
#
# Guess: fit() puts the module into training mode, as every training loop does first.
# What happens: It keeps the mode in which it finds each layer. A network that was evaluated or attacked
#   before (eval()) and is then trained again trains with dropout off and BatchNorm frozen, and ends in eval
#   mode. A warning counts the modules in eval mode; training goes on.
# Why it matters: Retraining with fooling images, adversarial training and rounds of attack and training all
#   hand an evaluated network back to fit(). Later rounds are regularised differently from the first.
# Where: pytorch-lightning 2.6.6, pytorch_lightning/loops/fit_loop.py (it warns, and leaves the modes alone).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(pytorch-lightning==2.6.6 torch==2.13.0 numpy==2.4.6)
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
import sys
import warnings
from importlib.metadata import version

import pytorch_lightning as lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
        self.seen = set()

    def training_step(self, batch, index):
        self.seen.add(self.network[2].training)
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


print({name: version(name) for name in ["pytorch-lightning", "torch", "numpy"]})
warnings.simplefilter("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
torch.manual_seed(0)
data = DataLoader(TensorDataset(torch.rand(16, 4), torch.randint(0, 2, (16,))), 8)
found = {}
for name, network in (("fresh", Classifier()), ("after eval()", Classifier().eval())):
    statistics = network.network[1].running_mean.clone()
    trainer = lightning.Trainer(
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(network, data)
    found[name] = network.seen, not torch.equal(statistics, network.network[1].running_mean)
    print(f"{name}: dropout on in training steps: {sorted(network.seen)}, BatchNorm statistics moved: {found[name][1]}")
checks = {
    "fresh: dropout on, statistics move": found["fresh"] == ({True}, True),
    "after eval(): dropout off in every step, statistics frozen": found["after eval()"] == ({False}, False),
}

for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
