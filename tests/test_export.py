"""Export: the program says what ScaledOutput says, on any number of images, where overgen is not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from overgen import OvergenError, cli
from overgen.confidence import ScaledOutput, curvature
from overgen.export import export
from overgen.models import registry, weights
from overgen.models.weights import save_weights
from overgen.run.streams import generator

from processes import environment
from workspace import ROOT, set_params

ROWS = ([0], [1, 0], [2, 0, 0, 1, 0])  # of `images`, shown to the program at once
MODELS = {
    "dae_sym": {"network": "dae", "tied": True},
    "small": {"network": "src/own/small.py:Small"},
    "cool": {"network": "cool", "omega": 3},
    "autoencoder": {"network": "autoencoder", "hidden": 5},
}
SMALL = """
import torch
from torch import nn
from overgen.models import Output

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 784))

    def initialise(self, generator):
        nn.init.normal_(self.weight, std=0.59, generator=generator)  # γ is about 0.59² · 3 − 1 = 0.04

    def encode(self, x):
        return x.flatten(1) @ self.weight.T

    def decode(self, h):
        return h @ self.weight

    def forward(self, x):
        h = self.encode(x)
        return Output(torch.log_softmax(h, 1), self.decode(h))
"""  # it reconstructs, and its export takes a tenth of the dAE's


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory: params.yaml and random networks; the dAE's weights are so large that γ > 0 occurs."""
    path = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        for name in ("params.yaml", "dvc.yaml"):
            shutil.copy(ROOT / name, path)
        Path("src/own").mkdir(parents=True)
        Path("src/own/small.py").write_text(SMALL)
        of_training = {"reconstruction_weight": 1.0, "classifier_input": "noisy"}
        set_params(
            Path("params.yaml"),
            {
                f"models.{model}": options | (of_training if model in ("dae_sym", "small") else {})
                for model, options in MODELS.items()
            },
        )
        for model, options in MODELS.items():
            network = registry.build(**options)
            network.initialise(generator("export", model))
            if model == "dae_sym":
                network.fc1.weight.data *= 21.5
            weights.round_weights(network)
            metadata = {"dataset": "digits", "model": model, "network": options, "seed": 0}
            save_weights(weights.weights_path("digits", model, 0), network.state_dict(), metadata)
        yield path


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Noise between black, where no unit is active and γ = −1 needs no exact trace, and bright."""
    brightness = torch.tensor([0, 1, 0.02]).view(-1, 1, 1, 1)
    return brightness * torch.rand(5, 1, 28, 28, generator=generator("export", "images"))[[0, 1, 4]]


def scaled(model: str, x: Tensor, *, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """ỹ and c̃ by ScaledOutput: c̃ is what it takes from log y."""
    network, _ = registry.trained("digits", model)
    log_y = ScaledOutput(network, alpha=alpha, beta=beta)(x)
    return log_y.exp(), (log_y - network(x).log_y)[:, 0].exp()


def description(path: Path) -> dict[str, object]:
    """What the program says of itself."""
    extra = {"overgen.json": ""}
    torch.export.load(path, extra_files=extra)
    return json.loads(extra["overgen.json"])


def test_the_images_are_of_every_kind(images: Tensor) -> None:
    network, _ = registry.trained("digits", "dae_sym")
    gamma, error = curvature(network, images, probes=2)
    assert gamma[0] == -1
    assert not error[1:].any()  # exact
    assert 0 < int((gamma[1:] > 0).sum()) < 2  # Γ takes part on some of them


@pytest.mark.slow
def test_the_program_is_scaled_output_on_any_number_of_images(images: Tensor) -> None:
    """Of the α and β that were asked for, where overgen cannot be imported; torch compiles its loop there, once."""
    path = Path("exported/dae.pt2")
    assert export("digits/dae_sym", path, alpha=3, beta=0.5) == (3, 0.5)
    assert list(path.parent.iterdir()) == [path]
    torch.save([images[rows] for rows in ROWS], "images.pt")
    script = (
        "import sys, torch\n"
        "sys.modules['overgen'] = None  # an import of it raises\n"
        "program = torch.export.load(sys.argv[1]).module()\n"
        "torch.save([program(images) for images in torch.load('images.pt')], 'found.pt')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = scaled("dae_sym", images, alpha=3, beta=0.5)
    found = torch.load("found.pt")
    assert len(found) == len(ROWS)
    for rows, outputs in zip(ROWS, found, strict=True):
        torch.testing.assert_close(outputs, tuple(e[rows] for e in expected), rtol=1e-4, atol=1e-7)


def test_by_default_alpha_and_beta_are_those_of_the_first_threshold(images: Tensor) -> None:
    assert export("digits/small", Path("default.pt2")) == (20, 10)  # of confidence.digits in params.yaml
    assert description(Path("default.pt2")) == {
        "dataset": "digits", "model": "small", "network": MODELS["small"], "seed": 0, "alpha": 20, "beta": 10,
    }  # fmt: skip
    network, _ = registry.trained("digits", "small")
    assert bool((curvature(network, images, probes=2)[0] > 0).all())
    with torch.no_grad():
        found = torch.export.load("default.pt2").module()(images)
    torch.testing.assert_close(found, scaled("small", images, alpha=20, beta=10), rtol=1e-4, atol=1e-7)


def test_a_network_that_does_not_reconstruct_is_certain(
    images: Tensor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["overgen", "export", "digits/cool", "cool.pt2"])
    with pytest.raises(SystemExit) as ended:
        cli.app()
    assert not ended.value.code
    assert capsys.readouterr().out == "cool.pt2: digits/cool, seed 0; c̃ = 1: it does not reconstruct\n"
    y, c = torch.export.load("cool.pt2").module()(images)
    torch.testing.assert_close(y, scaled("cool", images, alpha=20, beta=10)[0])
    assert c.tolist() == [1] * len(images)


@pytest.mark.parametrize(
    ("cell", "path", "options", "message"),
    [
        (
            "digits/vgg",
            "m.pt2",
            {},
            "no trained weights; there are digits/autoencoder, digits/cool, digits/dae_sym, digits/small",
        ),
        ("digits", "m.pt2", {}, "cell 'digits': no trained weights"),
        ("digits/cool", "m.pt2", {"seed": 7}, "seed7.safetensors: missing; digits/cool has the seeds 0"),
        ("digits/cool", "models", {}, "models: is a directory"),
        ("digits/cool", "m.pt", {}, "m.pt: does not end in .pt2"),
        ("digits/autoencoder", "m.pt2", {}, "does not classify"),
        ("digits/dae_sym", "m.pt2", {"alpha": -1}, "--alpha -1: must be a number from 0"),
        ("digits/dae_sym", "m.pt2", {"beta": float("nan")}, "--beta nan: must be a number from 0"),
        ("digits/cool", "m.pt2", {"alpha": 3}, "--alpha: digits/cool does not reconstruct"),
        ("digits/cool", "m.pt2", {"beta": 1}, "--beta: digits/cool does not reconstruct"),
    ],
)
def test_what_cannot_be_exported_is_named(cell: str, path: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(OvergenError) as caught:
        export(cell, Path(path), **options)
    assert message in str(caught.value)
    assert not Path(path).is_file()


def test_the_bytes_of_a_program_hang_on_nothing_but_the_network(tmp_path: Path) -> None:
    """torch puts the name of the file into the archive, and where on this machine the code stands."""
    first, second = tmp_path / "first.pt2", tmp_path / "elsewhere" / "another.pt2"
    second.parent.mkdir()
    export("digits/small", first, alpha=3)
    export("digits/small", second, alpha=3)
    assert first.read_bytes() == second.read_bytes()
    assert str(ROOT).encode() not in first.read_bytes()
    assert sys.prefix.encode() not in first.read_bytes()
