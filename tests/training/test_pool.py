"""Pools of adversarial examples in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from overgen.data import floats
from overgen.models.perceptrons import Perceptron
from overgen.run.streams import generator
from overgen.training.module import Training
from overgen.training.pool import Pool, PoolTraining, above, below, examples, renewed

from training_cases import fitted

OPTIONS: dict[str, Any] = {"size": 6, "replaced": 4, "share": 5, "c": 0.01, "minimisations": 2, "iterations": 10}


def built(hidden: Sequence[int] = (5, 4), classes: int = 3, *, times: float = 1.0) -> Perceptron:
    """times: its initial weights, so that another class is within reach."""
    network = Perceptron(hidden, classes)
    network.initialise(generator("n"))  # type: ignore[misc]
    with torch.no_grad():
        for weight in network.weights():
            weight.mul_(times)
    return network


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator("images"), dtype=torch.uint8)


def module(kind: type[Training] = PoolTraining, count: int = 20, **options: Any) -> Any:
    arguments: dict[str, Any] = {"key": ("m",), "batch_size": 10, "learning_rate": 1e-2, "l2": 0.0}
    return kind(built(times=5), images(count), torch.arange(count) % 3, **(arguments | options))


def test_above_what_is_below_a_level_is_the_network() -> None:
    network, x = built(), floats(images(4))
    for level in range(3):
        h = below(network, level, x)
        assert h.shape == (4, [784, 5, 4][level])
        torch.testing.assert_close(above(network, level, h), network(x).log_y)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_examples_are_in_the_box_seen_as_their_target_and_no_farther_than_those_of_scipy(level: int) -> None:
    network = built(times=5).double().requires_grad_(False)
    h = below(network, level, floats(images(5)).double()).detach()
    target = (above(network, level, h).argmax(1) + 1) % 3
    c = 0.01
    found, succeeded = examples(network, level, h, target, c=c, minimisations=1, iterations=200)
    assert bool(succeeded.any())
    assert found.labels.tolist() == target[succeeded].tolist()
    assert bool(((found.values >= 0) & (found.values <= 1)).all())
    assert above(network, level, found.values).argmax(1).tolist() == found.labels.tolist()
    for made, start, wanted in zip(found.values, h[succeeded], found.labels, strict=True):

        def loss(at: Tensor, start: Tensor = start, wanted: Tensor = wanted) -> Tensor:
            return c * (at - start).square().sum() - above(network, level, at[None])[0, wanted]

        def both(point: np.ndarray, loss: Any = loss) -> tuple[float, np.ndarray]:
            at = torch.from_numpy(point).requires_grad_()
            (gradient,) = torch.autograd.grad(value := loss(at), at)
            return float(value.detach()), gradient.numpy()

        oracle = minimize(both, start.numpy(), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(start))
        assert float(loss(made)) <= oracle.fun + 1e-4


@given(held=st.integers(0, 6), made=st.integers(0, 9), size=st.integers(6, 8), seed=st.integers(0, 3))
def test_a_pool_takes_what_was_made_and_grows_no_larger(held: int, made: int, size: int, seed: int) -> None:
    """Values are numbers that tell which example is which; labels are theirs."""
    old = Pool(torch.arange(held)[:, None].float(), torch.arange(held))
    new = Pool(100 + torch.arange(made)[:, None].float(), 100 + torch.arange(made))
    pool = renewed(old if held else None, new, size, generator("renewed", seed))
    kept = min(made, size)
    assert len(pool.labels) == min(held + made, size)
    assert pool.values[:, 0].tolist() == [float(label) for label in pool.labels]
    assert len(set(pool.labels.tolist())) == len(pool.labels)
    assert {100 + i for i in range(kept)} <= set(pool.labels.tolist())


def test_the_loss_of_a_step_by_hand() -> None:
    ours = module(levels=[0, 2], weight=0.3, **OPTIONS)
    ours.pools = {
        0: Pool(torch.rand(6, 784, generator=generator("a")), torch.arange(6) % 3),
        2: Pool(torch.rand(6, 4, generator=generator("b")), torch.arange(6) % 3),
    }
    ours.mixing, ours.sums = generator("mixing"), torch.zeros(5)
    index, again = torch.arange(10), generator("mixing")
    wanted = F.nll_loss(ours.network(floats(ours.images[index])).log_y, ours.labels[index])
    for level in (0, 2):
        rows = torch.randint(6, (5,), generator=again)
        values, labels = ours.pools[level].values[rows], ours.pools[level].labels[rows]
        log_y = ours.network(values.view(-1, 1, 28, 28)).log_y if level == 0 else ours.network.classify(values)
        wanted = wanted + 0.3 * F.nll_loss(log_y, labels)
    loss = ours.training_step(index)
    torch.testing.assert_close(loss, wanted)


def test_layers_below_a_level_do_not_learn_from_its_examples() -> None:
    ours = module(levels=[2], weight=1.0, **OPTIONS)
    ours.mixing, ours.sums = generator("mixing"), torch.zeros(5)
    gradients = []
    for pool in (
        Pool(torch.zeros(1, 4), torch.zeros(1, dtype=torch.long)),
        Pool(torch.ones(1, 4), torch.ones(1).long()),
    ):
        ours.pools = {2: pool}
        ours.network.zero_grad()
        ours.training_step(torch.arange(10)).backward()
        gradients.append([layer.weight.grad.clone() for layer in ours.network.layers])
    first, second, top = (not torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert (first, second, top) == (False, False, True)


def test_labels_stay_those_of_the_images_and_pools_are_renewed_before_each_epoch() -> None:
    ours = module(levels=[0, 1], weight=1.0, **OPTIONS)
    fitted(ours, epochs=3)
    curves = ours.curves
    assert [curve["epoch"] for curve in curves] == [0, 1, 2]
    assert all(0 < curve["found"] <= 1 and curve["distortion"] > 0 for curve in curves)
    for level in (0, 1):
        assert 0 < len(ours.pools[level].labels) <= 6
    # against a network that calls everything class 0, whatever is made is of an image of another class, seen as 0
    with torch.no_grad():
        ours.network.layers[-1].weight.zero_()
        ours.network.layers[-1].bias.copy_(torch.tensor([5.0, 0.0, 0.0]))
    ours.pools = {}
    ours.renew(0, generator("draws"))
    assert len(ours.pools[0].labels)
    assert 0 not in ours.pools[0].labels.tolist()


def test_a_weight_of_0_trains_as_without_pools() -> None:
    plain, pooled = module(Training), module(levels=[0, 1, 2], weight=0.0, **OPTIONS)
    for each in (plain, pooled):
        fitted(each, epochs=2)
    for ours, theirs in zip(pooled.network.parameters(), plain.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_training_that_was_stopped_goes_on_with_its_pools(tmp_path: Any) -> None:
    def trained(epochs: int, checkpoint: str | None = None) -> Any:
        ours = module(levels=[0, 2], weight=1.0, **OPTIONS)
        trainer = pl.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, deterministic=True,
            enable_progress_bar=False, enable_model_summary=False, reload_dataloaders_every_n_epochs=1,
        )  # fmt: skip
        trainer.fit(ours, ckpt_path=checkpoint, weights_only=False)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        return ours

    whole = trained(3)
    trained(2)
    again = trained(3, str(tmp_path / "last.ckpt"))
    for ours, theirs in zip(again.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert all(
        torch.equal(a, b) for level in (0, 2) for a, b in zip(again.pools[level], whole.pools[level], strict=True)
    )


def test_a_level_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"levels \[3\]: a network of 3 layers has 0 for its pixels to 2"):
        module(levels=[0, 3], weight=1.0, **OPTIONS)
