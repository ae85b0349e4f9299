"""The networks of Szegedy's Table 1: their layers, their training, and the files that the two stages write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

from overgen import OvergenError, data
from overgen.audit import rescore_perceptrons
from overgen.models import params as model_params
from overgen.models import registry, weights
from overgen.models.perceptrons import Perceptron, PerceptronAutoencoder
from overgen.run import params
from overgen.run.files import read_npz, write_npz
from overgen.run.streams import generator
from overgen.stages.fool_lbfgs import params as fool_lbfgs_params
from overgen.stages.train_perceptrons.run import decays
from overgen.training.module import Training
from overgen.training.together import Together

from processes import Run
from workspace import ROOT, TINY, Study, set_params

NAMES = list(TINY["perceptrons"])  # type: ignore[call-overload]


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 28, 28), generator=generator("images"), dtype=torch.uint8)


def built(hidden: list[int], classes: int = 3) -> Perceptron:
    network = Perceptron(hidden, classes)
    network.initialise(generator("n"))  # type: ignore[misc]
    return network


def trained(network: torch.nn.Module, labels: Tensor, *, epochs: int, **options: object) -> Training:
    arguments: dict[str, object] = {"key": ("m",), "batch_size": 12, "learning_rate": 1e-3, "l2": 0.0}
    module = Training(network, images(len(labels)), labels, **(arguments | options))  # type: ignore[arg-type]
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    trainer.fit(module)
    return module


@pytest.mark.parametrize(
    ("name", "count"),
    [("fc10_1", 7_850), ("fc100_100_10", 89_610), ("fc200_200_10", 199_210), ("ae400_10", 318_010)],
)
def test_the_committed_networks_have_these_sizes(name: str, count: int) -> None:
    described = params.load(ROOT / "params.yaml").perceptrons[name]
    assert sum(p.numel() for p in Perceptron(described.hidden).parameters()) == count


def test_the_output_by_hand() -> None:
    network, x = built([5, 4]), torch.rand(2, 1, 28, 28, generator=generator("x"))
    first, second, top = network.layers
    for i in range(2):
        h = 1 / (1 + np.exp(-(first.weight.detach().numpy() @ x[i].flatten().numpy() + first.bias.detach().numpy())))
        h = 1 / (1 + np.exp(-(second.weight.detach().numpy() @ h + second.bias.detach().numpy())))
        z = top.weight.detach().numpy() @ h + top.bias.detach().numpy()
        wanted = z - np.log(np.exp(z).sum())
        assert network(x).log_y[i].detach().numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_decay_of_each_layer_is_in_the_gradient() -> None:
    """Adam's first step against autograd of the whole loss, λ·Σw²/k included, written out."""
    factors = [0.3, 0.02, 5.0]
    network, plain, labels = built([7, 5]), built([7, 5]), torch.arange(12) % 3
    for both in (network, plain):  # decays that differ in what Adam makes of them need a large second moment
        both.double()
    module = Training(
        network, images(12), labels, key=("m",), batch_size=12, learning_rate=1e-2, l2=0.0,
        decays=decays(network, factors),
    )  # fmt: skip
    adam = module.configure_optimizers()
    module.sums = torch.zeros(5)
    module.double().training_step(torch.arange(12)).backward()
    adam.step()
    x = images(12).unsqueeze(1).double() / 255
    loss = F.nll_loss(plain(x).log_y, labels)
    for layer, factor, k in zip(plain.layers, factors, (7, 5, 3), strict=True):
        loss = loss + factor * layer.weight.square().sum() / k
    loss.backward()
    torch.optim.Adam(plain.parameters(), lr=1e-2).step()
    state = [adam.state[p]["exp_avg"] / 0.1 for p in network.parameters()]  # the gradient that Adam saw
    for gradient, weight, expected in zip(state, network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(gradient, expected.grad, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6)


def test_what_is_unknown_or_shared_is_refused() -> None:
    common = {"key": ("m",), "batch_size": 3, "learning_rate": 1e-3, "l2": 0.0}
    labels = torch.arange(3)
    with pytest.raises(ValueError, match=r"Perceptron does not have: \['layers.7.weight'\]"):
        Training(built([]), images(3), labels, decays={"layers.7.weight": 1.0}, **common)  # type: ignore[arg-type]
    falling = [Training(built([]), images(3), labels, falling=True, **common) for _ in range(2)]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="falling is for one alone"):
        Together({"a": falling[0], "b": falling[1]})


