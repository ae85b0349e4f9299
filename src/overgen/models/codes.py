"""Autoencoders of any image shape with a code of any size: deep, linear and variational; trained by `train_codes`.

    network, about = codes.load("mnist", "ae_k64_seed0")
    h = network.encode(x)                # (N, 64)
    restored = network.decode(h)         # (N, C·H·W)

All hidden units but those of the code are ReLUs. The code itself is linear: none of its units can be dead, so that k is
the number of values that a code really has. (The `Autoencoder` of `models.autoencoders` has ReLUs there, too.)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models import Output
from overgen.models.weights import load_weights
from overgen.run.streams import generator


class LinearCode(nn.Module):
    """One layer each way without an activation: at its best the projection on the first k principal components.

    pixels: D, of an image, C·H·W; size: k, of the code. The reconstruction is not confined to [0, 1].
    """

    def __init__(self, pixels: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.encoder: nn.Module = nn.Linear(pixels, size)
        self.decoder: nn.Module = nn.Linear(size, pixels)

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W) or (N, D), in [0, 1]. Returns the codes, (N, k)."""
        return self.encoder(x.flatten(1))

    def decode(self, h: Tensor) -> Tensor:
        """h: (N, k). Returns the reconstructions, (N, D)."""
        return self.decoder(h)

    def forward(self, x: Tensor) -> Output:
        """Returns an `Output` with a reconstruction only, as all networks that reconstruct do."""
        return Output(None, self.decode(self.encode(x)))

    def initialise(self, draws: torch.Generator) -> None:
        """Glorot's uniform weights, and biases of 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=draws)
                nn.init.zeros_(layer.bias)


class DeepCode(LinearCode):
    """D-hidden-k-hidden-D: ReLUs, a linear code, sigmoid pixels."""

    def __init__(self, pixels: int, size: int, hidden: int = 400) -> None:
        super().__init__(pixels, size)
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, size))
        self.decoder = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, pixels), nn.Sigmoid())


class VariationalCode(DeepCode):
    """A variational autoencoder (Kingma & Welling 2013): the code is normal, its prior a standard normal.

    The encoder gives mean and log variance of the code; `encode` gives the mean, so that a code is no matter of chance.
    """

    def __init__(self, pixels: int, size: int, hidden: int = 400) -> None:
        super().__init__(pixels, size, hidden)
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * size))

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: as of `encode`. Returns mean and log variance of the codes, (N, k) each."""
        mean, log_variance = self.encoder(x.flatten(1)).chunk(2, 1)
        return mean, log_variance

    def encode(self, x: Tensor) -> Tensor:
        return self.moments(x)[0]

    def drawn(self, x: Tensor, draws: torch.Generator) -> Tensor:
        """Codes drawn for images. x: as of `encode`. Returns (N, k)."""
        mean, log_variance = self.moments(x)
        noise = torch.randn(mean.shape, generator=draws, device=mean.device, dtype=mean.dtype)
        return mean + (log_variance / 2).exp() * noise

    def prior(self, count: int, *key: object) -> Tensor:
        """Codes drawn from the prior, (count, k), that depend on the key alone; `decode` makes images of them."""
        return torch.randn(count, self.size, generator=generator(*key, "prior"))


KINDS: dict[str, type[LinearCode]] = {"linear": LinearCode, "deep": DeepCode, "variational": VariationalCode}


def build(network: Mapping[str, Any]) -> LinearCode:
    """A network as the metadata of its weights describe it: its `network` of `KINDS`, and the options of its class."""
    options = dict(network)
    return KINDS[options.pop("network")](**options)


def folder(dataset: str) -> Path:
    """Where the weights of a data set's codes lie."""
    return Path("models", dataset, "codes")


def load(dataset: str, name: str, *, device: Any = None) -> tuple[LinearCode, dict[str, Any]]:
    """A trained network by its name, such as ae_k64_seed0, in evaluation mode; and what its file says of itself.

    Of that: `kind` (ae), `size` (64), `seed` (0), `network`, `loss`, `noise_std` and `budget`.
    Raises OvergenError if the file is missing, with the names that there are, broken, or another network's.
    """
    path = folder(dataset) / f"{name}.safetensors"
    if folder(dataset).is_dir() and not path.exists():
        there = ", ".join(sorted(file.stem for file in path.parent.glob("*.safetensors")))
        raise OvergenError(
            f"{path}: missing; there are {there}. params.yaml, train_codes.{dataset}, says which are trained"
        )
    state, about = load_weights(path)
    if (about.get("dataset"), about.get("name")) != (dataset, name):
        raise OvergenError(
            f"{path}: holds the weights of {about.get('name')} of {about.get('dataset')}; delete it, then "
            f"`dvc repro train_codes@{dataset}-codes` trains it"
        )
    network = build(about["network"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise OvergenError(f"{path}: the weights do not fit the network {about['network']}: {error}") from error
    network = network.eval().requires_grad_(False)
    return network if device is None else network.to(device), about


def names(dataset: str, kind: str) -> list[str]:
    """The names of all trained networks of a kind, such as ae, by size, then seed; none where it is not trained."""
    found = []
    for path in folder(dataset).glob(f"{kind}_k*_seed*.safetensors"):
        size, seed = path.stem.removeprefix(f"{kind}_k").split("_seed")
        found.append((int(size), int(seed), path.stem))
    return [name for _, _, name in sorted(found)]
