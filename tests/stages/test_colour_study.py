"""A study of colour images that are not square, of twelve classes, some without a label: every stage takes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from overgen import data
from overgen.attacks import attacked, pictures
from overgen.measures.outputs import scores_of_images
from overgen.models import registry
from overgen.rescoring import rescore
from overgen.run import params
from overgen.run.files import read_json, read_npz

from processes import Run
from workspace import set_params, without_studies, write_code

NETWORK = '''"""A linear network on colour images."""

import torch.nn.functional as F
from torch import nn

from overgen.models import Output


class Plain(nn.Module):
    """Mean colours of blocks of 2 × 2 pixels, and one layer."""

    def __init__(self, classes):
        super().__init__()
        self.fc2 = nn.Linear(3 * 7 * 5, classes)

    def encode(self, x):
        return F.avg_pool2d(x, 2).flatten(1)

    def forward(self, x):
        return Output(log_y=F.log_softmax(self.fc2(self.encode(x)), dim=1), reconstruction=None)

    def initialise(self, generator):
        nn.init.normal_(self.fc2.weight, std=2.0, generator=generator)
        nn.init.zeros_(self.fc2.bias)
'''
STAGES = ("train_classifier", "fool_fgn", "fool_gradient", "fool_evolution", "fool_smallest", "evaluate_confidence",
          "evaluate_calibration")  # fmt: skip
SHAPE, CLASSES = (3, 14, 10), 12


def colours(labelled: bool) -> data.Dataset:
    """Images of twelve hues with noise. labelled: else none of the test images is."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % CLASSES
    hues = torch.rand(CLASSES, 3, 1, 1, generator=draw)
    images = (255 * (hues[labels] + 0.1 * torch.rand(120, *SHAPE, generator=draw)).clamp(0, 1)).byte()
    test = labels[84:].clone() if labelled else torch.full((36,), -1)
    names = tuple(f"hue {i}" for i in range(CLASSES))
    return data.Dataset("digits", names, images[:84], labels[:84], images[84:], test)


