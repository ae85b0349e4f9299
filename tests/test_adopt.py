"""A network from elsewhere in the study: `overgen adopt`, its stage, the stages after it, and the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import nn
from typer.testing import CliRunner

from overgen import OvergenError, arguments, cli, data
from overgen.models import registry
from overgen.run import params
from overgen.run.plans import plans

from processes import Run, git
from strangers import MEAN, STD, classic
from workspace import ROOT, set_params, without_studies, write_code

OPTIONS = ("--network", "net.py:Net", "--mean", "0.1307", "--std", "0.3081")


def call(*arguments: str) -> str:
    """What `overgen adopt` prints. Raises what it raises."""
    result = CliRunner().invoke(cli.commands, ["adopt", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def project(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with the classic network of MNIST, untrained but for its last layer, beside it."""
    monkeypatch.chdir(workspace)
    network = classic(workspace)
    images, labels = data.load("digits").train_images, data.load("digits").train_labels
    with torch.no_grad():  # a last layer that knows the digits somewhat: the means of the classes
        x = (data.floats(images) - MEAN[0]) / STD[0]
        h: torch.Tensor = network.fc1(
            torch.flatten(
                nn.functional.max_pool2d(  # type: ignore[operator]
                    network.conv2(network.conv1(x).relu()).relu(), 2
                ),
                1,
            )
        ).relu()  # type: ignore[operator]
        means = torch.stack([h[labels == k].mean(0) for k in range(10)])
        network.fc2.weight.copy_(20 * means)  # type: ignore[union-attr, operator]
        network.fc2.bias.copy_(-10 * means.square().sum(1))  # type: ignore[union-attr, operator]
    torch.save(network.state_dict(), "net.pt")
    return workspace


def test_adopted_networks_go_through_the_study(project: Path, run_stage: Run) -> None:
    before = Path("params.yaml").read_text()
    said = call("net.pt", "--as", "digits/mine", *OPTIONS)
    assert "outputs log_probabilities; in adopted, attacked, evolved of params.yaml" in said
    text = Path("params.yaml").read_text()
    assert [line for line in before.splitlines() if "#" in line and "[" not in line] == [
        line for line in text.splitlines() if "#" in line and "[" not in line
    ]  # comments stay
    copied = Path("models/digits/adopted/mine")
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        name: Path(name).read_bytes() for name in ("net.pt", "net.py")
    }
    settings = params.load()
    assert settings.adopted == ["mine"]
    assert settings.attacked[-1] == settings.evolved[-1] == "mine"
    lists = without_studies()
    lists |= {"attacked": ["mine"], "evolved": ["mine"], "classifiers": [], "autoencoders": [], "openset_models": []}
    set_params(project / "params.yaml", lists)
    write_code(project, known=project)
    for stage in ("adopt", "fool_fgn", "fool_gradient", "fool_smallest", "fool_evolution", "evaluate_confidence",
                  "evaluate_fooling"):  # fmt: skip
        run_stage(project, stage, model="mine")

    network, about = registry.trained("digits", "mine")
    dataset = data.load("digits")
    stored = np.load("models/digits/networks/mine/outputs.npz")
    log_y = network(data.floats(dataset.test_images)).log_y
    np.testing.assert_allclose(stored["log_y"][0], log_y.numpy(), rtol=1e-4, atol=1e-4)
    right = int((log_y.argmax(1) == dataset.test_labels).sum())
    cell = json.loads(Path("reports/cells/digits/adopt/mine/metrics.json").read_text())
    rows = {row["metric"]: row for row in cell["metrics"] if row["tau"] is None}
    assert rows["test_accuracy"]["reproduced"] == pytest.approx(100 * right / len(log_y))
    nll = nn.functional.nll_loss(log_y, dataset.test_labels)
    assert rows["negative_log_likelihood"]["reproduced"] == pytest.approx(float(nll), rel=1e-4)
    one_hot = nn.functional.one_hot(dataset.test_labels, 10)
    brier = (log_y.exp() - one_hot).square().sum(1).mean()
    assert rows["brier_score"]["reproduced"] == pytest.approx(float(brier), rel=1e-4)
    error = rows["calibration_error"]
    assert error["low"] <= error["high"]
    assert error["n"] == len(log_y)
    fooled = json.loads(Path("reports/cells/digits/fool_gradient/mine/metrics.json").read_text())
    assert fooled["budget"]["adopt.trained_elsewhere"] == 1

    run_stage(project, "report")
    report = Path("reports/digits")
    markdown = (report / "report.md").read_text()
    assert "## Networks that were trained elsewhere" in markdown
    glance = pd.read_csv(report / "tables/glance.csv")
    assert "test_accuracy" in set(glance.loc[glance["model"] == "mine", "metric"])
    assert (report / "figures/adopted_reliability.svg").is_file()
    assert about["files"]["net.pt"][:12] in markdown


def test_what_is_adopted_can_be_fooled_once_its_stage_has_run(project: Path, run_stage: Run) -> None:
    call("net.pt", "--as", "digits/mine", *OPTIONS)
    for command in (["fool", "mean", "--to", "3", "--on", "digits/mine"], ["export", "digits/mine", "mine.pt2"]):
        result = CliRunner().invoke(cli.commands, command)
        assert "no trained weights yet; `overgen reproduce adopt@digits-mine` makes them" in str(result.exception)
    write_code(project, known=project)
    run_stage(project, "adopt", model="mine")
    arguments.check_cell("digits/mine")


