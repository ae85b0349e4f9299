"""The discriminator of an energy-based GAN (Zhao et al. 2017), an autoencoder, trained on the known inputs alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from overgen.scores.arrays import rows
from overgen.scores.autoencoder import WIDTH, AutoencoderError

NOISE = 32  # values that the generator makes an image of
BETAS = (0.5, 0.999)  # of Adam, usual where two networks are trained against each other
# Of 0.003, 0.01, 0.03, 0.1, … the last before held-out images of MNIST are restored with twice the squared error of the
# plain autoencoder, after 500 updates of each: 0.7, 0.9, 1.2, then 2.2 times. At 0.3 the energy of generated images
# ends below that of known ones (0.002 against 0.035): training fails there.
MARGIN = 0.03


class EnergyGan(AutoencoderError):
    """−‖r(x) − x‖₂ as of `AutoencoderError`, of a discriminator whose energy is high on what a generator makes.

    E(x) is the squared error of r, a mean over the pixels. The discriminator goes down E(x) + max(0, margin − E(G(z))),
    the generator, a network 32-400-400-D, down E(G(z)) + repelling·S (Zhao et al. 2017, Eq. 1, 2 and 4): S, the mean
    squared cosine of the codes of different images, keeps what it makes apart.
    margin: in squared pixels; repelling: the weight of S; an update is one of each network.
    curves: (updates, 2), of each update the energies of known and of generated images: where training fails they tell.
    Raises ValueError unless margin is above 0 and repelling at least 0.
    """

    curves: np.ndarray

    def __init__(
        self,
        *,
        margin: float = MARGIN,
        repelling: float = 0.1,
        hidden: int = 64,
        updates: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__(hidden=hidden, updates=updates, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
        if margin <= 0 or repelling < 0:
            raise ValueError(f"margin = {margin}, repelling = {repelling}: must be above 0, and at least 0")
        self.margin, self.repelling = margin, repelling

    def fit(self, x: np.ndarray, labels: np.ndarray | None = None) -> EnergyGan:
        """As of `AutoencoderError`."""
        x = rows(x)
        if x.min() < 0 or x.max() > 1:
            raise ValueError(f"x: values from {x.min():g} to {x.max():g}, must lie in [0, 1]")
        inputs = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        draws = torch.Generator().manual_seed(self.seed)
        self.network, generator = self._built(x.shape[1]), generating(x.shape[1])
        for network in (self.network, generator):
            for layer in network.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight, generator=draws)
                    nn.init.zeros_(layer.bias)
        ours, theirs = (
            torch.optim.Adam(network.parameters(), lr=self.learning_rate, betas=BETAS)
            for network in (self.network, generator)
        )
        curves, batches = np.zeros((self.updates, 2)), list[Tensor]()
        for update in range(self.updates):
            for adam in (ours, theirs):
                adam.param_groups[0]["lr"] = self.learning_rate * (1 - update / self.updates)
            batches = batches or list(torch.randperm(len(inputs), generator=draws).split(self.batch_size))
            known = inputs[batches.pop()]
            made = generator(torch.randn(len(known), NOISE, generator=draws))
            of_known, of_made = self._energy(known), self._energy(made.detach())
            _descend(ours, of_known.mean() + (self.margin - of_made).relu().mean())
            codes = self.network[:3](made)
            _descend(theirs, self._energy(made).mean() + self.repelling * likeness(codes))
            curves[update] = float(of_known.detach().mean()), float(of_made.detach().mean())
        self.curves = curves
        self.network.double()
        return self

    def _energy(self, x: Tensor) -> Tensor:
        """E of each image, (N,)."""
        return F.mse_loss(self.network(x), x, reduction="none").mean(1)


def generating(width: int) -> nn.Sequential:
    """The generator of images of so many pixels."""
    return nn.Sequential(
        nn.Linear(NOISE, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, width), nn.Sigmoid()
    )


def likeness(codes: Tensor) -> Tensor:
    """The mean squared cosine of the codes (N, K) of different images, a number; 0 of one image."""
    n = len(codes)
    cosines = F.normalize(codes) @ F.normalize(codes).T
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / max(1, n * (n - 1))


def _descend(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()
