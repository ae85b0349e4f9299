"""γ of Eq. 5 (confidence.py): the exact trace against a loop of full Jacobians, and against its estimate.

    python benchmarks/curvature.py [images]

Trained dAE sym on MNIST test images (`dvc repro download@mnist` first), one run, float32, two threads; every way gives
the value that the loop gives.

Two cores of an AMD EPYC, torch 2.15, 40 images (133 of 400 hidden units active on average):

    loop of torch.func.jacrev         414.0 ms an image
    exact_curvature                    45.4 ms an image      9.1 times as fast (goal 3)
    estimated_curvature, 2 probes       0.72 ms an image     579 times as fast (goal 50)

The exact trace is 133 backward passes of the encoder and 133 forward passes of the decoder, about 4.5 GFLOP an image,
at 100 GFLOP/s: near what two cores give, so the next factor of two would have to come from a smaller basis.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable

import torch

from overgen import confidence, data
from overgen.models import PIXELS, registry, weights

PEERS = 4  # images for the loop of Jacobians


def timed(name: str, images: int, work: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Seconds an image, and the result. A first call warms up."""
    work()
    begin = time.perf_counter()
    result = work()
    seconds = (time.perf_counter() - begin) / images
    print(f"{name:55s} {1e3 * seconds:9.2f} ms an image")
    return seconds, result


def jacobian_loop(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The plain way: the whole Jacobian of r by `torch.func.jacrev`, image by image, and its trace."""

    def r(image: torch.Tensor) -> torch.Tensor:
        return network(image.view(1, 1, 28, 28)).reconstruction[0]

    return torch.stack([torch.func.jacrev(r)(image.flatten()).trace() / image.numel() - 1 for image in x])


def main(images: int) -> None:
    torch.set_num_threads(2)
    network, _ = registry.load(weights.weights_path("mnist", "dae_sym", 0))
    network = network.to(memory_format=torch.channels_last)
    x = data.floats(data.load("mnist").test_images[:images])
    with torch.no_grad():
        active = network.active(network.encode(x)).float().sum(1).mean()
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{images} images, of 400 hidden units {active:.0f} active on average")
    loop, reference = timed("loop of torch.func.jacrev", PEERS, lambda: jacobian_loop(network, x[:PEERS]))
    exact, found = timed("exact_curvature", images, lambda: confidence.exact_curvature(network, x))
    probes = confidence.probe_vectors(2, PIXELS)
    estimate, guessed = timed("estimated_curvature, 2 probes", images,
                              lambda: torch.stack(confidence.estimated_curvature(network, x, probes)))  # fmt: skip
    many = confidence.probe_vectors(256, PIXELS)
    close = confidence.estimated_curvature(network, x[:PEERS], many)
    torch.testing.assert_close(found[:PEERS], reference, rtol=1e-4, atol=1e-5)
    assert bool(((close[0] - reference).abs() < 5 * close[1]).all())
    assert bool(((guessed[0] - found).abs() < 6 * guessed[1]).all())
    print(f"exact: {loop / exact:.1f} times the loop's speed (goal 3); estimate: {loop / estimate:.0f} times (goal 50)")
    print(f"gamma: {found.min():.3f} to {found.max():.3f}; largest standard error of 2 probes {guessed[1].max():.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
