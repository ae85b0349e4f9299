"""A model of the user's own: the example of the docs goes through the whole study, and what does not fit is named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import OvergenError, data
from overgen.export import export
from overgen.models import registry
from overgen.run import params

from processes import Run
from workspace import ROOT, set_params, without_studies, write_code

SECTION = (ROOT / "docs/extending.md").read_text().split("## Your own model\n")[1].split("\n## ")[0]
STAGES = ("train_classifier", "fool_fgn", "fool_gradient", "fool_smallest", "fool_evolution", "evaluate_confidence",
          "evaluate_calibration",
          "evaluate_fooling", "collect_fooling", "train_openset", "evaluate_openset", "evaluate_scores",
          "evaluate_unknowns", "attack_scores")  # fmt: skip


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)[1]  # type: ignore[index]


@pytest.fixture
def project(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to which the example's file and line were added, and the name to the lists."""
    path = re.search(r"The file, here `(.*?)`", SECTION)[1]  # type: ignore[index]
    (workspace / path).write_text(block("python"))
    lists = {"classifiers": ["resnet"], "autoencoders": [], "attacked": ["resnet"], "evolved": ["resnet"],
             "openset_models": ["resnet"], "unknown_models": ["resnet"]}  # fmt: skip
    lists |= without_studies("scored_datasets")
    options = {"fool_fgn.digits.models": {"resnet": {}}, "fool_fgn.digits.updates": 3}
    options |= {"evaluate_scores.methods": {"resnet": ["scaled_output"]}}
    set_params(workspace / "params.yaml", lists | options)
    text = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(text.replace("\nmodels:\n", "\nmodels:\n" + block("yaml")))
    write_code(workspace, known=workspace)
    monkeypatch.chdir(workspace)
    return workspace


def test_the_example_goes_through_the_whole_study(project: Path, run_stage: Run) -> None:
    for stage in STAGES:
        run_stage(project, stage, model="attacked" if stage == "collect_fooling" else "resnet")
    run_stage(project, "judge_by_eye", model="people")
    run_stage(project, "report")
    report = project / "reports/digits"
    for table in ("training", "fooling", "gradient", "evolution", "open_set"):
        assert set(pd.read_csv(report / f"tables/{table}.csv")["model"]) == {"resnet"}
    assert "**resnet**" in (report / "report.md").read_text()

    # what was measured is what was saved, running averages included
    network, metadata = registry.trained("digits", "resnet")
    assert metadata["network"] == {"network": "src/own/resnet.py:ResNet", "width": 16, "classes": 10}
    stored = np.load("models/digits/networks/resnet/outputs.npz")["log_y"][0]
    x = data.floats(data.load("digits").test_images)
    torch.testing.assert_close(network(x).log_y, torch.from_numpy(stored), rtol=1e-5, atol=1e-5)
    export("digits/resnet", Path("resnet.pt2"))
    torch.testing.assert_close(torch.export.load("resnet.pt2").module()(x)[0], network(x).log_y.exp())
    # nothing is left in the folder that stages depend on as a whole
    assert {p.name for p in (project / "src/own").iterdir()} == {"README.md", "resnet.py"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("src/own/resnet.py:ResNet", "resnet", "models.resnet.network: is none of cnn, cool, lenet, dae, autoencoder"),
        ("src/own/resnet.py:ResNet", "src/own/../x.py:ResNet", "models.resnet.network: is none of cnn"),
        ("width: 16", "reconstruction_weight: 1.0", "classifier_input: Field required"),
        ("width: 16", "reconstruction_weight: 1.0\n    classifier_input: nosy", "classifier_input: Input should be"),
    ],
)
def test_a_line_that_does_not_fit_is_refused(project: Path, old: str, new: str, message: str) -> None:
    path = project / "params.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(OvergenError) as caught:
        params.load(path)
    assert message in str(caught.value)
    assert re.search(r"line \d+, models\.resnet", str(caught.value))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("src/own/vgg.py:VGG", {}, "src/own/vgg.py: missing"),
        ("src/own/resnet.py:VGG", {}, "src/own/resnet.py: has no torch module 'VGG'"),
        ("src/own/resnet.py:F", {}, "src/own/resnet.py: has no torch module 'F'"),
        ("src/own/resnet.py:ResNet", {"classes": 10, "depth": 3}, "does not take these options"),
    ],
)
def test_a_class_that_is_not_there_is_named(project: Path, network: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(OvergenError) as caught:
        registry.build(network, **options)
    assert message in str(caught.value)


def test_a_network_that_does_not_reconstruct_is_no_autoencoder(project: Path, run_stage: Run) -> None:
    set_params(project / "params.yaml", {"classifiers": [], "autoencoders": ["resnet"]})
    done = run_stage(project, "train_autoencoder", model="resnet", check=False)
    assert done.returncode == 1
    assert "autoencoders: resnet: its network src/own/resnet.py:ResNet has no `decode`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "models").exists()
