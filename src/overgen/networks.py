"""The papers' networks as plain modules: image in [0, 1] to log class scores and, for autoencoders, a reconstruction.

Every network maps x (N, 1, 28, 28) to an `Output`. Networks that reconstruct also have `encode` (to the top hidden
layer h) and `decode` (from h to pixels), between which the curvature of Eq. 5 is computed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen.artifacts import OvergenError

PIXELS = 28 * 28


class Output(NamedTuple):
    """What a network says of N images."""

    log_y: Tensor | None  # (N, C) log class scores; None for a network that does not classify
    reconstruction: Tensor | None  # (N, 784); None for a network that does not reconstruct


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


class CNN(nn.Module):
    """The convolutional classifier (Spigler 2019, Section 4.1): 1,310,906 parameters for 10 classes.

    units: "relu" as in the paper, or "sigmoid" for its variant. initial: of the weights, "glorot" or
    "truncated_normal", see `initialise`.
    """

    omega = 1  # units per class in the last layer

    def __init__(self, classes: int = 10, units: str = "relu", initial: str = "glorot") -> None:
        super().__init__()
        self.classes = classes
        self.units = units
        self.initial = initial
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.fc1 = nn.Linear(3136, 400)
        self.fc2 = nn.Linear(400, classes * self.omega)

    def activate(self, x: Tensor) -> Tensor:
        return F.relu(x) if self.units == "relu" else torch.sigmoid(x)

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns h, (N, 400)."""
        x = self.activate(F.max_pool2d(self.conv1(x), 2))  # (N, 32, 14, 14)
        x = self.activate(F.max_pool2d(self.conv2(x), 2))  # (N, 64, 7, 7)
        return self.activate(self.fc1(x.flatten(1)))

    def active(self, h: Tensor) -> Tensor:
        """Where ∂h/∂x can differ from 0. h: (N, 400). Returns bool (N, 400)."""
        return h > 0 if self.units == "relu" else torch.ones_like(h, dtype=torch.bool)

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, 400). Returns log y, (N, C)."""
        return F.log_softmax(self.fc2(h), dim=1)

    def forward(self, x: Tensor) -> Output:
        return Output(self.classify(self.encode(x)), None)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the initial weights; the paper does not say how.

        "glorot": Glorot-uniform weights and zero biases, TensorFlow's defaults. "truncated_normal": weights of
        deviation 0.1 cut at two deviations and biases of 0.1, as in TensorFlow's tutorial, whose network is much alike.
        """
        glorot = getattr(self, "initial", "glorot") == "glorot"  # other networks borrow this method
        for parameter in self.parameters():
            if parameter.dim() == 1:
                nn.init.constant_(parameter, 0.0 if glorot else 0.1)
            elif glorot:
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                nn.init.trunc_normal_(parameter, std=0.1, a=-0.2, b=0.2, generator=generator)


class COOL(CNN):
    """Competitive overcomplete output layer (Kardan & Stanley 2017): ω units a class, 1,346,996 parameters at ω = 10.

    One softmax p over all C·ω units; the score of class c is the product over its units of ω·p, at most 1. Training
    on the target 1/ω for each unit of the true class is the negative log score divided by ω, up to a constant.
    """

    def __init__(
        self, classes: int = 10, units: str = "relu", initial: str = "glorot", omega: int = 10, output_std: float = 1.0
    ) -> None:
        self.omega = omega
        super().__init__(classes, units, initial)
        self.output_std = output_std

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, 400). Returns log ỹ, (N, C): it does not sum to one over the classes."""
        log_p = F.log_softmax(self.fc2(h), dim=1).view(-1, self.classes, self.omega)
        return log_p.sum(2) + self.omega * math.log(self.omega)

    def initialise(self, generator: torch.Generator) -> None:
        """As the CNN, but for normal weights of deviation `output_std` in the last layer."""
        super().initialise(generator)
        nn.init.normal_(self.fc2.weight, std=self.output_std, generator=generator)


class LeNet(nn.Module):
    """LeNet as Caffe ships it for MNIST (attacked by Nguyen, Yosinski & Clune 2015): 431,080 parameters for 10 classes.

    No padding, and a ReLU after the first fully connected layer only.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, x: Tensor) -> Output:
        """x: (N, 1, 28, 28)."""
        x = F.max_pool2d(self.conv1(x), 2)  # (N, 20, 12, 12)
        x = F.max_pool2d(self.conv2(x), 2)  # (N, 50, 4, 4)
        return Output(F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), dim=1), None)

    initialise = CNN.initialise


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


class PointAutoencoder(nn.Module):
    """The denoising autoencoder of points in the plane (Spigler 2019, Figure 2): 2-200-200, a classifier on the top.

    The decoder uses the encoder's weights, transposed, and its own biases; its output is linear. 41,605 parameters for
    200 units in each of the two hidden layers and 3 classes. x is (N, 2) here, not an image.
    """

    def __init__(self, hidden: int = 200, classes: int = 3) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, classes)
        self.decoder_bias1 = nn.Parameter(torch.zeros(hidden))
        self.decoder_bias2 = nn.Parameter(torch.zeros(2))

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 2). Returns h, (N, hidden)."""
        return F.relu(self.fc2(F.relu(self.fc1(x))))

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, hidden). Returns log y, (N, C)."""
        return F.log_softmax(self.fc3(h), dim=1)

    def decode(self, h: Tensor) -> Tensor:
        """h: (N, hidden). Returns the reconstruction, (N, 2)."""
        h = F.relu(F.linear(h, self.fc2.weight.t(), self.decoder_bias1))
        return F.linear(h, self.fc1.weight.t(), self.decoder_bias2)

    def forward(self, x: Tensor) -> Output:
        h = self.encode(x)
        return Output(self.classify(h), self.decode(h))

    initialise = CNN.initialise


