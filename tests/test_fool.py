"""`overgen fool`: ascent and its regularisers by hand, the pictures as they are saved, and what it refuses."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from overgen import OvergenError, cli, fool
from overgen.attacks.ascent import Regularisers, ascend
from overgen.confidence import ScaledOutput
from overgen.models import registry, weights
from overgen.models.weights import save_weights
from overgen.run.streams import generator

from strangers import MEAN, STD, classic
from workspace import ROOT, set_params

NONE = Regularisers()


def test_an_update_has_the_given_size_and_goes_uphill() -> None:
    weight = torch.linspace(-1, 2, 12).view(1, 3, 4)
    start = torch.full((1, 3, 4), 0.5)
    seen = []

    def enough(x: Tensor) -> bool:
        seen.append(x.detach().clone())
        return len(seen) == 4

    x, used = ascend(
        lambda x: (weight * x).sum(), enough, start, start, updates=9, rate=0.02, regularisers=NONE
    )  # fmt: skip
    assert used == 3
    assert torch.equal(x, seen[-1])
    step = 0.02 * weight / weight.square().mean().sqrt()
    for before, after in pairwise(seen):
        assert (after - before).numpy() == pytest.approx(step.numpy(), abs=1e-6)


def test_the_image_stays_an_image_and_the_updates_end() -> None:
    start = torch.tensor([[[0.1, 0.9]]])
    x, used = ascend(
        lambda x: x[0, 0, 1] - x[0, 0, 0], lambda _: False, start, start, updates=5, rate=0.3, regularisers=NONE
    )  # fmt: skip
    assert used == 5
    assert x.flatten().tolist() == [0, 1]


@pytest.mark.parametrize("score", [lambda x: 0 * x.sum(), lambda x: (x - 1).sqrt().sum()])
def test_no_gradient_is_an_error_and_not_a_failure_to_fool(score: Any) -> None:
    with pytest.raises(FloatingPointError, match="after 0 updates"):
        ascend(score, lambda _: False, torch.rand(1, 2, 2), torch.zeros(1, 2, 2), updates=3, rate=0.1,
               regularisers=NONE)  # fmt: skip


def test_regularisers() -> None:
    centre = torch.full((2, 8, 8), 0.5)
    x = torch.rand(2, 8, 8, generator=generator("test", 0))
    assert torch.equal(NONE(x, centre, 1), x)
    assert torch.allclose(Regularisers(decay=0.25)(x, centre, 1), 0.75 * x + 0.125)
    blur = Regularisers(blur=1.0, blur_every=3)
    assert torch.equal(blur(x, centre, 2), x)
    assert float(blur(x, centre, 3).var()) < 0.5 * float(x.var())
    assert torch.allclose(blur(centre, centre, 3), centre)
    clipped = Regularisers(clip=25)(x, centre, 1)
    norms = (x - centre).norm(dim=0)
    onto = (clipped == centre).all(0)
    assert int(onto.sum()) == 16  # a quarter of 64, and those nearest to the centre
    assert float(norms[onto].max()) < float(norms[~onto].min())
    assert torch.equal(clipped[:, ~onto], x[:, ~onto])


@pytest.fixture
def project(tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with digits and networks with random weights, which can be fooled like any other."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    of_training = {"reconstruction_weight": 1.0, "classifier_input": "noisy"}
    (tmp_path / "data").symlink_to(digits / "data")
    options: dict[str, dict[str, Any]] = {
        "cnn": {"network": "cnn"},
        "dae_sym": {"network": "dae", "tied": True},
        "autoencoder": {"network": "autoencoder", "hidden": 5},
    }
    described = {f"models.{model}": chosen for model, chosen in options.items()}
    set_params(tmp_path / "params.yaml", described | {"models.dae_sym": options["dae_sym"] | of_training})
    for model, chosen in options.items():
        network = registry.build(**chosen)
        network.initialise(generator("fool", model))
        if hasattr(network, "fc2"):
            network.fc2.weight.data *= 30  # as sure as a trained network
        weights.round_weights(network)
        metadata = {"dataset": "digits", "model": model, "network": chosen, "seed": 0}
        save_weights(weights.weights_path("digits", model, 0), network.state_dict(), metadata)
    return tmp_path


def call(*arguments: str) -> str:
    """What `overgen fool` prints. Raises what it raises."""
    result = CliRunner().invoke(cli.commands, ["fool", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def read(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def score(model: str, path: Path, target: int, alpha: float) -> float:
    """ỹ of a saved picture, read without overgen's reader."""
    pixels = read(path)
    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8
    network, _ = registry.trained("digits", model)
    x = torch.from_numpy(pixels.astype(np.float32) / 255)[None, None]
    return float(ScaledOutput(network, alpha=alpha, beta=10)(x)[0, target].exp())


