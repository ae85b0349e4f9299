"""Noise-conditional denoisers, as today's diffusion models have them; trained by `train_denoiser`.

    network, about = denoisers.load("mnist", seed=0)
    restored = network.restore(x, 0.2)   # (N, C·H·W): the clean image that the noise of deviation 0.2 hides best

At every noise level σ the network estimates E[clean | x], which is the score of the noisy data:
∇ log p_σ(x) = (D(x; σ) − x) / σ² (Vincent 2011; Karras et al. 2022, Eq. 3). Noise and pixels are in one unit, 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models import Output, sized
from overgen.models.weights import load_weights

FOLD = 2  # 2×2 pixels become channels first, and last are unfolded: a quarter of the arithmetic
NOISE_FEATURES = 128


class Block(nn.Module):
    """Two 3×3 convolutions beside the identity; the noise level scales and shifts what lies between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.noise = nn.Linear(NOISE_FEATURES, 2 * width)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        scale, shift = self.noise(noise)[:, :, None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))


class Denoiser(nn.Module):
    """D(x; σ) = c_skip·x + c_out·F(c_in·x; ln σ / 4) (Karras et al. 2022, Eq. 7 and Table 1), F a small U-Net.

    shape: (C, H, W) of the images, H and W multiples of 4; width: channels of the outer level, a multiple of 8.
    data_std: σ_data, about the deviation of the pixels. sigma: the level that is meant where none is said, as wherever
        the network is taken for an autoencoder.
    Raises OvergenError for a shape or width that does not fit.
    """

    def __init__(
        self, shape: Sequence[int] = (1, 28, 28), width: int = 32, data_std: float = 0.3, sigma: float = 0.2
    ) -> None:
        super().__init__()
        if len(shape) != 3 or shape[1] % (2 * FOLD) or shape[2] % (2 * FOLD):
            raise OvergenError(
                f"a denoiser takes images whose height and width are multiples of {2 * FOLD}, not {sized(shape)}"
            )
        if width < 8 or width % 8:
            raise OvergenError(f"width of a denoiser: {width} is no multiple of 8")
        self.shape, self.data_std, self.sigma = tuple(shape), data_std, sigma
        folded = shape[0] * FOLD**2
        self.noise = nn.Sequential(
            nn.Linear(NOISE_FEATURES, NOISE_FEATURES), nn.SiLU(), nn.Linear(NOISE_FEATURES, NOISE_FEATURES), nn.SiLU()
        )
        self.first = nn.Conv2d(folded, width, 3, padding=1)
        self.outer_in = nn.ModuleList(Block(width) for _ in range(2))
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.inner = nn.ModuleList(Block(2 * width) for _ in range(3))
        self.up = nn.Conv2d(2 * width, width, 3, padding=1)
        self.join = nn.Conv2d(2 * width, width, 1)
        self.outer_out = nn.ModuleList(Block(width) for _ in range(2))
        self.norm = nn.GroupNorm(8, width)
        self.last = nn.Conv2d(width, folded, 3, padding=1)

    def restore(self, x: Tensor, sigma: Tensor | float | None = None) -> Tensor:
        """The estimate of the clean images. x: (N, C, H, W) or (N, D); sigma: one σ > 0, or one an image, (N,).

        Returns (N, D), in the unit of the pixels, not confined to [0, 1].
        """
        flat = x.flatten(1)
        s = torch.as_tensor(self.sigma if sigma is None else sigma, dtype=flat.dtype, device=flat.device)
        s = s.expand(len(flat))[:, None]
        spread = (s.square() + self.data_std**2).sqrt()
        answer = self._network(flat / spread, s[:, 0].log() / 4)
        return flat * (self.data_std / spread).square() + answer * (s * self.data_std / spread)

    def _network(self, x: Tensor, level: Tensor) -> Tensor:
        """F. x: (N, D) of about unit variance; level: (N,). Returns (N, D)."""
        half = torch.arange(NOISE_FEATURES // 2, dtype=x.dtype, device=x.device)
        angles = level[:, None] * 16 * torch.exp(-math.log(100) * half / half.numel())
        noise = self.noise(torch.cat([angles.sin(), angles.cos()], 1))
        h = self.first(folded(x.view(-1, *self.shape)))
        for block in self.outer_in:
            h = block(h, noise)
        skipped, h = h, self.down(h)
        for block in self.inner:
            h = block(h, noise)
        h = self.join(torch.cat([self.up(F.interpolate(h, scale_factor=2.0)), skipped], 1))
        for block in self.outer_out:
            h = block(h, noise)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), FOLD).flatten(1)

    def encode(self, x: Tensor) -> Tensor:
        """The images themselves, (N, D): nothing is narrower between them and the reconstruction."""
        return x.flatten(1)

    def decode(self, h: Tensor) -> Tensor:
        """h: (N, D). Returns the reconstruction at the network's own σ, (N, D)."""
        return self.restore(h)

    def forward(self, x: Tensor) -> Output:
        """Returns an `Output` with a reconstruction only, at the network's own σ."""
        return Output(None, self.restore(x))

    def initialise(self, draws: torch.Generator) -> None:
        """Glorot's uniform weights, biases of 0, and 0 where a block or the network ends: D begins as c_skip·x."""
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=draws)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
                if name == "last" or name.endswith("conv2"):
                    nn.init.zeros_(layer.weight)


def folded(x: Tensor) -> Tensor:
    """Each 2×2 pixels as channels. x: (N, C, H, W). Returns (N, 4C, H/2, W/2).

    As torch's `pixel_unshuffle`, which hands images back as they are where there are none of them (seen: 2.15).
    """
    n, c, height, width = x.shape
    parts = x.view(n, c, height // FOLD, FOLD, width // FOLD, FOLD).permute(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * FOLD**2, height // FOLD, width // FOLD)


def path_of(dataset: str, seed: int) -> Path:
    """Where the weights of a seed lie."""
    return Path("models", dataset, "denoiser", f"seed{seed}.safetensors")


def load(dataset: str, seed: int = 0, *, device: Any = None) -> tuple[Denoiser, dict[str, Any]]:
    """A trained denoiser in evaluation mode, float32, frozen; and what its file says of itself.

    Raises OvergenError if the file is missing, broken, or another network's.
    """
    path = path_of(dataset, seed)
    state, about = load_weights(path)
    if (about.get("dataset"), about.get("seed")) != (dataset, seed):
        raise OvergenError(
            f"{path}: holds seed {about.get('seed')} of {about.get('dataset')}; delete it, then "
            f"`dvc repro train_denoiser@{dataset}-denoiser` trains it"
        )
    network = Denoiser(**about["network"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise OvergenError(f"{path}: the weights do not fit the network {about['network']}: {error}") from error
    network = network.eval().requires_grad_(False)
    return network if device is None else network.to(device), about
