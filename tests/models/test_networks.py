"""Networks: the papers' parameter counts, the decoder's arithmetic, weights files."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from overgen import OvergenError
from overgen.models import Output, autoencoders, registry, weights
from overgen.models.weights import load_weights, save_weights
from overgen.run.streams import generator
from overgen.training.module import losses


def built(network: str, **options: object) -> torch.nn.Module:
    net = registry.build(network, **options)
    net.initialise(generator("test", network))
    return net.double().eval()


@pytest.mark.parametrize(
    ("network", "options", "count"),
    [
        ("cnn", {}, 1_310_906),
        ("cool", {"omega": 10}, 1_346_996),
        ("lenet", {}, 431_080),
        ("dae", {"tied": True}, 1_314_075),
        ("dae", {"tied": False}, 2_620_475),
    ],
)
def test_parameter_counts_are_the_papers(network: str, options: dict[str, object], count: int) -> None:
    assert sum(p.numel() for p in registry.build(network, **options).parameters()) == count


@pytest.mark.parametrize("unpooling", ["nearest", "zeros", "switches"])
def test_unpooled_conv_equals_unpooling_then_convolving(unpooling: str) -> None:
    draws = generator("unpooled", unpooling)
    for shape in [(2, 3, 7, 7), (1, 4, 5, 6)]:
        x = torch.randn(shape, generator=draws, dtype=torch.float64)
        weight = torch.randn(6, shape[1], 5, 5, generator=draws, dtype=torch.float64)
        bias = torch.randn(6, generator=draws, dtype=torch.float64)
        position = torch.randint(0, 4, shape, generator=draws, dtype=torch.uint8)
        full = torch.zeros(*shape[:2], 2 * shape[2], 2 * shape[3], dtype=torch.float64)
        for n, c, i, j in itertools.product(*map(range, shape)):
            where = {"nearest": (..., ...), "zeros": (0, 0), "switches": divmod(int(position[n, c, i, j]), 2)}[
                unpooling
            ]
            full[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2][where] = x[n, c, i, j]
        plain = F.conv2d(full, weight, bias, padding=2)
        ours = autoencoders.unpooled_conv(x, weight, bias, unpooling, position)
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)


@given(st.integers(0, 10**6))
def test_argmax_in_windows_is_torchs_and_takes_the_first_of_equal_ones(seed: int) -> None:
    x = torch.randint(0, 3, (2, 3, 4, 6), generator=generator(seed)).float()  # three values: most windows have ties
    _, index = F.max_pool2d(x, 2, return_indices=True)
    row, column = index // 6, index % 6
    assert torch.equal(autoencoders.argmax_in_windows(x).long(), row % 2 * 2 + column % 2)


def test_tied_decoder_is_the_transposed_encoder() -> None:
    net = built("dae", tied=True)
    h = torch.rand(3, 400, generator=generator("h"), dtype=torch.float64)
    for bias in (net.decoder_bias1, net.decoder_bias2, net.decoder_bias3):
        torch.nn.init.normal_(bias, generator=generator("bias"))
    x = F.relu(h @ net.fc1.weight + net.decoder_bias1).view(-1, 64, 7, 7)
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.relu(F.conv_transpose2d(x, net.conv2.weight, net.decoder_bias2, padding=2))
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.conv_transpose2d(x, net.conv1.weight, net.decoder_bias3, padding=2).flatten(1)
    torch.testing.assert_close(net.decode(h), x, rtol=0, atol=1e-12)


def test_unpooling_with_switches_is_torchs_max_unpool() -> None:
    torch.use_deterministic_algorithms(False)  # which torch's own unpooling refuses; a Trainer has turned it on
    net = built("dae", tied=False, unpooling="switches")
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator("switches", parameter.shape))
    image = torch.rand(2, 1, 28, 28, generator=generator("x"), dtype=torch.float64)
    x, outer = F.max_pool2d(net.conv1(image), 2, return_indices=True)
    x, inner = F.max_pool2d(net.conv2(F.relu(x)), 2, return_indices=True)
    h = F.relu(net.fc1(F.relu(x).flatten(1)))
    torch.testing.assert_close(net.encode(image), h, rtol=0, atol=1e-12)
    x = F.relu(F.linear(h, net.decoder_fc, net.decoder_bias1)).view(-1, 64, 7, 7)
    x = F.relu(F.conv2d(F.max_unpool2d(x, inner, 2), net.decoder_conv2, net.decoder_bias2, padding=2))
    x = F.conv2d(F.max_unpool2d(x, outer, 2), net.decoder_conv1, net.decoder_bias3, padding=2).flatten(1)
    torch.testing.assert_close(net(image).reconstruction, x, rtol=0, atol=1e-12)
    torch.testing.assert_close(net.decode(h, net.switches(image)), x, rtol=0, atol=1e-12)


def test_unpooling_with_zeros_takes_nothing_but_h() -> None:
    net = built("dae", unpooling="zeros")
    image = torch.rand(1, 1, 28, 28, generator=generator("x"), dtype=torch.float64)
    assert net.switches(image) is None
    assert torch.equal(net(image).reconstruction, net.decode(net.encode(image)))


@pytest.mark.parametrize("network", ["cnn", "cool", "dae"])
def test_truncated_normal_weights(network: str) -> None:
    net = built(network, initial="truncated_normal")
    assert net.conv2.weight.abs().max() <= 0.2
    assert net.conv2.weight.std().item() == pytest.approx(0.088, abs=0.002)  # 0.1 cut at two deviations
    assert net.fc1.bias.tolist() == pytest.approx([0.1] * 400)


def test_untied_decoder_has_its_own_weights() -> None:
    net = built("dae", tied=False)
    h = torch.rand(2, 400, generator=generator("h"), dtype=torch.float64)
    before = net.decode(h)
    with torch.no_grad():
        net.fc1.weight.mul_(2)
        net.conv2.weight.mul_(2)
    torch.testing.assert_close(net.decode(h), before, rtol=0, atol=0)
    with torch.no_grad():
        net.decoder_conv1.mul_(2)
    assert not torch.equal(net.decode(h), before)


def test_cool_score_is_the_product_over_its_units() -> None:
    net = built("cool", omega=3, classes=4)
    h = torch.rand(5, 400, generator=generator("h"), dtype=torch.float64)
    p = F.softmax(net.fc2(h), dim=1)
    score = torch.stack([(3 * p[:, 3 * c : 3 * c + 3]).prod(1) for c in range(4)], dim=1)
    torch.testing.assert_close(net.classify(h).exp(), score, rtol=1e-12, atol=0)


def test_cool_training_loss_is_the_cross_entropy_with_the_target_spread_over_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    omega, classes = 3, 4
    net = built("cool", omega=omega, classes=classes)
    h = torch.rand(5, 400, generator=generator("h"), dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 0])
    target = F.one_hot(labels, classes).double().repeat_interleave(omega, dim=1) / omega
    literal = F.cross_entropy(net.fc2(h), target)
    monkeypatch.setattr(net, "forward", lambda x: Output(net.classify(h), None))
    x = torch.zeros(5, 1, 28, 28, dtype=torch.float64)
    options = {"reconstruction_loss": "squared", "reconstruction_weight": 1.0, "classifier_input": "noisy"}
    loss, *_ = losses(net, x, x, labels, **options)
    torch.testing.assert_close(loss + math.log(omega), literal, rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", ["squared", "bernoulli", "plain"])
def test_losses_of_autoencoders_are_their_formulas(loss: str) -> None:
    """−log y_t + weight · mean over pixels of (r − x)², or of −x·log r − (1 − x)·log(1 − r), of noisy and clean x."""
    net = built("autoencoder", hidden=8) if loss == "plain" else built("dae", output="sigmoid")
    clean = torch.rand(4, 1, 28, 28, generator=generator("clean"), dtype=torch.float64)
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=generator("noisy"), dtype=torch.float64)
    labels = torch.tensor([1, 0, 3, 2])
    options = {"reconstruction_loss": loss if loss != "plain" else "squared", "classifier_input": "noisy"}
    total, classification, reconstruction, _ = losses(net, clean, noisy, labels, reconstruction_weight=8.0, **options)
    log_y, r = net(noisy)
    x, weight = clean.flatten(1), 1.0 if loss == "plain" else 8.0
    each = (r - x) ** 2 if loss == "squared" else -x * r.log() - (1 - x) * (1 - r).log()
    likelihood = torch.zeros((), dtype=torch.float64) if log_y is None else -log_y[range(4), labels].mean()
    torch.testing.assert_close(classification, likelihood, rtol=1e-12, atol=0)
    torch.testing.assert_close(reconstruction, each.sum() / (4 * 784), rtol=1e-12, atol=0)
    torch.testing.assert_close(total, likelihood + weight * reconstruction, rtol=1e-12, atol=0)


def test_a_perfect_cool_scores_one() -> None:
    net = built("cool", omega=10)
    with torch.no_grad():
        net.fc2.weight.zero_()
        net.fc2.bias.copy_(torch.tensor([50.0] * 10 + [0.0] * 90))
    assert net.classify(torch.zeros(1, 400, dtype=torch.float64))[0, 0].exp().item() == pytest.approx(1, abs=1e-12)


def test_initialisation_depends_on_the_key_alone() -> None:
    first, second = registry.build("cnn"), registry.build("cnn")
    torch.rand(7)  # a global draw between them must not matter
    first.initialise(generator(0, "weights"))
    second.initialise(generator(0, "weights"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    second.initialise(generator(1, "weights"))
    assert not torch.equal(first.conv1.weight, second.conv1.weight)


def save(path: Path, net: torch.nn.Module, **options: object) -> Path:
    weights.round_weights(net)
    save_weights(path, net.state_dict(), {"network": options})
    return path


def test_saved_weights_are_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = built("cnn").float()
    path = save(tmp_path / "w.safetensors", net, network="cnn", classes=10)
    loaded, metadata = registry.load(path)
    assert metadata["network"] == {"network": "cnn", "classes": 10}
    x = torch.rand(4, 1, 28, 28, generator=generator("x"))
    assert torch.equal(loaded(x).log_y, net(x).log_y)
    assert path.stat().st_size < 2.7e6


@pytest.mark.parametrize("damage", ["cut", "nan", "shape", "foreign", "missing"])
def test_broken_weights_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "w.safetensors", built("cnn").float(), network="cnn", classes=10)
    state, metadata = load_weights(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "nan":
        from safetensors.torch import save_file

        state["fc2.weight"][0, 0] = math.nan
        save_file(state, path, metadata={"overgen": '{"network": {"network": "cnn"}}'})
    elif damage == "shape":
        save_weights(path, state | {"fc2.bias": torch.zeros(7)}, metadata)
    elif damage == "foreign":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        path.unlink()
    with pytest.raises(OvergenError, match=r"w\.safetensors"):
        registry.load(path)


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "w.safetensors", built("autoencoder").float(), network="autoencoder")
    before = path.read_bytes()
    with pytest.raises(OvergenError, match="diverged"):
        save_weights(path, {"w": torch.tensor([1e9])}, {})
    assert path.read_bytes() == before


def test_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(OvergenError, match="cnn, cool, lenet, dae"):
        registry.build("resnet")
    with pytest.raises(OvergenError, match="omega"):
        registry.build("cnn", omega=3)
