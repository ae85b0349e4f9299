"""The stage fool_smallest: its numbers by hand, a linear network whose least changes are known, and its cell."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import OvergenError, data, rescoring
from overgen.attacks.attacked import Block
from overgen.attacks.lbfgs import least_of_linear
from overgen.models import Output, registry, weights
from overgen.run.files import read_json, read_npz, write_npz
from overgen.run.params import load
from overgen.stages.fool_smallest import run, summary
from overgen.stages.fool_smallest.params import FoolSmallest

from attacking import Linear
from workspace import ROOT, Study, inside

SETTINGS = FoolSmallest(images=20, c=1.0, bisections=8, iterations=100, block=20)


def attacked_by(source: data.Dataset) -> Any:
    return SimpleNamespace(source=source, dataset="digits", model="linear", classes=10, chunk=50,
                           stage=SimpleNamespace(device=torch.device("cpu")))  # fmt: skip


def table(change: list[float], label: list[int]) -> pd.DataFrame:
    fooled = [not math.isnan(each) for each in change]
    seen = pd.array([3 if each else None for each in fooled], dtype="Int64")
    return pd.DataFrame({"seed": 0, "label": label, "target": 3, "fooled": fooled, "change": change,
                         "seen_in_8_bits": seen})  # fmt: skip


def test_medians_count_what_could_not_be_changed_as_farthest() -> None:
    found = {row["metric"]: row for row in summary.rows(table([1.0, 2.0, math.nan, 4.0, 8.0], [0, 0, 1, 1, 2]), 16)}
    assert (found["fooling_rate"]["reproduced"], found["fooling_rate"]["n"]) == (80, 5)
    assert found["fooling_rate_in_8_bits"]["reproduced"] == 80
    assert (found["median_smallest_change"]["reproduced"], found["median_smallest_change"]["n"]) == (4, 5)
    assert found["median_distortion"]["reproduced"] == 1  # 4 / √16
    assert (found["mean_smallest_change"]["reproduced"], found["mean_smallest_change"]["n"]) == (3.75, 4)
    low, high = (found["mean_smallest_change"][end] for end in ("low", "high"))
    assert 0 <= low < 3.75 < high
    none = {row["metric"]: row for row in summary.rows(table([1.0, math.nan, math.nan], [0, 1, 2]), 16)}
    assert none["median_distortion"]["reproduced"] is None
    assert none["mean_smallest_change"]["reproduced"] == 1


def test_where_no_image_is_labelled_right_nothing_is_testable(tmp_path: Path) -> None:
    images, changed = summary.gather([], [], (1, 4, 4))
    rows = summary.rows(images, 16)
    assert {row["metric"] for row in rows} == {row["metric"] for row in summary.rows(table([1.0, 2.0], [0, 1]), 16)}
    assert all((row["reproduced"], row["n"]) == (None, 0) for row in rows)
    assert all("labels no test image right" in row["note"] for row in rows)
    examples = summary.examples(images, changed, torch.zeros(5, 1, 4, 4, dtype=torch.uint8))
    for name, arrays in (("examples", examples), ("successes", summary.successes(images, changed))):
        write_npz(tmp_path / f"{name}.npz", **arrays)
        assert all(len(array) == 0 for array in read_npz(tmp_path / f"{name}.npz").values())


def test_of_a_linear_network_the_changes_are_hardly_larger_than_the_least(study: Study) -> None:
    network = Linear(classes=10)
    network.weight *= 10  # the surer a network is, the nearer the loss's minimum is to the border
    with inside(study.root):
        study.cell("download")
        source = data.load("digits")
    seen = network(data.floats(source.test_images)).log_y.argmax(1)
    attacked = attacked_by(digits_with(source, seen))
    index = run.chosen(attacked, network, 12)
    arrays = run.attack(attacked, SETTINGS, network, Block("block0", 0, None, index))
    assert arrays["fooled"].all()
    weight, bias = network.weight.T.numpy(), np.zeros(10)
    images = data.floats(source.test_images[index]).flatten(1).numpy()
    least = np.array(
        [least_of_linear(x, weight, bias, target) for x, target in zip(images, arrays["target"], strict=True)]
    )
    ratio = arrays["change"] / least
    assert ratio.min() > 0.999
    assert ratio.mean() < 1.1
    again = network(torch.from_numpy(arrays["image"])).log_y
    assert again.argmax(1).tolist() == arrays["target"].tolist()
    assert (arrays["target"] != arrays["label"]).all()


def digits_with(source: data.Dataset, labels: torch.Tensor) -> Any:
    return SimpleNamespace(**{name: getattr(source, name) for name in ("name", "classes", "test_images")},
                           test_labels=labels)  # fmt: skip


def test_images_are_those_labelled_right_spread_over_the_classes(study: Study) -> None:
    network = Linear(classes=10)
    with inside(study.root):
        study.cell("download")
        source = data.load("digits")
    seen = network(data.floats(source.test_images)).log_y.argmax(1)
    wrong = (seen + 1) % 10
    half = torch.arange(len(seen)) % 2 == 0
    index = run.chosen(attacked_by(digits_with(source, torch.where(half, seen, wrong))), network, 10)
    assert all(i % 2 == 0 for i in index)
    present = len(seen[half].unique())
    assert len(set(seen[index].tolist())) == min(10, present)
    unlabelled = torch.full_like(seen, -1)  # what the network sees counts then
    assert len(run.chosen(attacked_by(digits_with(source, unlabelled)), network, 10_000)) == len(seen)
    assert run.chosen(attacked_by(digits_with(source, wrong)), network, 10) == []


def test_a_score_that_is_no_number_is_no_success(study: Study) -> None:
    class Broken(Linear):
        def forward(self, x: torch.Tensor) -> Output:
            return Output(super().forward(x).log_y * torch.nan, None)

    with inside(study.root):
        study.cell("download")
        source = data.load("digits")
    attacked = attacked_by(source)
    with pytest.raises(OvergenError, match=r"digits/linear, seed 0: .*not finite"):
        run.attack(attacked, SETTINGS, Broken(classes=10), Block("block0", 0, None, [0, 1]))


def test_the_cell_of_the_stage(study: Study) -> None:
    cell, root = study.cell("fool_smallest", "cnn"), study.root
    trials, examples = pd.read_csv(cell / "trials.csv"), read_npz(cell / "examples.npz")
    assert len(trials) == 2 * 4  # seeds × images
    kept = read_npz(cell / "successes.npz")
    assert kept["trial"].tolist() == np.flatnonzero(trials["fooled"]).tolist()
    assert kept["image"].dtype == np.uint16
    found = {row["metric"]: row for row in read_json(cell / "metrics.json")["metrics"]}
    assert found["fooling_rate"]["reproduced"] == pytest.approx(100 * trials["fooled"].mean())
    assert found["mean_distortion"]["reproduced"] == pytest.approx(trials["change"].mean() / 28)
    for seed in (0, 1):
        network, _ = registry.load(root / weights.weights_path("digits", "cnn", seed), seed=seed)
        rows = np.flatnonzero((trials["seed"] == seed) & trials["fooled"])
        pictures = torch.from_numpy((kept["image"][np.isin(kept["trial"], rows)] / 65535).astype(np.float32))
        score = network(pictures[:, None]).log_y.exp().numpy()[np.arange(len(rows)), trials.loc[rows, "target"]]
        np.testing.assert_allclose(trials.loc[rows, "score_in_16_bits"], score, atol=1e-5)
    change = np.linalg.norm(
        (examples["image"] - examples["original"] / 255).reshape(len(examples["change"]), -1), axis=1
    )
    fooled = examples["fooled"]
    np.testing.assert_allclose(change[fooled], examples["change"][fooled], atol=1e-4)


def test_the_kept_pictures_score_again_as_stored(study: Study, tmp_path: Path) -> None:
    study.cell("fool_smallest", "cnn")
    root = study.copy(tmp_path / "workspace")
    with inside(root):
        settings = load()
        found = rescoring.rescore_smallest("digits", "cnn", settings)
        assert found.images > 0
        assert found.difference < 1e-5
        kept = read_npz(Path(found.cell) / "successes.npz")
        kept["image"] = 65535 - kept["image"]
        write_npz(Path(found.cell) / "successes.npz", **kept)
        assert rescoring.rescore_smallest("digits", "cnn", settings).difference > 0.01


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_foolbox_finds_no_much_smaller_changes_of_the_published_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """DDN, minimal in L2 and towards the same classes, on the images that the committed cell shows."""
    import foolbox

    monkeypatch.chdir(ROOT)
    examples = read_npz(ROOT / "reports/cells/mnist/fool_smallest/cnn/examples.npz")
    network, _ = registry.trained("mnist", "cnn")

    class Scores(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return network(x).log_y

    fooled = examples["fooled"]
    images = torch.from_numpy(examples["original"][fooled].astype(np.float32) / 255)[:, None]
    target = torch.from_numpy(examples["target"][fooled])
    model = foolbox.PyTorchModel(Scores().eval(), bounds=(0, 1))
    attack = foolbox.attacks.DDNAttack(steps=200)
    _, clipped, success = attack(model, images, foolbox.criteria.TargetedMisclassification(target), epsilons=None)
    both = success & clipped.flatten(1).any(1)  # foolbox 3.3.4 also calls a black image a success: it found none
    ratio = torch.from_numpy(examples["change"][fooled])[both] / (clipped - images).flatten(1).norm(dim=1)[both]
    assert int(both.sum()) >= 8
    assert float(ratio.mean()) < 1.05
