"""Audits from the command to the page, at tiny budgets: a module, a black box, pictures in a folder, a broken one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from overgen import OvergenError, cli
from overgen.audits import budgets, execution
from overgen.audits.audit import own_pictures
from overgen.data.folders import class_names
from overgen.models.adopted import open_network
from overgen.run.streams import generator

QUICK = budgets.QUICK
TINY = budgets.Effort(trials=1, updates=3, restarts=1, steps=3, runs=1, generations=2, population=10, images=3,
                      bisections=1, iterations=5, fitted=200, unknowns=30)  # fmt: skip
MODULE = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear({inputs}, {classes})

    def forward(self, x):
        return {scale} * self.head(x.flatten(1))
"""


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and budgets that take seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    monkeypatch.setenv("OVERGEN_PROGRESS", "on")
    monkeypatch.setattr(budgets, "QUICK", TINY)


def written(inputs: int, classes: int, scale: str = "1") -> list[str]:
    """A linear network in files, as arguments of the command."""
    Path("mine.py").write_text(MODULE.format(inputs=inputs, classes=classes, scale=scale))
    draws = generator("audited")
    weight = torch.randn(classes, inputs, generator=draws) / inputs**0.5
    torch.save({"head.weight": weight, "head.bias": torch.zeros(classes)}, "net.pt")
    return ["mine.py:Net", "--weights", "net.pt"]


