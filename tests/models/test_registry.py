"""Networks by name: weights in another network's place and networks with an output of another kind are refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from overgen import OvergenError, export, fool, rescoring
from overgen.models import Output, registry
from overgen.models.weights import load_weights, member_folder, perceptron_path, save_weights, weights_path
from overgen.run import params
from overgen.run.streams import generator

from processes import Run
from workspace import ROOT, Study, inside, set_params

OPTIONS = {"units": "relu", "initial": "glorot", "classes": 10}


CNN = {"network": "cnn", **OPTIONS}


COOL = {"network": "cool", "omega": 10, "output_std": 0.003, **OPTIONS}


def write(path: Path, network: dict[str, object], **about: object) -> None:
    made = registry.build(**network)  # type: ignore[arg-type]
    made.initialise(generator("registry", json.dumps(about)))  # type: ignore[operator]
    save_weights(path, made.state_dict(), {"network": network, "budget": {}} | about)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the study's params.yaml and networks of it with random weights."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for dataset in ("digits", "mnist"):
        for model, network in (("cnn", CNN), ("cool", COOL)):
            for seed in (0, 1):
                path = weights_path(dataset, model, seed)
                write(path, network, dataset=dataset, model=model, seed=seed)
    return tmp_path


def test_weights_are_loaded_by_what_they_are_of(project: Path) -> None:
    network, metadata = registry.trained("mnist", "cool", 1)
    assert type(network).__name__ == "COOL"
    assert (metadata["dataset"], metadata["model"], metadata["seed"]) == ("mnist", "cool", 1)
    assert not network.training
    state, _ = load_weights(weights_path("mnist", "cool", 1))
    assert torch.equal(network.state_dict()["fc2.bias"], state["fc2.bias"])


@pytest.mark.parametrize(
    ("dataset", "model", "seed", "held"),
    [
        ("mnist", "cool", 0, "dataset mnist, model cool, seed 0"),
        ("digits", "cnn", 0, "dataset digits, model cnn, seed 0"),
        ("mnist", "cnn", 1, "dataset mnist, model cnn, seed 1"),
    ],
)
def test_weights_of_another_network_in_the_place_are_refused(
    project: Path, dataset: str, model: str, seed: int, held: str
) -> None:
    place = weights_path("mnist", "cnn", 0)
    shutil.copy(weights_path(dataset, model, seed), place)
    loads: list[Callable[[], object]] = [
        lambda: registry.trained("mnist", "cnn"),
        lambda: fool.cell_subject("mnist/cnn"),
        lambda: export.export("mnist/cnn", Path("cnn.pt2")),
        lambda: rescoring.rescore("mnist", "cnn", params.load()),
    ]
    for load in loads:
        with pytest.raises(OvergenError) as caught:
            load()
        assert f"{place}: holds the weights of {held}; expected are those of dataset mnist, model cnn, seed 0" in str(
            caught.value
        )
        assert f"git checkout -- {place}" in str(caught.value)
    assert not Path("cnn.pt2").exists()


@pytest.mark.parametrize("load", [registry.trained, lambda d, m: export.classifier(f"{d}/{m}")])
def test_weights_of_other_options_than_params_yaml_has_are_refused(
    project: Path, load: Callable[[str, str], object]
) -> None:
    load("mnist", "cool")
    set_params(project / "params.yaml", {"models.cool.output_std": 1.0, "models.cool.omega": 5})
    with pytest.raises(OvergenError) as caught:
        load("mnist", "cool")
    assert "omega: 10 in the file, 5 in params.yaml" in str(caught.value)
    assert "output_std: 0.003 in the file, 1.0 in params.yaml" in str(caught.value)
    assert "`dvc repro` trains" in str(caught.value) or "let `dvc repro` train" in str(caught.value)


def test_options_that_are_left_out_are_the_defaults(project: Path) -> None:
    """A file that was written before an option was added holds the network that the default describes."""
    write(weights_path("mnist", "cnn", 0), {"network": "cnn", "classes": 10}, dataset="mnist", model="cnn", seed=0)
    registry.trained("mnist", "cnn")
    set_params(project / "params.yaml", {"models.cnn": {"network": "cnn", "units": "sigmoid"}})
    with pytest.raises(OvergenError, match=r"units: relu in the file, sigmoid in params\.yaml"):
        registry.trained("mnist", "cnn")


def test_a_model_that_params_yaml_does_not_have_is_named(project: Path) -> None:
    write(weights_path("mnist", "vgg", 0), CNN, dataset="mnist", model="vgg", seed=0)
    with pytest.raises(
        OvergenError, match=r"params\.yaml, models: has no 'vgg', of which models/mnist/networks/vgg/seed0"
    ):
        registry.trained("mnist", "vgg")


def test_perceptrons_and_members_are_checked_too(project: Path) -> None:
    described = {"network": "perceptron", "hidden": [], "classes": 10}
    for name in ("fc10_1", "fc10_1e-2"):
        write(perceptron_path("mnist", name), described, dataset="mnist", model=name)
    registry.perceptron("mnist", "fc10_1")
    shutil.copy(perceptron_path("mnist", "fc10_1"), perceptron_path("mnist", "fc10_1e-2"))
    with pytest.raises(OvergenError, match=r"holds the weights of dataset mnist, model fc10_1; expected .*fc10_1e-2"):
        registry.perceptron("mnist", "fc10_1e-2")
    set_params(project / "params.yaml", {"perceptrons.fc10_1.hidden": [3], "perceptrons.fc10_1.decays": [1.0, 1.0]})
    with pytest.raises(OvergenError, match=r"hidden: \[\] in the file, \[3\] in params.yaml"):
        registry.perceptron("mnist", "fc10_1")
    member = member_folder("openset", "mnist", "cnn") / "k2-0.safetensors"
    write(member, CNN, dataset="mnist", model="cnn", known=[2, 5], subset=0)
    registry.of_model(member, "mnist", "cnn", known=[2, 5])
    with pytest.raises(OvergenError, match=r"known \[2, 5\]; expected .* known \[2, 6\]"):
        registry.of_model(member, "mnist", "cnn", known=[2, 6])


def test_a_stage_refuses_weights_of_another_seed(study: Study, tmp_path: Path, run_stage: Run) -> None:
    study.cell("train_classifier", "cnn")
    copy = study.copy(tmp_path / "copy")
    for attack in ("fool_fgn", "fool_gradient", "fool_evolution"):
        (copy / "reports/cells/digits" / attack).mkdir(parents=True, exist_ok=True)
    for stage in ("fool_fgn", "fool_gradient", "fool_evolution", "evaluate_confidence", "evaluate_fooling"):
        shutil.copy(copy / weights_path("digits", "cnn", 1), copy / weights_path("digits", "cnn", 0))
        done = run_stage(copy, stage, model="cnn", check=False)
        assert done.returncode == 1, stage
        assert (
            "models/digits/networks/cnn/seed0.safetensors: holds the weights of dataset digits, model cnn, seed 1"
            in done.stderr
        )


class Fixed(nn.Module):
    """A network whose output for N images is what a function of N makes."""

    def __init__(self, output: Callable[[int], object]) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: torch.Tensor) -> object:
        return self.output(len(x))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda n: torch.zeros(n, 3), "its forward pass returns a Tensor, not an overgen.models.Output"),
        (lambda n: (torch.zeros(n, 3), None), "returns a tuple"),
        (lambda n: Output(None, None), "has neither log_y nor a reconstruction"),
        (
            lambda n: Output(torch.full((n, 3), 2.5), None),
            "log_y reaches 2.5, but the logarithm of a score is at most 0",
        ),
        (lambda n: Output(torch.full((n, 3), float("nan")), None), "log_y holds nan, which is no finite number"),
        (lambda n: Output(torch.full((n, 3), float("-inf")), None), "log_y holds -inf"),
        (lambda n: Output(torch.zeros(n, 4), None), r"log_y of four images has the shape (4, 4), not (4, 3)"),
        (lambda n: Output(torch.zeros(3), None), r"log_y of four images has the shape (3,), not (4, 3)"),
        (lambda n: Output([0.0] * n, None), "log_y is a list, not a tensor (4, 3)"),  # type: ignore[arg-type]
        (lambda n: Output(torch.zeros(n, 3), torch.zeros(n, 28, 28)), "reconstruction of four images has the shape"),
        (lambda n: Output(torch.zeros(n, 3), torch.zeros(n, 784)), "encode and decode belong together"),
    ],
)
def test_an_output_of_another_kind_is_refused(output: Callable[[int], object], message: str) -> None:
    with pytest.raises(OvergenError, match=re.escape(message)) as caught:
        registry.checked(Fixed(output), "src/own/mine.py:Mine", 3)
    assert str(caught.value).startswith("src/own/mine.py:Mine: ")


def test_what_fits_passes_and_is_left_as_it_was() -> None:
    """COOL's scores do not sum to 1, and log y may round to just above 0. Running averages stay as they are."""
    for options in (COOL, CNN, {"network": "dae", "tied": True}, {"network": "autoencoder", "hidden": 3}):
        network = registry.build(**options)  # type: ignore[arg-type]
        assert registry.checked(network, "a network") is network
    registry.checked(Fixed(lambda n: Output(torch.full((n, 3), 1e-6), None)), "rounded", 3)

    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.frozen = nn.BatchNorm2d(1), nn.BatchNorm2d(1)

        def forward(self, x: torch.Tensor) -> Output:
            return Output(-self.frozen(self.norm(x)).flatten(1)[:, :3].abs(), None)

    network = Normalised().train()
    network.frozen.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    registry.checked(network, "normalised")
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert [module.training for module in network.modules()] == [True, True, False]
    assert torch.equal(torch.get_rng_state(), state)


