"""Training of codes: the linear one comes to PCA, the loss of the variational one is minus its bound."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from sklearn.decomposition import PCA
from torch.distributions import Normal, kl_divergence

from overgen import data
from overgen.models import codes
from overgen.run.files import read_json
from overgen.run.streams import generator
from overgen.stages.train_codes.module import CodeTraining, divergence
from overgen.stages.train_codes.params import Codes, TrainCodes, members_of

from conftest import Run, set_params
from workspace import Study, inside


def test_the_cell_holds_every_network_and_its_last_error(study: Study) -> None:
    cell = study.cell("train_codes", "codes")
    curves = pd.read_csv(cell / "curves.csv")
    settings = SimpleNamespace(codes={"ae": Codes(sizes=[2, 8], seeds=[0, 1]), "dae": Codes(sizes=[8], noisy=True)})
    assert [m.name for m in members_of(settings)] == [
        "ae_k2_seed0", "ae_k2_seed1", "ae_k8_seed0", "ae_k8_seed1", "dae_k8_seed0"
    ]  # fmt: skip
    with inside(study.root):
        for name in curves["network"].unique():
            network, about = codes.load("digits", name)
            assert (about["name"], network.size) == (name, about["size"])
            source = data.load("digits")
            if about["noise_std"] == 0:  # the last epoch's error is that of the weights, but for their rounding
                x = data.floats(source.test_images[:100]).flatten(1)
                error = float((network(x).reconstruction - x).square().mean())
                last = curves.loc[curves["network"] == name, "test_error"].iloc[-1]
                assert error == pytest.approx(last, rel=0.01)
    rows = {row["metric"]: row for row in read_json(cell / "metrics.json")["metrics"]}
    last = curves[curves["kind"].eq("ae") & curves["size"].eq(8)].groupby("seed")["test_error"].last()
    assert rows["test_error@kind=ae@size=8"]["reproduced"] == pytest.approx(last.mean())
    own = rows["test_error@kind=linear@size=8"]["budget"]
    assert own == {"train_codes.digits.codes.linear.epochs": 3}


def test_a_linear_code_comes_to_pca() -> None:
    draws = np.random.default_rng(0)
    x = (draws.normal(size=(200, 3)) @ draws.normal(size=(3, 12)) + 0.1 * draws.normal(size=(200, 12))) / 10 + 0.5
    images = torch.tensor((x.clip(0, 1) * 255).round(), dtype=torch.uint8).view(-1, 1, 3, 4)
    clean = data.floats(images).flatten(1)
    network = codes.LinearCode(12, 2)
    network.initialise(generator(0))
    module = CodeTraining(network, images, loss="squared", tested=(clean, clean), key=("test",), batch_size=200,
                          learning_rate=0.01)  # fmt: skip
    adam = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(1500):
        loss, _ = module.losses(clean)
        adam.zero_grad()
        loss.backward()
        adam.step()
    pca = PCA(2).fit(clean.numpy())
    best = np.square(pca.inverse_transform(pca.transform(clean.numpy())) - clean.numpy()).mean()
    assert best <= module.tested()["test_error"] < 1.01 * best


def test_a_denoising_code_sees_noise_and_is_taught_what_is_clean() -> None:
    images = torch.randint(0, 256, (30, 1, 3, 4), generator=generator(1), dtype=torch.uint8)
    clean = data.floats(images).flatten(1)
    given = clean + 0.3 * torch.randn(clean.shape, generator=generator(2))
    for loss, of in (
        ("squared", torch.nn.functional.mse_loss),
        ("bernoulli", torch.nn.functional.binary_cross_entropy),
    ):
        network = codes.DeepCode(12, 2, hidden=5)
        network.initialise(generator(0))
        module = CodeTraining(network, images, loss=loss, tested=(clean, given), key=("test",), batch_size=30,
                              learning_rate=0.01, noise_std=0.3)  # fmt: skip
        module.noise = generator(2)
        restored = network(given).reconstruction
        torch.testing.assert_close(module.losses(clean)[0], of(restored, clean))
        assert module.tested()["test_error"] == pytest.approx((restored - clean).square().mean().item(), rel=1e-5)


def test_the_loss_of_a_variational_code_is_minus_its_bound() -> None:
    network = codes.VariationalCode(12, 2, hidden=5)
    network.initialise(generator(0))
    images = torch.randint(0, 256, (30, 1, 3, 4), generator=generator(1), dtype=torch.uint8)
    x = data.floats(images).flatten(1)
    module = CodeTraining(network, images, loss="bernoulli", tested=(x, x), key=("test",), batch_size=30,
                          learning_rate=0.01)  # fmt: skip
    module.noise = generator(2)
    loss, _ = module.losses(x)
    mean, log_variance = network.moments(x)
    posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(2), torch.ones(2))
    restored = network.decode(network.drawn(x, generator(2)))
    log_likelihood = (x * restored.log() + (1 - x) * (1 - restored).log()).sum(1)
    bound = log_likelihood - kl_divergence(posterior, prior).sum(1)
    torch.testing.assert_close(loss, -bound.mean() / 12)
    torch.testing.assert_close(divergence(mean, log_variance), kl_divergence(posterior, prior).sum(1))


def test_more_images_than_there_are_is_an_error(workspace: Path, run_stage: Run) -> None:
    set_params(workspace / "params.yaml", {"train_codes.digits.images": 5000})
    done = run_stage(workspace, "train_codes", model="codes", check=False)
    assert "train_codes.digits.images: 5000, but digits has 400" in done.stderr


@pytest.mark.parametrize("wrong", [{"network": "linear"}, {"network": "variational", "noisy": True}])
def test_a_loss_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Codes(sizes=[2], **wrong)  # type: ignore[arg-type]
    assert TrainCodes.model_fields["codes"].is_required()