def audit(*arguments: str) -> tuple[int, str]:
    """The exit status of the command, and what it printed."""
    done = CliRunner().invoke(cli.commands, ["audit", *arguments, "--quick", "-o", "out"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def found() -> dict[str, object]:
    return json.loads(Path("out/audit.json").read_text())


def test_a_module_is_audited_and_goes_on_where_it_was() -> None:
    network = written(784, 10)
    status, said = audit(*network, "--on", "digits", "--max-fooled", "100", "--min-accuracy", "99")
    assert status == 3
    assert "--min-accuracy 99: NOT MET" in said
    assert "--max-fooled 100: met" in said
    result = found()
    assert (result["schema"], result["met"]) == ("overgen-audit/1", False)
    assert {number["stage"] for number in result["numbers"]} == {  # type: ignore[index, union-attr]
        "adopt", "fool_fgn", "fool_gradient", "fool_evolution", "fool_smallest", "evaluate_unknowns"
    }  # fmt: skip
    cells = {number["metric"]: number for number in result["numbers"] if number["stage"] == "adopt"}  # type: ignore[index, union-attr]
    source = torch.load("net.pt")["head.weight"]
    from overgen import data

    digits = data.load("audited_digits", "out/data")
    right = (digits.test_images.flatten(1).float() @ source.T).argmax(1) == digits.test_labels
    assert cells["test_accuracy"]["value"] == pytest.approx(100 * float(right.float().mean()))
    assert "url=reports/audited_digits/report.html" in Path("out/report.html").read_text()
    page = Path("out/reports/audited_digits/report.md").read_text()
    assert page.startswith("# Audit of mine.py:Net on Digits")
    before = Path("out/audit.json").read_bytes()
    status, said = audit(*network, "--on", "digits", "--max-fooled", "100")
    assert status == 0
    assert said.count("was finished by an earlier run") == 8
    assert json.loads(before)["numbers"] == found()["numbers"]
    assert not list(Path("out").rglob(".overgen-tmp-*"))


def test_a_black_box_has_no_gradient_stages_and_says_so() -> None:
    import joblib
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    x, labels = load_digits(return_X_y=True)
    large = np.kron(x.reshape(-1, 8, 8), np.ones((3, 3)))
    model = LogisticRegression(tol=0.1, max_iter=300).fit(
        np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(len(x), -1) / 16, labels
    )
    joblib.dump(model, "box.joblib")
    status, _ = audit("box.joblib", "--on", "digits", "--unsafe-pickle")
    assert status == 0
    stages = {number["stage"] for number in found()["numbers"]}  # type: ignore[index, union-attr]
    assert stages == {"adopt", "fool_evolution", "evaluate_unknowns"}
    page = Path("out/reports/audited_digits/report.md").read_text()
    assert "fool_gradient, fool_smallest: the network is a black box" in page


def test_pictures_without_labels_and_unknown_ones() -> None:
    draws = np.random.default_rng(0)
    for folder, count in (("pictures", 12), ("strange", 5)):
        Path(folder).mkdir()
        for i in range(count):
            Image.fromarray(draws.integers(0, 256, (8, 9, 3), dtype=np.uint8)).save(f"{folder}/{i}.png")
    network = written(3 * 8 * 9, 4)
    status, said = audit(*network, "--data", "pictures", "--shape", "3,8,9", "--unknown", "strange", "--classes", "2",
                         "--min-accuracy", "1")  # fmt: skip
    assert status == 3  # what cannot be tested is not met
    assert "not testable: Accuracy and calibration: no labels" in said
    result = found()
    assert any("kind=own" in number["metric"] for number in result["numbers"])  # type: ignore[index, union-attr]
    tried = {number["metric"]: number["n"] for number in result["numbers"] if number["stage"] == "fool_gradient"}  # type: ignore[index, union-attr]
    assert tried["fooling_rate@start=noise"] == 2  # classes


def test_a_network_that_labels_nothing_right_has_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Class names in another order. Each class is one pixel, so that the network is sure of all pictures."""
    for i, name in enumerate(["ant", "bee", "cat"]):
        Path("pictures", name).mkdir(parents=True)
        for j in range(6):
            pixels = np.zeros((8, 8), np.uint8)
            pixels[0, i] = 250
            pixels[7, j] = 40
            Image.fromarray(pixels).save(Path("pictures", name, f"{j}.png"))
    Path("names.txt").write_text("bee\ncat\nant\n")
    written(64, 3)
    torch.save({"head.weight": 1000 * torch.eye(3, 64), "head.bias": torch.zeros(3)}, "net.pt")
    arguments = ["mine.py:Net", "--weights", "net.pt", "--shape", "1,8,8", "--outputs", "logits", "--data", "pictures"]
    status, said = audit(*arguments, "--class-names", "names.txt")
    assert status == 0
    assert "label changed by a small change: not testable: the network labels no test image right" in said
    assert re.search(r"AUROC, mean over kinds: .*, n = \d known and 270 unknown images of 9 kinds", said)
    assert not any(n["low"] is not None and n["low"] == n["high"] for n in found()["numbers"])  # type: ignore[attr-defined]
    page = Path("out/reports/pictures/report.md").read_text()
    assert "net: not testable: the network labels no test image right." in page
    for wrong in ("dvc repro", "DATASET", "of params.yaml", "trained here", "training image", "1 restarts", "As Figure",
                  "As Table", "* AUROC"):  # fmt: skip
        assert wrong not in page, wrong
    assert "AUROC" not in page.partition("## At a glance")[2].partition("\n## ")[0]
    (status, _), sure = audit(*arguments), found()
    assert status == 0  # the same names, other labels: all is made anew
    labelled = {n["metric"]: n for n in sure["numbers"] if n["stage"] in ("adopt", "fool_smallest")}  # type: ignore[attr-defined]
    assert labelled["test_accuracy"]["value"] == 100
    assert (labelled["calibration_error"]["value"], labelled["calibration_error"]["low"]) == (0, None)
    assert labelled["fooling_rate"]["n"] == 3
    torch.save(torch.load("net.pt"), "other.pt")
    done = CliRunner().invoke(cli.commands, ["audit", *arguments[:2], "other.pt", *arguments[3:-1], ".", "-o", "out"])
    assert done.exception is not None
    assert found() == sure  # of another folder of pictures: nothing is mixed


def test_errors_name_no_command_of_dvcs(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(cells: object) -> None:
        raise OvergenError("reports/cells/a/b/c/metrics.json: missing; `dvc repro b@a-c` makes it")

    monkeypatch.setattr(execution, "run", broken)
    done = CliRunner().invoke(cli.commands, ["audit", *written(784, 10), "--on", "digits", "-o", "out"])
    assert str(done.exception).endswith("missing; `overgen audit` with the same arguments makes it")


def test_a_folder_without_pictures_says_which_forms_are_read() -> None:
    Path("pictures").mkdir()
    Path("pictures/notes.txt").write_text("nothing to see")
    done = CliRunner().invoke(cli.commands, ["audit", *written(16, 4), "--shape", "1,4,4", "--data", "pictures"])
    assert "pictures: holds no pictures in a form that is read (PNG, JPEG" in str(done.exception)


def test_a_broken_network_gets_a_line_and_leaves_nothing() -> None:
    network = written(784, 10, scale="float('nan')")
    done = CliRunner().invoke(cli.commands, ["audit", *network, "--on", "digits", "-o", "out"])
    assert "net.pt: its answer to the black image is nan" in str(done.exception)
    assert not Path("out").exists()


def test_a_network_of_other_classes_than_the_data() -> None:
    network = written(784, 4)
    done = CliRunner().invoke(cli.commands, ["audit", *network, "--on", "digits", "-o", "out"])
    assert "4 classes" in str(done.exception)
    assert not Path("out").exists()


def coloured_folders(names: Sequence[str]) -> None:
    """Three pictures of one colour, 1 × 4 × 4, in each folder of `pictures`."""
    for i, name in enumerate(names):
        Path("pictures", name).mkdir(parents=True)
        for j in range(3):
            Image.new("L", (4, 4), 60 * i + j).save(Path("pictures", name, f"{j}.png"))


def test_other_class_folders_than_classes_are_counted_before_anything_runs() -> None:
    coloured_folders(["ant", "bee", "cat"])
    arguments = [*written(16, 4), "--shape", "1,4,4", "--data", "pictures", "--outputs", "logits", "-o", "out"]
    done = CliRunner().invoke(cli.commands, ["audit", *arguments])
    assert "pictures: has 3 class folders (ant, bee, cat), and net.pt 4 classes" in str(done.exception)
    Path("names.txt").write_text("cat\nbee\nant\n")
    done = CliRunner().invoke(cli.commands, ["audit", *arguments, "--class-names", "names.txt"])
    assert "net.pt: answers with 4" in str(done.exception)
    assert not Path("out").exists()


def test_one_folder_around_all_pictures_is_no_class() -> None:
    coloured_folders(["around"])
    written(16, 4)
    network = open_network("net.pt", module="mine.py:Net", shape=(1, 4, 4), outputs="logits")
    assert not own_pictures(Path("pictures"), network).labelled


def test_class_names_say_the_order_of_the_classes() -> None:
    coloured_folders(["ant", "bee", "cat"])
    Path("names.txt").write_text("cat\ndog\nbee\nant\n")
    written(16, 4)
    names = class_names("names.txt")
    network = open_network("net.pt", module="mine.py:Net", shape=(1, 4, 4), outputs="logits", class_names=names)
    assert own_pictures(Path("pictures"), network).options["classes"] == ["cat", "dog", "bee", "ant"]


@pytest.mark.slow
def test_a_convolutional_network_on_colour_pictures_with_the_budgets_of_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "QUICK", QUICK)
    draws = np.random.default_rng(0)
    for label in range(4):
        Path(f"pictures/{label}").mkdir(parents=True)
        for i in range(40):
            pixels = draws.integers(0, 100, (32, 32, 3))
            pixels[8 * label : 8 * label + 8] += 150  # a bright band says which class
            Image.fromarray(pixels.astype(np.uint8)).save(f"pictures/{label}/{i}.png")
    module = MODULE.format(inputs=4, classes=4, scale="20").replace(
        "x.flatten(1)", "nn.functional.avg_pool2d(x.mean(1, keepdim=True), (8, 32)).flatten(1)"
    )
    Path("mine.py").write_text(module)
    torch.save({"head.weight": torch.eye(4), "head.bias": torch.zeros(4)}, "net.pt")
    status, said = audit("mine.py:Net", "--weights", "net.pt", "--data", "pictures", "--shape", "3,32,32",
                         "--outputs", "logits", "--min-accuracy", "100")  # fmt: skip
    assert status == 0, said
    rates = {number["metric"]: number["value"] for number in found()["numbers"] if number["stage"] == "fool_gradient"}  # type: ignore[index, union-attr]
    assert rates["fooling_rate@start=noise"] == 100  # a band is all that it looks for