RAW = """
import torch
from torch import nn
from overgen.models import Output


class Raw(nn.Module):
    def __init__(self, classes, zeros=False):
        super().__init__()
        self.layer = nn.Linear(784, classes)
        self.zeros = zeros

    def forward(self, x):
        return Output(self.layer(x.flatten(1)), None)

    def initialise(self, generator):
        nn.init.normal_(self.layer.weight, std=0.0 if self.zeros else 1.0, generator=generator)
        nn.init.zeros_(self.layer.bias)


class Bare(nn.Module):
    def __init__(self, classes):
        super().__init__()

    def forward(self, x):
        return Output(x.flatten(1)[:, :10], None)
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"network": "src/own/raw.py:Raw"}, "models.raw, src/own/raw.py:Raw: log_y reaches"),
        ({"network": "src/own/raw.py:Raw", "zeros": True}, "models.raw, seed0, trained: log_y reaches"),
        # without `initialise`, with torch's own start
        ({"network": "src/own/raw.py:Bare"}, "models.raw, src/own/raw.py:Bare: log_y reaches"),
    ],
)
def test_training_refuses_raw_logits(workspace: Path, run_stage: Run, line: dict[str, object], message: str) -> None:
    """Before the first step, or, where the first logits are all 0, before anything of it is published."""
    (workspace / "src/own/raw.py").write_text(RAW)
    models = {"models.raw": line, "classifiers": ["cnn", "raw"], "train_classifier.digits.epochs": 1}
    set_params(workspace / "params.yaml", models | {"train_classifier.digits.seeds": [0]})
    code = workspace / ".overgen/code/train_classifier/raw"
    code.parent.mkdir(parents=True, exist_ok=True)
    code.touch()
    done = run_stage(workspace, "train_classifier", model="raw", check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    with inside(workspace):
        assert not weights_path("digits", "raw", 0).exists()