@pytest.mark.parametrize("model", ["cnn", "dae_sym"])
def test_the_saved_picture_fools(project: Path, model: str) -> None:
    common = ("noise", "--to", "7", "--on", f"digits/{model}", "--rate", "0.05")
    common += ("--alpha", "3") if model == "dae_sym" else ()
    text = call(*common, "-o", "a.png")
    found = score(model, Path("a.png"), 7, alpha=3)
    assert found > 0.9
    assert f"→ {found:.4g} after" in text
    assert f"digits/{model} sees '7'" in text
    again = call(*common, "-o", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert again == text.replace("a.png", "b.png")
    call(*common, "-o", "c.png", "--seed", "1")
    assert Path("a.png").read_bytes() != Path("c.png").read_bytes()


def test_the_smallest_change_is_smaller(project: Path) -> None:
    Image.fromarray((255 * np.random.default_rng(0).random((28, 28))).astype(np.uint8)).save("start.png")
    start = read("start.png") / 255
    common = ("start.png", "--to", "2", "--on", "digits/cnn", "--tau", "0.5")
    call(*common, "-o", "ascent.png")
    text = call(*common, "-o", "smallest.png", "--smallest", "--updates", "30")
    assert score("cnn", Path("smallest.png"), 2, alpha=0) > 0.5
    norm = {n: np.linalg.norm(read(f"{n}.png") / 255 - start) for n in ("ascent", "smallest")}
    assert norm["smallest"] < norm["ascent"]
    assert f"changed by {norm['smallest']:.3g} (L2), {norm['smallest'] / 28:.3g} (RMS)" in text


def test_the_regularisers_reach_the_ascent(project: Path) -> None:
    common = ("noise", "--to", "7", "--on", "digits/cnn", "--tau", "0.6", "--updates", "4", "--rate", "0.05")
    seen = set()
    for i, more in enumerate(((), ("--decay", "0.1"), ("--blur", "0.6", "--blur-every", "1"), ("--clip", "30"))):
        result = CliRunner().invoke(cli.commands, ["fool", *common, *more, "-o", f"{i}.png"])
        assert result.exception is None or "not fooled" in str(result.exception)
        seen.add(read(f"{i}.png").tobytes())
    assert len(seen) == 4


def test_a_picture_that_does_not_fool_is_written_and_said_to_fail(project: Path) -> None:
    with pytest.raises(OvergenError, match=r"not fooled: .* is not above 0\.999"):
        call("mean", "--to", "7", "--on", "digits/cnn", "--tau", "0.999", "--updates", "1", "--rate", "0.001")
    assert read("fooled.png").shape == (28, 28)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("noise", "--to", "ten", "--on", "digits/cnn"), "no such class; a number from 0 to 9, or one of 0, 1"),
        (("noise", "--to", "10", "--on", "digits/cnn"), "--to '10'"),
        (("none.png", "--to", "1", "--on", "digits/cnn"), "none.png: missing; give a picture file"),
        (("params.yaml", "--to", "1", "--on", "digits/cnn"), "params.yaml: cannot be read as a picture"),
        (
            ("noise", "--to", "1", "--on", "digits/vgg"),
            "cell 'digits/vgg': no trained weights",
        ),
        (("noise", "--to", "1", "--on", "digits/autoencoder"), "does not classify"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--tau", "1"), "--tau 1: must be a number above 0 and below 1"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--rate", "0"), "--rate 0: must be a number above 0"),
        (("noise", "--to", "1", "--on", "digits/dae_sym", "--alpha", "-3"), "--alpha -3: must be a number from 0"),
        (("noise", "--to", "1", "--on", "digits/dae_sym", "--alpha", "inf"), "--alpha inf: must be a number from 0"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--decay", "nan"), "--decay nan: must be a number from 0 to 1"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--blur", "inf"), "--blur inf: must be a number from 0"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--clip", "101"), "--clip 101: must be a number from 0 to 100"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--weights", "/none.pt"), "--weights: digits/cnn has its own"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--alpha", "3"), "--alpha: digits/cnn does not reconstruct"),
        (
            ("noise", "--to", "1", "--on", "torchvision/resnet18", "--alpha", "3"),
            "--alpha: a network that overgen did not train",
        ),
        (("mean", "--to", "1", "--on", "digits/cnn", "--seed", "0"), "--seed: nothing is drawn for the start mean"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--invert"), "--invert: no picture is read for the start noise"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--blur-every", "2"), "--blur-every: there is no --blur"),
        (("noise", "--to", "1", "--on", "digits/cnn", "--smallest", "--rate", "0.01"), "--rate: --smallest has no"),
        (("noise", "--to", "1", "--on", "digits/cnn", "-o", "a.jpg"), "a.jpg: must be a file whose name ends in .png"),
        (
            ("noise", "--to", "1", "--on", "digits/cnn", "--smallest", "--blur", "1"),
            "--blur: --smallest has no updates",
        ),
        (
            ("noise", "--to", "1", "--on", "torchvision/resnet19"),
            "no such classifier; did you mean resnet18",
        ),
        (("noise", "--to", "1", "--on", "torchvision/resnet18", "--weights", "no.pth"), "no.pth: missing"),
        (("noise", "--to", "1", "--on", "torchvision/resnet18", "--weights", "params.yaml"), "params.yaml: not"),
    ],
)
def test_what_is_refused(project: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(OvergenError, match=message):
        call(*arguments)
    assert not list(project.glob("*.png"))


def test_a_network_of_torchvision(project: Path) -> None:
    from torchvision import models

    network = models.get_model("squeezenet1_1", weights=None)
    drawn = generator("fool", "squeezenet")
    with torch.no_grad():
        for parameter in network.parameters():
            scale = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.0
            parameter.copy_(scale * torch.randn(parameter.shape, generator=drawn))
    torch.save(network.state_dict(), "weights.pth")
    subject = fool.adopted_subject("torchvision/squeezenet1_1", weights=Path("weights.pth"))
    target = int(subject.log_scores(fool.first_image(subject, "noise", 0)[None]).topk(3).indices[0, 2])
    name = subject.classes[target]
    text = call("noise", "--to", name, "--on", "torchvision/squeezenet1_1", "--weights", "weights.pth",
                "--tau", "0.5", "--updates", "60")  # fmt: skip
    assert f"torchvision/squeezenet1_1 sees {name!r}" in text
    with Image.open("fooled.png") as saved:
        assert (saved.size, saved.mode) == ((224, 224), "RGB")
        # torchvision's own preprocessing is the oracle of ours
        transforms: Any = models.get_model_weights("squeezenet1_1").DEFAULT.transforms
        x = transforms(crop_size=224, resize_size=224)(saved)
    with torch.no_grad():
        y = network.eval()(x[None]).softmax(1)[0]
    assert float(y[target]) > 0.5
    assert f"→ {float(y[target]):.4g} after" in text


def test_ink_on_paper_is_named_and_inverted_if_asked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paper = np.full((10, 30), 255, np.uint8)  # twice padded: that ground is not the picture's
    paper[3:7, 12:18] = 0
    Image.fromarray(paper).save("paper.png")
    Image.fromarray(255 - paper).save("board.png")
    subject = fool.cell_subject("digits/cnn")
    read = {}
    for name, invert, said in (("paper", None, True), ("paper", True, False), ("paper", False, False),
                               ("board", None, False)):  # fmt: skip
        read[name, invert] = fool.first_image(subject, f"{name}.png", 0, invert)
        assert ("--invert" in capsys.readouterr().err) == said
    assert torch.equal(read["paper", None], read["paper", False])
    assert torch.equal(read["paper", True], read["board", None])
    assert read["paper", True][0, 0].max() == 0  # what pads it is the ground


def test_a_photo_is_cut_to_a_square(tmp_path: Path) -> None:
    from torchvision import models

    torch.save(models.get_model("squeezenet1_1", weights=None).state_dict(), tmp_path / "weights.pth")
    subject = fool.adopted_subject("torchvision/squeezenet1_1", weights=tmp_path / "weights.pth", outputs="logits")
    wide = np.zeros((100, 300, 4), np.uint8)  # with an alpha channel
    wide[:, 100:200] = (255, 0, 51, 255)  # the square in the middle
    Image.fromarray(wide).save(tmp_path / "wide.png")
    found = fool.first_image(subject, str(tmp_path / "wide.png"), 0)
    assert found.shape == (3, 224, 224)
    assert found[:, 112, 112].tolist() == pytest.approx([1, 0, 0.2])
    assert float(found[0, :, 5:-5].min()) == 1


def test_weights_that_cannot_be_fetched(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise URLError("no route")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", no_network)
    with pytest.raises(OvergenError, match=r"cannot be fetched .*--weights squeezenet1_1-\w+\.pth"):
        fool.adopted_subject("torchvision/squeezenet1_1")


def test_any_network_that_has_a_gradient(project: Path) -> None:
    """A program of torch.export, whose normalisation and outputs are told or found."""
    theirs = classic(project)
    with torch.no_grad():
        theirs.fc2.weight.mul_(30)  # type: ignore[union-attr, operator]
    torch.export.save(torch.export.export(theirs, (torch.zeros(2, 1, 28, 28),)), "net.pt2")
    text = call("noise", "--to", "4", "--on", "net.pt2", "--mean", "0.1307", "--std", "0.3081", "--rate", "0.05")
    x = torch.from_numpy(read("fooled.png") / np.float32(255))[None, None]
    y = float(theirs((x - MEAN[0]) / STD[0]).exp()[0, 4].detach())
    assert y > 0.9
    assert "net.pt2 sees '4'; score of '4' " in text
    assert f"→ {y:.4g} after" in text
    with pytest.raises(OvergenError, match=r"net\.pt2: outputs: logits, but every row is one of log_probabilities"):
        call("noise", "--to", "4", "--on", "net.pt2", "--outputs", "logits")
    with pytest.raises(OvergenError, match=r"--mean 0\.1,b: must be a number"):
        call("noise", "--to", "4", "--on", "net.pt2", "--mean", "0.1,b")
    with pytest.raises(OvergenError, match=r"--mean: digits/cnn has its own"):
        call("noise", "--to", "4", "--on", "digits/cnn", "--mean", "0.1")