def test_what_is_adopted_stays_in_git(tmp_path: Path) -> None:
    """A clone makes the rest of digits itself, and gets outputs of DVC's by `dvc pull`; this file it has from Git."""
    git(tmp_path, "init", "-q")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    kept = [
        f"models/{dataset}/adopted/{name}/net.pt" for dataset in ("digits", "mnist") for name in ("mine", "openset")
    ]
    left = ["models/digits/networks/cnn/seed0.safetensors", "models/mnist/openset/cnn/k1-0.safetensors"]
    for path in (*kept, *left):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    listed = git(tmp_path, "ls-files", "--others", "--exclude-standard", "models").splitlines()
    assert sorted(listed) == sorted(kept)


def test_an_adoption_can_be_taken_back(project: Path) -> None:
    """By removing from params.yaml what docs/extending.md says: nothing else was written there."""
    before = yaml.safe_load(Path("params.yaml").read_text())
    call("net.pt", "--as", "digits/mine", *OPTIONS)
    after = yaml.safe_load(Path("params.yaml").read_text())
    del after["models"]["mine"]
    for name in ("adopted", "attacked", "evolved"):
        after[name].remove("mine")
    for section in after["fool_fgn"].values():
        del section["models"]["mine"]
        if isinstance(section["updates"], dict):
            del section["updates"]["mine"]
    assert after == before


def test_a_model_of_other_data_sets_is_left_out(project: Path, run_stage: Run) -> None:
    call("net.pt", "--as", "digits/mine", *OPTIONS)
    values = yaml.safe_load(Path("params.yaml").read_text())
    sections = [key for key, value in values.items() if isinstance(value, dict) and "digits" in value]
    second: dict[str, object] = {f"{key}.mnist": values[key]["digits"] for key in sections}
    lists = {"models.mine.datasets": ["mnist"], "datasets": ["digits", "mnist"]}
    set_params(project / "params.yaml", second | lists | {"download.mnist": {"source": "mnist"}})
    write_code(project, known=project)
    assert "mine" not in plans()["digits"].cells["fool_gradient"]
    assert arguments.maker("digits/mine") == ""
    assert arguments.maker("mnist/mine") == "adopt@mnist-mine"
    done = run_stage(project, "fool_gradient", model="mine")
    assert "mine is for other data sets than digits" in done.stderr
    folder = Path("reports/cells/digits/fool_gradient/mine")
    assert [path.name for path in folder.iterdir()] == ["left_out.txt"]
    run_stage(project, "adopt", model="mine")
    assert not Path("models/digits/networks/mine/adopted.json").exists()


def test_the_file_must_be_the_one_that_was_adopted(project: Path, run_stage: Run) -> None:
    call("net.pt", "--as", "digits/mine", *OPTIONS)
    write_code(project, known=project)
    path = Path("models/digits/adopted/mine/net.pt")
    path.write_bytes(path.read_bytes() + b" ")
    done = run_stage(project, "adopt", model="mine", check=False)
    assert done.returncode == 1
    assert "net.pt: its SHA-256 is" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("models/digits/networks/mine").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("net.pt", "--as", "mine", *OPTIONS), "--as mine: must be DATASET/NAME"),
        (("net.pt", "--as", "emnist/mine", *OPTIONS), "params.yaml has no data set 'emnist'"),
        (("net.pt", "--as", "digits/cnn", *OPTIONS), "has a model 'cnn', which is trained here"),
        (("none.pt", "--as", "digits/mine", *OPTIONS), "none.pt: missing"),
        (("net.pt", "--as", "digits/mine"), "net.pt: holds weights alone; name their network with --network"),
        (("net.pt", "--as", "digits/mine", "--network", "net.py"), "net.py: FILE is missing; it must be FILE.py:CLASS"),
        (
            ("net.pt", "--as", "digits/mine", *OPTIONS, "--into", "attacks"),
            "--into attacks: params.yaml has no such list",
        ),
        (("net.pt", "--as", "digits/mine", *OPTIONS, "--into", "openset_models"), "'mine' does not fit"),
        (("net.pt", "--as", "digits/mine", *OPTIONS, "--option", "width"), "--option width: must be KEY=VALUE"),
        (
            ("net.pt", "--as", "digits/mine", *OPTIONS, "--option", "width=3"),
            "does not take these options (--option): {'width': 3}",
        ),
        (
            ("net.pt", "--as", "digits/mine", *OPTIONS, "--size", "32"),
            "--size 32: must be HEIGHT,WIDTH, such as 224,224",
        ),
        (("net.pt", "--as", "digits/mine", *OPTIONS, "--layout", "CHWN"), "(--layout): CHWN: must be one of NCHW"),
    ],
)
def test_what_is_refused_leaves_all_as_it_was(project: Path, given: tuple[str, ...], message: str) -> None:
    before = Path("params.yaml").read_bytes()
    with pytest.raises(OvergenError) as caught:
        call(*given)
    assert message in str(caught.value)
    assert Path("params.yaml").read_bytes() == before
    assert not Path("models/digits/adopted").exists()


def test_a_black_box_is_evolved_only(project: Path) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    dataset = data.load("digits")
    pixels = data.floats(dataset.train_images[:300]).flatten(1).numpy()
    joblib.dump(LogisticRegression(max_iter=5, tol=1).fit(pixels, dataset.train_labels[:300].numpy()), "plain.joblib")
    with pytest.raises(OvergenError, match=r"plain\.joblib: a pickle can run any code"):
        call("plain.joblib", "--as", "digits/plain")
    assert "a black box; in adopted, evolved of" in call("plain.joblib", "--as", "digits/plain", "--unsafe-pickle")
    assert "plain" not in params.load().attacked
    with pytest.raises(OvergenError, match="is a black box, and what is in attacked needs a gradient"):
        call("plain.joblib", "--as", "digits/plain", "--unsafe-pickle", "--into", "attacked,evolved")
