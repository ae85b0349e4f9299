"""Training on images that are moved to err."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from overgen.models.autoencoders import DenoisingAutoencoder
from overgen.training.adversarial import AdversarialTraining, moved
from overgen.training.module import losses

OF_LOSS = {"reconstruction_loss": "squared", "reconstruction_weight": 1.0, "classifier_input": "noisy"}


class Linear(torch.nn.Module):
    """Two classes by the sum of the pixels, 16 of them."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1).sum(1, keepdim=True)

    def classify(self, h: Tensor) -> Tensor:
        return torch.cat([8 - h, h - 8], 1).log_softmax(1)


def test_a_linear_classifiers_images_go_to_the_corner_of_the_ball() -> None:
    x = torch.full((4, 1, 4, 4), 0.5)
    x[3] = 0.97
    labels = torch.tensor([0, 1, 0, 0])
    found = moved(Linear(), x, labels, radius=0.1, steps=3, draws=torch.Generator().manual_seed(0))
    expected = torch.tensor([0.6, 0.4, 0.6, 1.0])
    torch.testing.assert_close(found, expected.view(4, 1, 1, 1).expand_as(x))


@pytest.mark.parametrize("steps", [1, 7])
def test_images_stay_in_ball_and_cube_and_err_more(steps: int) -> None:
    network = DenoisingAutoencoder()
    network.initialise(torch.Generator().manual_seed(1))
    x = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(2)).round()
    labels = torch.arange(20) % 10
    found = moved(network, x, labels, radius=0.05, steps=steps, draws=torch.Generator().manual_seed(3))
    assert ((found - x).abs() <= 0.05 + 1e-6).all()
    assert ((found >= 0) & (found <= 1)).all()
    of = [losses(network, x, at, labels, **OF_LOSS)[1].detach() for at in (x, found)]
    assert of[1] > of[0]
    assert all(p.grad is None for p in network.parameters())
    again = moved(network, x, labels, radius=0.05, steps=steps, draws=torch.Generator().manual_seed(3))
    assert torch.equal(found, again)


def squares() -> tuple[Tensor, Tensor]:
    """Images of two classes: a bright square to the left or to the right, on noise."""
    images = torch.randint(0, 40, (96, 1, 28, 28), generator=torch.Generator().manual_seed(4), dtype=torch.uint8)
    labels = torch.arange(96) % 2
    images[labels == 0, :, 10:18, 4:10] = 240
    images[labels == 1, :, 10:18, 18:24] = 240
    return images, labels


def test_training_makes_moved_images_right_and_keeps_the_best_weights() -> None:
    network = DenoisingAutoencoder(classes=2)
    network.initialise(torch.Generator().manual_seed(5))
    images, labels = squares()
    module = AdversarialTraining(
        network, images[32:], labels[32:], held_out=(images[:32], labels[:32]), radius=0.05, steps=2, key=("test",),
        batch_size=8, learning_rate=0.001, l2=0, **OF_LOSS,
    )  # fmt: skip
    began = module.tested()["right_when_moved"]
    assert began < 0.8
    trainer = pl.Trainer(
        max_epochs=5, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    trainer.fit(module)
    shares = [began, *(curve["right_when_moved"] for curve in module.curves)]
    assert module.best[0] == max(shares) > 0.9
    network.load_state_dict(module.best[1])
    assert module.tested()["right_when_moved"] == module.best[0]


def test_the_weights_after_a_worse_epoch_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network = DenoisingAutoencoder(classes=2)
    network.initialise(torch.Generator().manual_seed(5))
    images, labels = squares()
    module = AdversarialTraining(
        network, images, labels, held_out=(images[:32], labels[:32]), radius=0.0, steps=1, key=("test",),
        batch_size=16, learning_rate=0.002, l2=0, **OF_LOSS,
    )  # fmt: skip
    with torch.no_grad():
        network.fc2.bias.copy_(torch.tensor([9.0, 0.0]))  # class 0 of every image: half are right
    assert module.tested()["right_when_moved"] == 0.5
    kept = module.best[1]["fc2.bias"].clone()
    with torch.no_grad():
        network.fc2.bias.copy_(torch.tensor([0.0, 9.0]))  # as many
    module.tested()
    assert torch.equal(module.best[1]["fc2.bias"], kept)
