"""What must hold on a CUDA GPU as on a CPU. Skipped without one; run here on an NVIDIA H200: see docs/running.md."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from overgen.attacks.gradient import GradientAttack
from overgen.measures.outputs import image_outputs
from overgen.models import registry, weights
from overgen.run.devices import whole_float32
from overgen.run.streams import generator
from overgen.training.module import Training
from overgen.training.together import Together

from attacking import trainer
from training_cases import CASES, assert_same, members, train

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture(autouse=True)
def deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    whole_float32()


def on_gpu(found: dict[str, Training]) -> dict[str, Training]:
    for member in found.values():
        member.images, member.labels = member.images.cuda(), member.labels.cuda()
        member.network.cuda()
    return found


@pytest.mark.parametrize("case", list(CASES))
def test_a_member_of_a_chunk_is_as_alone(case: str) -> None:
    together = on_gpu(members(case))
    train(Together(together), [], accelerator="gpu")
    for member, alone in zip(together.values(), on_gpu(members(case)).values(), strict=True):
        train(alone, [], accelerator="gpu")
        member.network.cuda()
        alone.network.cuda()
        assert_same(member, alone)


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator("pictures"), dtype=torch.uint8)


@pytest.mark.parametrize("model", ["cnn", "cool", "dae_sym", "dae_asym"])
def test_outputs_are_those_of_the_cpu(model: str) -> None:
    """float32 to 1e-5: with TF32, which is off, scores differ by more."""
    network, _ = registry.load(ROOT / weights.weights_path("mnist", model, 0))
    here = image_outputs(network, pictures(40), chunk=20, probes=2)
    there = image_outputs(network.cuda(), pictures(40).cuda(), chunk=20, probes=2)
    for name in ("log_y", "distance"):
        if name in here:
            torch.testing.assert_close(
                torch.from_numpy(there[name]), torch.from_numpy(here[name]), rtol=1e-5, atol=1e-4
            )


def test_a_gradient_attack_fools_at_the_updates_of_the_cpu() -> None:
    network, _ = registry.load(ROOT / weights.weights_path("mnist", "cnn", 0))
    steps = []
    for device, accelerator in (("cpu", "cpu"), ("cuda", "gpu")):
        first = pictures(10).flatten(1).double().to(device) / 255
        attack = GradientAttack(
            network.double().to(device), first, torch.arange(10, device=device), shape=(1, 28, 28),
            threshold=(0.9, 0.0), beta=10.0, probes=2, learning_rate=0.01, objective="cross_entropy", check=20,
        )  # fmt: skip
        steps.append(attack.run(trainer(accelerator=accelerator, devices=1), 200).step)
    assert bool((steps[0] >= 0).all())
    assert torch.equal(steps[0], steps[1])