def test_a_linear_network_reaches_the_minimum_that_scipy_finds(digits: Path) -> None:
    """The loss with its decay is convex: there is one minimum, and the falling rate ends there."""
    source = data.load("digits", digits / "data")
    x = data.floats(source.train_images[:400]).flatten(1).double()
    y = source.train_labels[:400]

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        point = torch.from_numpy(p).requires_grad_()
        weight, bias = point[:7840].view(10, 784), point[7840:]
        value = F.cross_entropy(x @ weight.t() + bias, y) + 0.1 * weight.square().sum()
        value.backward()
        return value.item(), point.grad.numpy()  # type: ignore[union-attr]

    best = minimize(loss, np.zeros(7850), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    network = built([], 10)
    module = Training(
        network, source.train_images[:400], y, key=("m",), batch_size=100, learning_rate=0.02, l2=0.0, falling=True,
        decays=decays(network, [1.0]),
    )  # fmt: skip
    trainer = pl.Trainer(
        max_epochs=80, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    trainer.fit(module)
    layer = network.layers[0]
    reached = loss(np.concatenate([p.detach().double().numpy().ravel() for p in (layer.weight, layer.bias)]))[0]
    assert best.fun <= reached < best.fun * 1.005


def test_the_rate_falls_to_nothing_on_a_line() -> None:
    module = trained(built([]), torch.arange(12) % 3, epochs=4, falling=True)
    assert module.lr_schedulers().get_last_lr() == [0.0]  # type: ignore[union-attr]
    plain = trained(built([]), torch.arange(12) % 3, epochs=1)
    slower = trained(built([]), torch.arange(12) % 3, epochs=1, falling=True)
    for a, b in zip(plain.network.parameters(), slower.network.parameters(), strict=True):
        assert torch.equal(a, b)  # the first epoch has the whole rate


def test_a_pretrained_layer_stays_and_the_softmax_moves() -> None:
    network = built([6])
    before = {name: p.clone() for name, p in network.named_parameters()}
    trained(PerceptronAutoencoder(network), torch.arange(12) % 3, epochs=2)
    learnt = {name: p.clone() for name, p in network.named_parameters()}
    assert not torch.equal(learnt["layers.0.weight"], before["layers.0.weight"])
    assert torch.equal(learnt["layers.1.weight"], before["layers.1.weight"])
    network.layers[0].requires_grad_(False)
    trained(network, torch.arange(12) % 3, epochs=2, decays=decays(network, [9.0, 0.0]))
    assert torch.equal(network.layers[0].weight, learnt["layers.0.weight"])
    assert not torch.equal(network.layers[1].weight, learnt["layers.1.weight"])


def test_the_penalty_is_the_divergence_from_the_wanted_activation() -> None:
    """Against torch's own divergence of Bernoulli distributions; and units come near to that."""
    whole = PerceptronAutoencoder(built([6]), sparsity=2.0, activation=0.05)
    x = torch.rand(12, 1, 28, 28)
    mean = whole.perceptron.encode(x).mean(0)
    wanted, found = (torch.distributions.Bernoulli(p) for p in (torch.full((6,), 0.05), mean))
    expected = 2.0 * torch.distributions.kl_divergence(wanted, found).sum() / 784
    torch.testing.assert_close(whole.penalty(x), expected)
    away = []
    for sparsity in (0.0, 50.0):
        whole = PerceptronAutoencoder(built([6]), sparsity=sparsity, activation=0.05)
        trained(whole, torch.arange(12) % 3, epochs=60, learning_rate=3e-3)
        active = whole.perceptron.encode(images(12)[:, None] / 255).mean(0)
        away.append((active - 0.05).abs().max().item())
    assert away[1] < 0.02 < 0.04 < away[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": [3], "decays": [0.1]}, r"decays: \[0.1\] for 1 hidden layers and the softmax"),
        ({"hidden": [], "decays": [0.1], "pretrained": True}, "there is no hidden layer"),
    ],
)
def test_impossible_networks_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_params.Perceptron.model_validate(change)


@pytest.mark.parametrize("pixels", [[1, 1], [1, 785]])
def test_impossible_numbers_of_pixels_are_refused(pixels: list[int]) -> None:
    section = {"images": 1, "draws": 1, "magnified": 0.1, "stability_images": 1, "pixels": pixels}
    with pytest.raises(ValueError, match="must differ and not exceed 784"):
        fool_lbfgs_params.FoolLbfgs.model_validate(section)


def test_a_data_set_without_its_section_is_named(workspace: Path) -> None:
    set_params(workspace / "params.yaml", {"fool_lbfgs": {}})
    with pytest.raises(OvergenError, match=r"lacks what stages .* read: fool_lbfgs.digits \(for"):
        params.load(workspace / "params.yaml")


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    """A workspace in which both stages have run, with three small networks."""
    for stage in ("train_perceptrons", "fool_lbfgs"):
        study.cell(stage, "perceptrons")
    return study.copy(tmp_path_factory.mktemp("perceptrons") / "workspace")


def metrics(cell: Path, stage: str) -> dict[tuple[str, str, str], dict[str, object]]:
    rows = json.loads((cell / f"reports/cells/digits/{stage}/perceptrons/metrics.json").read_text())["metrics"]
    return {(row["model"], row["experiment"], row["metric"]): row for row in rows}


def test_errors_are_those_of_the_published_weights(cell: Path) -> None:
    source, found = data.load("digits", cell / "data"), metrics(cell, "train_perceptrons")
    for name in NAMES:
        network, metadata = registry.load(cell / weights.perceptron_path("digits", name))
        assert metadata["model"] == name
        for split, x, y in (
            ("test", source.test_images, source.test_labels),
            ("train", source.train_images, source.train_labels),
        ):
            wrong = int((network(data.floats(x)).log_y.argmax(1) != y).sum())
            row = found[name, "lbfgs", f"{split}_error"]
            assert (row["reproduced"], row["n"]) == (pytest.approx(100 * wrong / len(y)), len(y))
    curves = pd.read_csv(cell / "reports/cells/digits/train_perceptrons/perceptrons/curves.csv")
    epochs = curves.groupby(["network", "pretraining"]).size().to_dict()
    assert epochs == {("fc10_1", False): 4, ("fc8_10", False): 4, ("ae6_10", True): 2, ("ae6_10", False): 4}


def test_the_pretraining_is_the_one_that_params_describe(cell: Path) -> None:
    """Units that are drawn to an activation of 0.1 come near to it, and a softmax with no rate stays where it began."""
    network, _ = registry.load(cell / weights.perceptron_path("digits", "ae6_10"))
    x = data.floats(data.load("digits", cell / "data").train_images)
    assert (network.encode(x).mean(0) - 0.1).abs().max() < 0.1  # type: ignore[operator]
    first = Perceptron([6])
    first.initialise(generator("digits", "ae6_10", 0, "weights"))  # type: ignore[misc]
    torch.testing.assert_close(network.layers[1].weight, first.layers[1].weight, atol=1e-3, rtol=0)  # type: ignore[index]


def test_the_examples_are_what_the_numbers_say(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    found, source = metrics(cell, "fool_lbfgs"), data.load("digits")
    trials = pd.read_csv("reports/cells/digits/fool_lbfgs/perceptrons/trials.csv")
    shown = read_npz("reports/cells/digits/fool_lbfgs/perceptrons/examples.npz")
    assert trials.groupby("network").size().to_dict() == dict.fromkeys(NAMES, 4)
    assert (trials["label"] != trials["target"]).all()
    assert trials.groupby("index")["target"].nunique().max() == 1  # whatever the network
    for n, name in enumerate(shown["network"]):
        mine = trials[trials["network"] == name]
        network, _ = registry.load(weights.perceptron_path("digits", str(name)))
        x = torch.from_numpy(shown["image"][n])[:, None]
        assert bool(((x >= 0) & (x <= 1)).all())
        made = mine["found"].to_numpy()
        assert (network(x).log_y.argmax(1).numpy() == mine["target"].to_numpy())[made].all()
        index = torch.tensor(mine["index"].tolist())
        original = source.test_images[index]
        assert (network(data.floats(original)).log_y.argmax(1) == source.test_labels[index]).all()
        rms = (x[:, 0].double() - original.double() / 255).square().mean((1, 2)).sqrt().numpy()
        assert mine["distortion"].to_numpy()[made] == pytest.approx(rms[made], rel=1e-5)
        row = found[str(name), "lbfgs", "mean_distortion"]
        assert (row["reproduced"], row["n"]) == (pytest.approx(rms[made].mean(), rel=1e-5), made.sum())
        assert found[str(name), "lbfgs", "fooling_rate"]["reproduced"] == 100 * made.mean()
        if made.all():
            assert found[str(name), "lbfgs_transfer", f"error@made_for={name}"]["reproduced"] == 100
            assert found[str(name), "lbfgs_transfer", f"error@made_for={name}@rms=0"]["reproduced"] == 0


def test_examples_are_scored_again(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    again = rescore_perceptrons("digits")
    folder = Path("reports/cells/digits/fool_lbfgs/perceptrons")
    trials, every = pd.read_csv(folder / "trials.csv"), read_npz(folder / "successes.npz")
    assert every["trial"].tolist() == np.flatnonzero(trials["found"]).tolist()
    shown = read_npz(folder / "examples.npz")
    made = trials["found"].to_numpy()
    np.testing.assert_array_equal(every["image"], shown["image"].reshape(12, 28, 28)[made])  # all are shown of so few
    assert (again.images, again.cell) == (12 + made.sum(), folder.as_posix())
    assert again.difference < 1e-6
    for path, name, place in (
        (folder / "examples.npz", "score", (1, 2)),
        (folder / "successes.npz", "image", (0, 5, 5)),
    ):
        kept, arrays = path.read_bytes(), read_npz(path)
        arrays[name][place] += 0.01
        write_npz(path, **arrays)
        try:
            changed = rescore_perceptrons("digits").difference
            assert changed == pytest.approx(0.01, rel=1e-3) if name == "score" else changed > 1e-6
        finally:
            path.write_bytes(kept)


def test_a_network_that_labels_too_little_right_is_named(cell: Path, run_stage: Run) -> None:
    before = (cell / "params.yaml").read_text()
    set_params(cell / "params.yaml", {"fool_lbfgs.digits.images": 501})
    try:
        done = run_stage(cell, "fool_lbfgs", model="perceptrons", check=False)
    finally:
        (cell / "params.yaml").write_text(before)
    assert done.returncode == 1
    assert "fool_lbfgs.digits.images: 501, but fc10_1 labels only" in done.stderr
