"""The penalty of a contractive autoencoder (scores/contractive.py) against a loop of full Jacobians.

    python benchmarks/contraction.py [images]

A batch of images of MNIST's size, the encoder 784-400-64 of the scores, the gradient with respect to its weights
included, as in training: one run, float32, one thread, each way five times in turn, medians.

One core of an AMD EPYC that other work used too, torch 2.15, 128 images (goal: 5 times the loop):

    loop of torch.func.jacrev     2457.66 ms a batch       1.0 times as fast as the loop
    vmap of torch.func.jacrev     1123.46 ms a batch       2.2 times as fast as the loop
    squared_jacobian, one draw      41.90 ms a batch      58.7 times as fast as the loop

One draw is an estimate, right in the mean: its noise is one more in a step that draws its images at random. The mean of
2,000 draws is held against the loop first.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from overgen.scores.contractive import squared_jacobian

ROUNDS = 5


def main(images: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 64), nn.ReLU())
    weights = list(encoder.parameters())
    x = torch.rand(images, 784)

    def loop() -> Tensor:
        of_image = torch.func.jacrev(encoder)
        return torch.stack([of_image(image).square().sum() for image in x])

    def batched() -> Tensor:
        jacobians = torch.func.vmap(torch.func.jacrev(encoder))(x)
        return torch.as_tensor(jacobians).square().sum((1, 2))

    def ours(signs: Tensor | None = None) -> Tensor:
        inner = encoder[0](x)
        h = encoder[2](inner.relu())
        signs = 2.0 * torch.randint(0, 2, h.shape) - 1 if signs is None else signs
        return squared_jacobian(encoder[0].weight, encoder[2].weight, inner > 0, h > 0, signs)

    def seconds(penalty: Callable[[], Tensor]) -> float:
        begin = time.perf_counter()
        torch.autograd.grad(penalty().mean(), weights, allow_unused=True)
        return time.perf_counter() - begin

    exact = loop().detach()
    torch.testing.assert_close(batched().detach(), exact)
    with torch.no_grad():
        many = torch.stack([ours() for _ in range(2000)])
    error = many.std(0) / len(many) ** 0.5
    assert bool(((many.mean(0) - exact).abs() < 5 * error).all()), "the estimate has another mean"
    for way in (loop, batched, ours):
        seconds(way)
    times = [[seconds(way) for way in (loop, batched, ours)] for _ in range(ROUNDS)]
    names = ("loop of torch.func.jacrev", "vmap of torch.func.jacrev", "squared_jacobian, one draw")
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    print(f"{images} images, torch {torch.__version__}, {torch.get_num_threads()} thread")
    for name, median in zip(names, medians, strict=True):
        print(f"    {name:28s} {1e3 * median:8.2f} ms a batch   {medians[0] / median:7.1f} times as fast as the loop")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