class Perceptron(nn.Module):
    """Fully connected layers of sigmoid units with a softmax on top (Szegedy et al. 2013, Section 4).

    hidden: the units of each hidden layer: none for FC10, which is linear, [100, 100] for FC100-100-10.
    """

    def __init__(self, hidden: Sequence[int] = (), classes: int = 10) -> None:
        super().__init__()
        sizes = [PIXELS, *hidden, classes]
        self.layers = nn.ModuleList(nn.Linear(size, units) for size, units in pairwise(sizes))

    def weights(self) -> list[Tensor]:
        """The weights of each layer, (units, inputs), the softmax last."""
        return [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28). Returns the top hidden layer, (N, H); the pixels, (N, 784), if there is none."""
        h = x.flatten(1)
        for layer in self.layers[:-1]:
            h = torch.sigmoid(layer(h))
        return h

    def classify(self, h: Tensor) -> Tensor:
        """h: (N, H). Returns log y, (N, C)."""
        return F.log_softmax(self.layers[-1](h), dim=1)

    def forward(self, x: Tensor) -> Output:
        return Output(self.classify(self.encode(x)), None)

    initialise = CNN.initialise


class PerceptronAutoencoder(nn.Module):
    """A perceptron's hidden layers with a decoder of sigmoid pixels on top, which trains them before the softmax is.

    sparsity: the weight of a penalty that draws the mean activation of each unit of the top hidden layer to
    `activation`; it stands beside the error summed over the pixels.
    """

    def __init__(self, perceptron: Perceptron, sparsity: float = 0.0, activation: float = 0.1) -> None:
        super().__init__()
        self.perceptron = perceptron
        self.sparsity, self.activation = sparsity, activation
        self.decoder = nn.Linear(perceptron.layers[-1].in_features, PIXELS)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Output:
        return Output(None, torch.sigmoid(self.decoder(self.perceptron.encode(x))))

    def penalty(self, x: Tensor) -> Tensor:
        """sparsity · Σ KL(activation ‖ mean of the unit over the batch) / 784, for an error that is a mean.

        x: (N, 1, 28, 28). Returns (). Of Bernoulli variables, as in Ng's notes on sparse autoencoders.
        """
        mean = self.perceptron.encode(x).mean(0).clamp(1e-6, 1 - 1e-6)
        wanted = torch.full_like(mean, self.activation)
        divergence = F.binary_cross_entropy(mean, wanted, reduction="sum")
        return self.sparsity * (divergence - F.binary_cross_entropy(wanted, wanted, reduction="sum")) / PIXELS


# The `network` of a model in params.yaml; users' own stand in src/own, see `own`.
NETWORKS: dict[str, type[nn.Module]] = {
    "cnn": CNN,
    "cool": COOL,
    "lenet": LeNet,
    "dae": DenoisingAutoencoder,
    "autoencoder": Autoencoder,
    "perceptron": Perceptron,
}


def build(network: str, **options: Any) -> nn.Module:
    """A network by its name in `NETWORKS`, or the user's own as "src/own/<file>.py:<Class>", with its options.

    Raises OvergenError for an unknown name or option.
    """
    if network not in NETWORKS and ":" not in network:
        raise OvergenError(
            f"network {network!r} is unknown; there are {', '.join(NETWORKS)}, and src/own/<file>.py:<Class> for yours"
        )
    made = NETWORKS[network] if network in NETWORKS else own(network)
    try:
        return made(**options)
    except TypeError as error:
        raise OvergenError(f"network {network!r} does not take these options: {options} ({error})") from error


def own(network: str) -> type[nn.Module]:
    """The user's class that "src/own/<file>.py:<Class>" names. Raises OvergenError if there is no such thing."""
    path, _, name = network.partition(":")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; network {network!r} is there; run from the repository's root") from error
    # Not imported: that would leave a __pycache__ in a folder that stages depend on as a whole.
    module = ModuleType(f"own.{Path(path).stem}")
    sys.modules[module.__name__] = module  # where dataclasses and pickle look
    exec(compile(text, path, "exec"), module.__dict__)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise OvergenError(f"{path}: has no torch module {name!r}, which network {network!r} names")
    return found


def weights_path(dataset: str, model: str, seed: int) -> Path:
    """Where the trained weights of a seed lie: seed 0's are published, those of further seeds only in DVC."""
    directory = Path("models", dataset, model)
    return (directory if seed == 0 else directory / "members") / f"seed{seed}.safetensors"


def perceptron_path(dataset: str, name: str) -> Path:
    """Where the trained weights of one of the perceptrons lie, by its name in params.yaml."""
    return Path("models", dataset, "perceptrons", f"{name}.safetensors")


def load(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """A trained network from its weights file, in evaluation mode, float32; and the file's metadata.

    Raises OvergenError if the file is missing, broken, not finite or does not fit the network that it names.
    """
    from overgen.artifacts import load_weights

    state, metadata = load_weights(path)
    network = build(**metadata["network"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise OvergenError(f"{path}: the weights do not fit the network {metadata['network']}: {error}") from error
    return network.eval().requires_grad_(False), metadata


def round_weights(network: nn.Module) -> None:
    """Round weights and running averages to float16 in place, so that what is measured is what is saved."""
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().to(tensor.dtype))
