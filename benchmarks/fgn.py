"""The Fooling Generator Network in its collapsed form against the literal one: time and state for 200 trials.

    python benchmarks/fgn.py [--trials 200] [--updates 20] [--threads 2]

Both attack the published MNIST CNN from the same inputs and first images, with Adam; the literal one trains 784 × 784
weights and 784 biases for each trial, as the paper describes it. State: weights, gradients and moments.

One core of an AMD EPYC (another process on it), torch 2.15, 200 trials × 5 updates, float32:

    collapsed     91 ms an update       2.5 MB of state
    literal     1953 ms an update    1969.4 MB of state
    ratios      21.5 in time (goal 5)   785 in state (goal 700)

What is left of the collapsed update is the network's own forward and backward pass. In float32 some pixels differ
by some 1e-4 after a few updates: where a gradient is almost 0, rounding chooses its sign, and Adam makes a whole step
of it. In float64 the two are equal to 1e-9 after 100 updates (tests/test_fgn.py).
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.nn.functional as F

from overgen.attacks.fgn import CollapsedAdam, start
from overgen.models import PIXELS, registry
from overgen.run.streams import generator

RATE = 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network, _ = registry.load("models/mnist/networks/cnn/seed0.safetensors")
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    targets = torch.arange(options.trials) % 10
    z, a = start([generator("benchmark", i) for i in range(options.trials)], "uniform", initial=0.02)
    # W z = a with the smallest W that does it: the trajectory depends on a and z alone.
    weight = torch.einsum("ti,tj->tij", a, z / z.square().sum(1, keepdim=True))

    def loss(pre: torch.Tensor) -> torch.Tensor:
        return F.nll_loss(network(torch.sigmoid(pre).view(-1, 1, 28, 28)).log_y, targets, reduction="sum")

    def timed(optimizer: torch.optim.Optimizer, pre: object) -> float:
        """Seconds an update, the first left out: it allocates the moments."""
        for i in range(options.updates + 1):
            if i == 1:
                begin = time.perf_counter()
            optimizer.zero_grad()
            loss(pre()).backward()  # type: ignore[operator]
            optimizer.step()
        return (time.perf_counter() - begin) / options.updates

    point = torch.nn.Parameter(a.clone())
    ours = CollapsedAdam(point, z, lr=RATE)
    seconds = timed(ours, lambda: point)
    size = state(ours)

    literal_weight, bias = torch.nn.Parameter(weight), torch.nn.Parameter(torch.zeros_like(a))
    literal = torch.optim.Adam([literal_weight, bias], lr=RATE)

    def pre() -> torch.Tensor:
        return torch.einsum("tij,tj->ti", literal_weight, z) + bias

    literal_seconds = timed(literal, pre)
    literal_size = state(literal)
    apart = float((torch.sigmoid(pre()) - torch.sigmoid(point)).abs().max().detach())

    print(f"{options.trials} trials × {options.updates} updates, {options.threads} threads, {PIXELS} pixels")
    print(f"collapsed: {1e3 * seconds:8.1f} ms an update, {size / 1e6:8.1f} MB of state")
    print(f"literal:   {1e3 * literal_seconds:8.1f} ms an update, {literal_size / 1e6:8.1f} MB of state")
    print(f"ratios:    {literal_seconds / seconds:8.1f} in time, {literal_size / size:8.1f} in state")
    print(f"largest difference of a pixel after them: {apart:.1e}")


def state(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of an optimiser's weights, their gradients and its moments."""
    total = 0
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            held = [parameter, parameter.grad, *optimizer.state[parameter].values()]
            total += sum(t.numel() * t.element_size() for t in held if isinstance(t, torch.Tensor) and t.ndim)
    return total


if __name__ == "__main__":
    main()
