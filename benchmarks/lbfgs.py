"""The smallest changes (attacks/lbfgs.py): all images in one batch against a loop of scipy's L-BFGS-B.

    python benchmarks/lbfgs.py [images]

A network of 784-200-200-10 with sigmoid units, trained here on scikit-learn's digits; float32, one thread, one run. The
search on c is the same for both, image by image: so are the minimisations that it asks for, and the changes must be
alike.

One core of an AMD EPYC that was not idle, torch 2.15, 40 images:

    one batch                         75.9 ms an image, distortion 0.05052
    loop of scipy's L-BFGS-B         516.1 ms an image, distortion 0.05053        6.8 times as long
"""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from overgen import data
from overgen.attacks import lbfgs
from overgen.data import sources
from overgen.models.perceptrons import Perceptron
from overgen.run.streams import generator


def network_and_images(count: int) -> tuple[Perceptron, Tensor, Tensor]:
    """A trained network, images (N, 1, 28, 28) that it labels right, and another class for each."""
    source = sources.digits(Path(), None)
    network = Perceptron([200, 200])
    network.initialise(generator("benchmark"))  # type: ignore[misc]
    x, labels = data.floats(source.train_images), source.train_labels
    adam = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(300):
        adam.zero_grad()
        torch.nn.functional.nll_loss(network(x).log_y, labels).backward()
        adam.step()
    network.requires_grad_(False)
    images = data.floats(source.test_images)
    right = (network(images).log_y.argmax(1) == source.test_labels).nonzero()[:count, 0]
    return network, images[right], (source.test_labels[right] + 3) % 10


def scipy_minimise(objective: lbfgs.Objective, start: Tensor, *, iterations: int) -> tuple[Tensor, Tensor]:
    """`lbfgs.minimise` by a loop over the problems."""
    points, values = [], []
    for i, first in enumerate(start):

        def both(p: np.ndarray, i: int = i) -> tuple[float, np.ndarray]:
            x = torch.from_numpy(p).to(start.dtype)[None].requires_grad_()
            value = objective(torch.tensor([i]), x)
            (gradient,) = torch.autograd.grad(value.sum(), x)
            return float(value.detach()), gradient[0].double().numpy()

        options = {"maxiter": iterations, "ftol": float(np.finfo(np.float32).eps), "gtol": 1e-5}
        limits = [(0.0, 1.0)] * len(first)
        found = minimize(both, first.double().numpy(), jac=True, method="L-BFGS-B", bounds=limits, options=options)
        points.append(torch.from_numpy(found.x).to(start.dtype))
        values.append(found.fun)
    return torch.stack(points), torch.tensor(values)


def main(count: int) -> None:
    torch.set_num_threads(1)
    network, images, target = network_and_images(count)

    def log_score(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_y.gather(1, target[rows][:, None])[:, 0]

    def succeeds(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_y.argmax(1) == target[rows]

    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {len(images)} images")
    seconds, distortions = [], []
    batched = lbfgs.minimise
    for name, minimiser in (("one batch", batched), ("loop of scipy's L-BFGS-B", scipy_minimise)):
        lbfgs.minimise = minimiser  # type: ignore[assignment]
        lbfgs.smallest_change(log_score, succeeds, images[:2], c=1.0)  # a first call warms up
        begin = time.perf_counter()
        change = lbfgs.smallest_change(log_score, succeeds, images, c=1.0)
        seconds.append(time.perf_counter() - begin)
        assert bool(change.succeeded.all())
        distortions.append((change.image - images).flatten(1).square().mean(1).sqrt())
        print(f"{name:30s} {1e3 * seconds[-1] / len(images):9.1f} ms an image, distortion {distortions[-1].mean():.5f}")
    ratio = distortions[0] / distortions[1]
    print(f"distortion, ours of scipy's: mean {ratio.mean():.4f}, {ratio.min():.4f} to {ratio.max():.4f}")
    assert abs(float(ratio.mean()) - 1) < 0.01
    print(f"{seconds[1] / seconds[0]:.1f} times as fast")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
