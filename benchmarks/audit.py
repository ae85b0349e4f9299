"""`overgen audit`: a small residual network on 10 classes of 3 × 32 × 32, and its gradient attack against foolbox's.

    python benchmarks/audit.py [audit | quick | foolbox]...

The network (ResNet, 175,000 weights) is trained here, on coloured gratings of ten orientations, for a few epochs; the
pictures are PNG files in class folders, as a user has them. Two threads, one run of each.

- audit, quick: the whole command, from the start of Python to its end, with default budgets and with --quick.
- foolbox: Adam on the cross-entropy of the same 30 starts and targets, the same rate, at most so many updates, box
  [0, 1]; a trial succeeds when the target's softmax passes 0.99. foolbox has no attack that ends a trial that has
  succeeded, so that it makes all updates on all; the same again with updates enough for all of overgen's trials. The
  two alternate, twice.

Two cores, torch 2.15, foolbox 3.3.4; the attacks while others used the cores, too (load 13):

    audit: 245 s
    quick: 42 s
    overgen, at most 100 updates: 30 of 30 succeeded; 4.3 trials a second; 1.00 times as long
    foolbox, 100 updates:         30 of 30 succeeded; 1.3 trials a second; 3.25 times as long
    foolbox, 57 updates:          30 of 30 succeeded; 2.6 trials a second; 1.67 times as long
"""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.attacks import gradient
from overgen.models import Output
from overgen.run.streams import generator
from overgen.run.trainer import LIGHTNING_ADVICE
from overgen.stages.fool_gradient.params import GradientDescent

SHAPE, CLASSES, TAU, RATE, UPDATES = (3, 32, 32), 10, 0.99, 0.03, 100


class Block(nn.Module):
    """Two convolutions beside the identity, or beside a convolution that halves the sides."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        step = 1 if inner == outer else 2
        self.first, self.second = (
            nn.Conv2d(inner, outer, 3, step, 1, bias=False),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False),
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(outer) for _ in range(2))
        self.beside = nn.Identity() if step == 1 else nn.Conv2d(inner, outer, 1, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(h)) + self.beside(x))


class ResNet(nn.Module):
    """A residual network of 14 layers as He et al. (2016) have them for CIFAR-10: logits (N, 10) of (N, 3, 32, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1)
        widths = [16, 16, 16, 32, 32, 64, 64]
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in itertools.pairwise(widths)))
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


def gratings(count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) uint8 of coloured gratings under noise, and their classes: ten orientations."""
    labels = torch.arange(count) % CLASSES
    angle = (labels + 0.3 * (torch.rand(count, generator=draws) - 0.5)) * torch.pi / CLASSES
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    along = x * angle.cos()[:, None, None] + y * angle.sin()[:, None, None]
    pitch, phase = (torch.rand(count, generator=draws)[:, None, None] for _ in range(2))
    wave = torch.sin(along * (0.5 + 0.5 * pitch) + 6.3 * phase)
    colour = torch.rand((count, 3), generator=draws)[:, :, None, None] - 0.5
    images = 0.5 + colour * wave[:, None] + 0.1 * torch.randn((count, *SHAPE), generator=draws)
    return (255 * images).round().clamp(0, 255).byte(), labels


def trained(epochs: int = 4) -> ResNet:
    """The network after a few epochs on 4,000 gratings."""
    torch.set_num_threads(2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet()
    draws = generator("benchmark")
    images, labels = gratings(4000, draws)
    adam = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=draws).split(100):
            adam.zero_grad()
            F.cross_entropy(network(images[rows].float() / 255), labels[rows]).backward()
            adam.step()
    return network.eval().requires_grad_(False)


def write_pictures(folder: Path, count: int = 1000) -> None:
    from PIL import Image

    images, labels = gratings(count, generator("benchmark", "pictures"))
    for i, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = folder / str(label) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)


def audited(folder: Path, *options: str) -> float:
    """Seconds that the command takes."""
    command = [sys.executable, "-m", "overgen.cli", "audit", f"{Path(__file__).resolve()}:ResNet"]
    command += ["--weights", str(folder / "net.pt"), "--data", str(folder / "gratings"), "--shape", "3,32,32"]
    command += ["-o", str(folder / f"audit{len(options)}"), *options]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


class Reports(nn.Module):
    """The network as overgen's attack takes one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Output:
        return Output(F.log_softmax(self.network(x), 1), None)


