"""Autoencoders of images, with and without a classifier on top."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.models import PIXELS, Output
from overgen.models.cnn import CNN


def unpooled_conv(x: Tensor, weight: Tensor, bias: Tensor, unpooling: str, position: Tensor | None = None) -> Tensor:
    """5×5 SAME convolution of the ×2 unpooling of x, without ever forming the unpooled image.

    x: (N, I, H, W); weight: (O, I, 5, 5); bias: (O,). unpooling: each value goes to all four pixels of its 2×2 window
    ("nearest"), to the upper left one ("zeros"), or to the one that `position` names ("switches": 0..3 row by row, of
    x's shape); the others are 0. Returns (N, O, 2H, 2W).

    Each of the four output phases (even/odd row, even/odd column) meets each of the four input phases in a part of the
    kernel that is a 3×3 kernel at the low resolution, so a pixel shuffle of one 3×3 convolution has the same values:
    for 9/25 of the arithmetic with "nearest" and "zeros", which have one input phase, and for 36/25 with "switches",
    but without copies of large images. Against convolving the unpooled image, a whole step of training takes 0.6 to 0.7
    of the time with "zeros" and 0.86 with "switches" (bf16, batch 128, one core).
    """
    out, channels = weight.shape[:2]
    # taps[a, b, k, u] is 1 where tap u of output phase a reads row k - 1 of input phase b: 2(k - 1) + b = a + u - 2
    rows = torch.arange(3, device=weight.device).view(3, 1)
    tap = torch.arange(5, device=weight.device).view(1, 5)
    a, b = (torch.arange(2, device=weight.device).view(shape) for shape in ((2, 1, 1, 1), (1, 2, 1, 1)))
    taps = (2 * (rows - 1) + b == a + tap - 2).to(weight.dtype)
    if unpooling == "switches":
        assert position is not None
        x = torch.cat([x * (position == place) for place in range(4)], 1)
        kernel = torch.einsum("abku,oiuv,cdlv->oacbdikl", taps, weight, taps).reshape(4 * out, 4 * channels, 3, 3)
    else:
        taps = taps.sum(1) if unpooling == "nearest" else taps[:, 0]
        kernel = torch.einsum("aku,oiuv,blv->oabikl", taps, weight, taps).reshape(4 * out, channels, 3, 3)
    return F.pixel_shuffle(F.conv2d(x, kernel, bias.repeat_interleave(4), padding=1), 2)


def argmax_in_windows(x: Tensor) -> Tensor:
    """Where 2×2 max pooling finds each maximum: its pixel in the window, 0..3 row by row, the first of equal ones.

    x: (N, C, 2H, 2W). Returns uint8 (N, C, H, W). (The indices of torch's own pooling need slow divisions of int64.)
    """
    a, b, c, d = (x.detach()[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    right, lower_right = b > a, d > c
    below = torch.maximum(c, d) > torch.maximum(a, b)
    return torch.where(below, lower_right.to(torch.uint8) + 2, right.to(torch.uint8))


class DenoisingAutoencoder(CNN):
    """The denoising autoencoder with the classifier on its top hidden layer (Spigler 2019, Section 4.1).

    tied: the decoder uses the encoder's weights, transposed ("sym", 1,314,075 parameters), or its own ("asym",
    2,620,475). output: "linear" or "sigmoid" pixels. unpooling: "nearest" neighbour; "switches", each value to where
    the encoder's pooling found its maximum; or "zeros", each value to the corner of its window.
    """

    def __init__(
        self,
        classes: int = 10,
        units: str = "relu",
        initial: str = "glorot",
        tied: bool = True,
        output: str = "linear",
        unpooling: str = "nearest",
    ) -> None:
        super().__init__(classes, units, initial)
        self.tied = tied
        self.output = output
        self.unpooling = unpooling
        self.decoder_bias1 = nn.Parameter(torch.zeros(3136))
        self.decoder_bias2 = nn.Parameter(torch.zeros(32))
        self.decoder_bias3 = nn.Parameter(torch.zeros(1))
        if not tied:
            self.decoder_fc = nn.Parameter(torch.zeros(3136, 400))
            self.decoder_conv2 = nn.Parameter(torch.zeros(32, 64, 5, 5))
            self.decoder_conv1 = nn.Parameter(torch.zeros(1, 32, 5, 5))

    def decoder_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's (3136, 400), (32, 64, 5, 5) and (1, 32, 5, 5) weights, in the form of plain convolutions."""
        if not self.tied:
            return self.decoder_fc, self.decoder_conv2, self.decoder_conv1
        # the transpose of a convolution is the convolution with swapped channels and a kernel turned by 180 degrees
        turned = [w.flip(2, 3).transpose(0, 1) for w in (self.conv2.weight, self.conv1.weight)]
        return self.fc1.weight.t(), turned[0], turned[1]

    def decode(self, h: Tensor, switches: Sequence[Tensor] | None = None) -> Tensor:
        """h: (N, 400); switches: what `switches` gave for the images. Returns the reconstruction, (N, 784)."""
        fc, conv2, conv1 = self.decoder_weights()
        x = self.activate(F.linear(h, fc, self.decoder_bias1)).view(-1, 64, 7, 7)
        outer, inner = switches or (None, None)
        x = self.activate(unpooled_conv(x, conv2, self.decoder_bias2, self.unpooling, inner))  # (N, 32, 14, 14)
        x = unpooled_conv(x, conv1, self.decoder_bias3, self.unpooling, outer).flatten(1)  # (N, 784)
        return torch.sigmoid(x) if self.output == "sigmoid" else x

    def switches(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """What the decoder takes from the image besides h, constant around it: where each pooling found its maximum.

        x: (N, 1, 28, 28). Returns positions 0..3 in the windows, (N, 32, 14, 14) and (N, 64, 7, 7); None if the
        decoder takes nothing but h.
        """
        return self._pooled(x)[1] if self.unpooling == "switches" else None

    def _pooled(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The input of fc1, (N, 64, 7, 7), and the `switches`."""
        positions = []
        for conv in (self.conv1, self.conv2):
            full = conv(x)
            positions.append(argmax_in_windows(full))
            x = self.activate(F.max_pool2d(full, 2))
        return x, (positions[0], positions[1])

    def forward(self, x: Tensor) -> Output:
        if self.unpooling == "switches":
            pooled, switches = self._pooled(x)
            h = self.activate(self.fc1(pooled.flatten(1)))
            return Output(self.classify(h), self.decode(h, switches))
        h = self.encode(x)
        return Output(self.classify(h), self.decode(h))


class Autoencoder(nn.Module):
    """A plain fully connected autoencoder, 784-400-`hidden`-400-784, sigmoid pixels: reconstruction without a class."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(PIXELS, 400), nn.ReLU(), nn.Linear(400, hidden), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(hidden, 400), nn.ReLU(), nn.Linear(400, PIXELS), nn.Sigmoid())

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns h, (N, hidden)."""
        return self.encoder(x.flatten(1))

    def decode(self, h: Tensor) -> Tensor:
        """h: (N, hidden). Returns the reconstruction, (N, 784)."""
        return self.decoder(h)

    def forward(self, x: Tensor) -> Output:
        return Output(None, self.decode(self.encode(x)))

    initialise = CNN.initialise