@pytest.fixture
def project(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny study with colours in the place of digits, and a network of two names."""
    (workspace / "data").unlink()
    put(workspace, colours(labelled=True))
    (workspace / "src/own/plain.py").write_text(NETWORK)
    names = ["plain", "other"]
    lists = {"classifiers": names, "autoencoders": [], "attacked": names, "evolved": names, "openset_models": [],
             "unknown_models": []}  # fmt: skip
    lists |= without_studies("scored_datasets")
    options = {"fool_fgn.digits.models": {name: {} for name in names}, "fool_fgn.digits.updates": 3}
    options |= {f"models.{name}": {"network": "src/own/plain.py:Plain"} for name in names}
    options |= {"evaluate_scores.methods": {}, "evaluate_unknowns.once": {}}
    set_params(workspace / "params.yaml", lists | options)
    write_code(workspace, known=workspace)
    monkeypatch.chdir(workspace)
    return workspace


def put(workspace: Path, dataset: data.Dataset) -> None:
    file = workspace / "data/digits/tensors.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(data.stored(dataset), file, {"overgen": json.dumps({"classes": dataset.classes})})


def test_colours_go_through_the_attacks_and_their_report(project: Path, run_stage: Run) -> None:
    targets = attacked.sampled(CLASSES, 10, "digits")
    for stage in STAGES:
        for model in ("plain", "other"):
            run_stage(project, stage, model=model)
    for model in ("plain", "other"):
        run_stage(project, "evaluate_fooling", model=model)
    run_stage(project, "collect_fooling", model="attacked")
    _, metadata = registry.trained("digits", "plain")
    assert metadata["shape"] == list(SHAPE)
    cells = project / "reports/cells/digits"
    for stage in ("fool_fgn", "fool_gradient", "fool_evolution"):
        trials, shown = pd.read_csv(cells / stage / "plain/trials.csv"), read_npz(cells / stage / "plain/examples.npz")
        every = set(range(CLASSES)) if stage == "fool_evolution" else set(targets)  # of which each has a champion
        assert set(trials["target"]) == every
        assert shown["target"].tolist() == targets
        assert shown["image"].shape[1:] == (10, 14, 10, 3)
        kept = read_npz(cells / stage / "plain/successes.npz")
        rows = trials.iloc[kept["trial"]]
        assert len(rows)
        assert set(rows["target"]) <= set(targets)
        score = rows["score_in_8_bits"] if "score" not in kept else kept["score"]
        for seed in rows["seed"].unique():
            own = (rows["seed"] == seed).to_numpy()
            judged, _ = registry.trained("digits", "plain", int(seed))
            again = scores_of_images(judged, pictures.images(kept["image"][own]), np.zeros(own.sum()), beta=0, probes=1)
            np.testing.assert_allclose(again[np.arange(own.sum()), rows["target"][own]], score[own], rtol=1e-4)
    assert max(each.difference for each in rescore("digits", "plain", params.load("params.yaml"))) < 1e-3
    collected = read_npz(cells / "collect_fooling/attacked/examples.npz")
    assert collected["image"].shape[1:] == (14, 10, 3)
    assert set(collected["target"]) <= set(targets)
    seen = pd.read_csv(cells / "evaluate_fooling/plain/images.csv")
    assert set(seen["attacked"]) == {"other"}
    run_stage(project, "judge_by_eye", model="people")
    run_stage(project, "report")
    figures = project / "reports/digits/figures"
    for name in ("fooling_images", "gradient_images", "evolution_champions_plain"):
        assert (figures / f"{name}.png").is_file()


def test_large_images_are_shown_in_8_bits_with_the_scores_of_these(
    project: Path, run_stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacked, "LARGE", 3 * 14 * 10 - 1)
    run_stage(project, "train_classifier", model="plain")
    settings = params.load("params.yaml")
    for stage in ("fool_fgn", "fool_gradient", "fool_evolution"):
        run_stage(project, stage, model="plain")
        shown = read_npz(f"reports/cells/digits/{stage}/plain/examples.npz")
        assert shown["image"].dtype == np.uint8
    assert max(each.difference for each in rescore("digits", "plain", settings)) < 1e-5  # float32


def test_test_images_without_a_label(project: Path, run_stage: Run) -> None:
    put(project, colours(labelled=False))
    for stage in ("train_classifier", "fool_fgn", "fool_gradient", "evaluate_confidence"):
        run_stage(project, stage, model="plain")
    rows = read_json("reports/cells/digits/evaluate_confidence/plain/metrics.json")["metrics"]
    untested = [row for row in rows if row["note"] == "not testable: no labels"]
    assert {row["metric"] for row in untested} >= {"thresholded_accuracy", "calibration_error"}
    assert all(row["reproduced"] is None for row in untested)
    (accuracy,) = read_json("reports/cells/digits/train_classifier/plain/metrics.json")["metrics"]
    assert (accuracy["reproduced"], accuracy["note"]) == (None, "not testable: no labels")


def test_the_papers_networks_name_their_shape_and_the_ways_out(project: Path, run_stage: Run) -> None:
    set_params(project / "params.yaml", {"classifiers": ["plain", "other", "cnn"]})
    write_code(project, known=project)
    done = run_stage(project, "train_classifier", model="cnn", check=False)
    assert done.returncode == 1
    assert "network 'cnn' takes images of 1 × 28 × 28, and those of data set digits are of 3 × 14 × 10" in done.stderr
    assert "adopt one that is trained" in done.stderr


def test_training_images_without_a_label_are_not_trained_on(project: Path, run_stage: Run) -> None:
    """Without them nothing is trained; among others they take no part, whatever they show."""
    source, written = colours(labelled=True), []
    source.train_labels[3:5] = -1
    for grey in (0, 255):
        source.train_images[3:5] = grey
        put(project, source)
        run_stage(project, "train_classifier", model="plain")
        written.append(Path("models/digits/networks/plain/seed0.safetensors").read_bytes())
    assert written[0] == written[1]
    source.train_labels[:] = -1
    put(project, source)
    done = run_stage(project, "train_classifier", model="plain", check=False)
    assert done.returncode == 1
    assert "data set digits: of 0 training images 0 have a label, and plain cannot be trained" in done.stderr
