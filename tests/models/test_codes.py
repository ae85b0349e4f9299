"""Autoencoders with a code of any size: their shapes, their loader, and the variational one's distributions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from overgen import OvergenError
from overgen.models import codes
from overgen.models.weights import save_weights
from overgen.run.streams import generator


@pytest.mark.parametrize("network", codes.KINDS)
@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 4, 4)])
def test_a_code_has_its_size_and_is_linear_in_the_last_hidden_layer(network: str, shape: tuple[int, ...]) -> None:
    pixels = shape[0] * shape[1] * shape[2]
    built = codes.build({"network": network, "pixels": pixels, "size": 7})
    built.initialise(generator(0))
    x = torch.rand(50, *shape, generator=generator(1))
    h = built.encode(x)
    assert h.shape == (50, 7)
    assert built.decode(h).shape == (50, pixels)
    assert torch.equal(built(x).reconstruction, built.decode(built.encode(x.flatten(1))))
    assert bool((h < 0).any())
    assert not bool((h == 0).any()), "a ReLU would give zeros"


@pytest.mark.parametrize("network", codes.KINDS)
def test_weights_begin_as_glorots_and_biases_at_0(network: str) -> None:
    built = codes.build({"network": network, "pixels": 300, "size": 50})
    built.initialise(generator(0))
    for layer in (layer for layer in built.modules() if isinstance(layer, torch.nn.Linear)):
        assert not layer.bias.any()
        limit = (6 / (layer.in_features + layer.out_features)) ** 0.5
        assert 0.99 * limit < float(layer.weight.detach().abs().max()) <= limit


@pytest.mark.parametrize("network", codes.KINDS)
def test_only_the_linear_code_restores_what_is_no_pixel(network: str) -> None:
    built = codes.build({"network": network, "pixels": 30, "size": 5})
    built.initialise(generator(0))
    restored = built.decode(20 * torch.randn(40, 5, generator=generator(1)))
    assert bool(((restored >= 0) & (restored <= 1)).all()) == (network != "linear")


def test_codes_drawn_for_an_image_have_its_moments() -> None:
    network = codes.VariationalCode(20, 2, hidden=10)
    network.initialise(generator(0))
    x = torch.rand(1, 20, generator=generator(1)).expand(20_000, 20)
    drawn = network.drawn(x, generator(2))
    mean, log_variance = network.moments(x[:1])
    torch.testing.assert_close(drawn.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.var(0), log_variance[0].exp(), atol=0, rtol=0.05)
    assert torch.equal(network.prior(3, "a"), network.prior(3, "a"))
    assert not torch.equal(network.prior(3, "a"), network.prior(3, "b"))


def test_the_first_half_of_a_variational_code_is_the_mean() -> None:
    """Which half is which, trained weights do not say."""
    network = codes.VariationalCode(4, 2, hidden=3)
    last = network.encoder[2]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([1.0, 2.0, -3.0, -4.0])
    mean, log_variance = network.moments(torch.rand(1, 4))
    assert (mean[0].tolist(), log_variance[0].tolist()) == ([1, 2], [-3, -4])
    assert network.encode(torch.rand(1, 4))[0].tolist() == [1, 2]


def stored(file: str, **about: object) -> None:
    network = codes.DeepCode(20, 3, hidden=5)
    options = {"network": "deep", "pixels": 20, "size": 3, "hidden": 5}
    metadata = {"dataset": "digits", "name": file, "network": options} | about
    save_weights(codes.folder("digits") / f"{file}.safetensors", network.state_dict(), metadata)


def test_what_is_no_such_network_is_refused_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OvergenError, match=r"ae_k3_seed0.*missing; `dvc repro`"):
        codes.load("digits", "ae_k3_seed0")
    codes.folder("digits").mkdir(parents=True)
    stored("ae_k3_seed0")
    network, _ = codes.load("digits", "ae_k3_seed0")
    assert network.encode(torch.rand(4, 20)).shape == (4, 3)
    assert not network.training
    assert not any(weights.requires_grad for weights in network.parameters())
    with pytest.raises(OvergenError, match=r"ae_k5_seed0.*there are ae_k3_seed0"):
        codes.load("digits", "ae_k5_seed0")
    stored("ae_k4_seed0", name="ae_k9_seed0")
    with pytest.raises(OvergenError, match=r"holds the weights of ae_k9_seed0"):
        codes.load("digits", "ae_k4_seed0")
    stored("ae_k6_seed0", network={"network": "linear", "pixels": 20, "size": 3})
    with pytest.raises(OvergenError, match="do not fit"):
        codes.load("digits", "ae_k6_seed0")


def test_names_are_in_the_order_of_sizes_and_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    codes.folder("digits").mkdir(parents=True)
    for name in ("ae_k16_seed0", "ae_k2_seed1", "ae_k2_seed0", "ae_mse_k2_seed0", "dae_k2_seed0"):
        stored(name)
    assert codes.names("digits", "ae") == ["ae_k2_seed0", "ae_k2_seed1", "ae_k16_seed0"]
    assert codes.names("digits", "vae") == []