def trainer() -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    for message in LIGHTNING_ADVICE:
        warnings.filterwarnings("ignore", message)
    return pl.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                      enable_progress_bar=False, enable_model_summary=False)  # fmt: skip


def by_overgen(network: nn.Module, start: Tensor, targets: Tensor) -> tuple[int, int]:
    """How many trials succeeded, and after how many updates the last of them did."""
    attempt = GradientDescent(objective="cross_entropy", learning_rate=RATE, updates=UPDATES)
    outcome = gradient.attack(
        Reports(network), start.flatten(1), targets, [attempt], trainer,
        threshold=(TAU, 0.0), beta=0.0, probes=1, check=20, shape=SHAPE,
    )  # fmt: skip
    return int((outcome.step >= 0).sum()), int(outcome.step.max())


def by_foolbox(network: nn.Module, start: Tensor, targets: Tensor, updates: int) -> int:
    """How many trials succeeded."""
    import foolbox

    class Above(foolbox.criteria.TargetedMisclassification):  # type: ignore[misc]
        def __call__(self, perturbed: Any, outputs: Any) -> Any:
            wanted = outputs.raw.softmax(1).gather(1, self.target_classes.raw[:, None])[:, 0]
            return type(outputs)(wanted > TAU)

    model = foolbox.PyTorchModel(network, bounds=(0, 1))
    attack = foolbox.attacks.LinfAdamPGD(abs_stepsize=RATE, steps=updates, random_start=False)
    return int(attack(model, start, Above(targets), epsilons=1.0)[2].sum())


def against_foolbox(network: nn.Module, trials: int = 30) -> None:
    draws = generator("benchmark", "starts")
    start, targets = torch.rand((trials, *SHAPE), generator=draws), torch.arange(trials) % CLASSES
    enough = by_overgen(network, start, targets)[1]  # warm, and the updates that the hardest trial needs
    seconds: dict[str, list[float]] = {}
    for _ in range(2):
        for name, attack in (
            (f"overgen, at most {UPDATES} updates", lambda: by_overgen(network, start, targets)[0]),
            (f"foolbox, {UPDATES} updates", lambda: by_foolbox(network, start, targets, UPDATES)),
            (f"foolbox, {enough} updates", lambda: by_foolbox(network, start, targets, enough)),
        ):
            began = time.perf_counter()
            succeeded = attack()
            seconds.setdefault(f"{name}: {succeeded} of {trials} succeeded", []).append(time.perf_counter() - began)
    base = min(next(iter(seconds.values())))
    for name, took in seconds.items():
        print(f"{name}; {trials / min(took):.1f} trials a second; {min(took) / base:.2f} times as long")


def main(asked: list[str]) -> None:
    network = trained()
    images, labels = gratings(500, generator("benchmark", "test"))
    with torch.no_grad():
        right = (network(images.float() / 255).argmax(1) == labels).float().mean()
    print(
        f"ResNet, {sum(p.numel() for p in network.parameters()):,} weights, {100 * right:.1f} % of 500 gratings right"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        torch.save(network.state_dict(), folder / "net.pt")
        write_pictures(folder / "gratings")
        for name, options in (("audit", ()), ("quick", ("--quick",))):
            if name in asked:
                print(f"{name}: {audited(folder, *options):.0f} s")
    if "foolbox" in asked:
        against_foolbox(network)


if __name__ == "__main__":
    main(sys.argv[1:] or ["audit", "quick", "foolbox"])
