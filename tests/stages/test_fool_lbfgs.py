"""The stage fool_lbfgs on the tiny study, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from overgen import OvergenError, data
from overgen.models import registry, weights
from overgen.rescoring import rescore_perceptrons
from overgen.run import params
from overgen.run.files import read_npz, write_npz
from overgen.run.streams import generator
from overgen.stages.fool_lbfgs import params as fool_lbfgs_params

from processes import Run
from workspace import TINY, Study, set_params

NAMES = list(TINY["perceptrons"])  # type: ignore[call-overload]


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator("images"), dtype=torch.uint8)


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
        rms = (x[:, 0].double() - original[:, 0].double() / 255).square().mean((1, 2)).sqrt().numpy()
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
