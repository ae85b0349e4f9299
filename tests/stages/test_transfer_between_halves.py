"""The stage transfer_between_halves on the tiny study, and its section of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from overgen import data, rescoring
from overgen.models import registry
from overgen.run.files import read_json, read_npz, write_npz
from overgen.stages.transfer_between_halves import report, run, summary
from overgen.stages.transfer_between_halves.params import TransferBetweenHalves
from report_study import changed, study_of

from processes import Run
from workspace import TINY, Study, set_params

SECTION: dict[str, Any] = TINY["transfer_between_halves.digits"]  # type: ignore[assignment]
NAMES, OTHER = list(SECTION["networks"]), "fc16_10_other_half"
FOLDER = Path("reports/cells/digits/transfer_between_halves/perceptrons")


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    """A workspace in which the stage has run."""
    study.cell("transfer_between_halves", "perceptrons")
    return study.copy(tmp_path_factory.mktemp("halves") / "workspace")


def metrics(cell: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["model"], row["metric"]): row for row in read_json(cell / FOLDER / "metrics.json")["metrics"]}


def test_sections_that_compare_nothing_are_refused() -> None:
    one_half = {name: network | {"half": 0} for name, network in SECTION["networks"].items()}
    with pytest.raises(ValidationError, match="all are on one half"):
        TransferBetweenHalves.model_validate(SECTION | {"networks": one_half})
    with pytest.raises(ValidationError, match=r"noise: lacks \[0.1\]"):
        TransferBetweenHalves.model_validate(SECTION | {"noise": [0.06]})


def test_halves_are_disjoint_hold_every_image_and_differ_by_seed(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    source = data.load("digits")
    first, second = run.halves(source, 0)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(source.train_labels)))
    assert 0 <= len(second) - len(first) <= 1
    assert set(first.tolist()) != set(run.halves(source, 1)[0].tolist())


def test_errors_are_those_of_the_published_weights(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    source, found = data.load("digits"), metrics(cell)
    for name in NAMES:
        wrong: dict[str, list[int]] = {"test_error": [], "error@first-half": [], "error@second-half": []}
        for seed in SECTION["seeds"]:
            path = Path(f"models/digits/halves/perceptrons/{name}-seed{seed}.safetensors")
            network, _ = registry.load(path, dataset="digits", model=name, seed=seed)
            seen = network(data.floats(source.train_images)).log_y.argmax(1) != source.train_labels
            for text, rows in zip(list(wrong)[1:], run.halves(source, seed), strict=True):
                wrong[text].append(int(seen[rows].sum()))
            tested = network(data.floats(source.test_images)).log_y.argmax(1)
            wrong["test_error"].append(int((tested != source.test_labels).sum()))
        for text, counts in wrong.items():
            assert found[name, text]["reproduced"] == pytest.approx(100 * sum(counts) / found[name, text]["n"])
        own, other = ("error@second-half", "error@first-half") if name == OTHER else list(wrong)[1:]
        assert found[name, own]["reproduced"] < found[name, other]["reproduced"]


def test_labels_and_errors_are_those_of_the_kept_images(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    source, found = data.load("digits"), metrics(cell)
    trials, kept = pd.read_csv(FOLDER / "trials.csv"), read_npz(FOLDER / "successes.npz")
    assert trials.groupby(["seed", "network"]).size().to_dict() == {(s, n): 4 for s in (0, 1) for n in NAMES}
    trials["image"] = pd.Series(list(kept["image"]), index=kept["trial"])
    shown = trials[trials["found"]].reset_index()
    assert shown["index"].tolist() == trials.loc[kept["trial"], "index"].tolist()
    wrong = {(made_for, judge): 0 for made_for in NAMES for judge in NAMES}
    for row in shown.to_dict("records"):
        image, original = row["image"], source.test_images[row["index"], 0].numpy() / 255
        assert row["distortion"] == pytest.approx(np.sqrt(np.square(image - original).mean()), rel=1e-4)
        assert row[f"{row['network']}:smallest"] == row["target"] != row["label"] == row[f"{row['network']}:unchanged"]
        for judge in NAMES:
            network, _ = registry.load(f"models/digits/halves/perceptrons/{judge}-seed{row['seed']}.safetensors")
            seen = int(network(torch.from_numpy(image)[None, None]).log_y.argmax())
            assert seen == row[f"{judge}:smallest"]
            wrong[row["network"], judge] += seen != row["label"]
    for (made_for, judge), count in wrong.items():
        line = found[judge, f"error@made_for={made_for}"]
        if line["n"] == (shown["network"] == made_for).sum():
            assert line["reproduced"] == pytest.approx(100 * count / line["n"])
    assert found[NAMES[0], f"error@made_for={NAMES[0]}"]["reproduced"] == 100
    assert found[NAMES[0], f"error@made_for={NAMES[0]}@rms=0"]["reproduced"] == 0


def test_forms_have_the_distortions_that_they_are_named_for(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    source, settings = data.load("digits"), TransferBetweenHalves.model_validate(SECTION)
    index = torch.arange(3)
    original = data.floats(source.test_images[index]).flatten(1).double()
    draws = torch.randn(3, 784, generator=torch.Generator().manual_seed(0))
    arrays = {"index": index.numpy(), "image": (original.float() + 0.01 * draws).view(3, 28, 28).clamp(0, 1).numpy()}
    forms = summary.forms_of(arrays, np.array([0, 2]), source, settings)
    assert set(forms) == {"unchanged", "smallest", "rms=0.1", "noise=0.1"}
    for form in ("rms=0.1", "noise=0.1"):
        rms = (forms[form] - original[[0, 2]]).square().mean(1).sqrt()
        torch.testing.assert_close(rms, torch.full((2,), 0.1, dtype=torch.float64), rtol=1e-6, atol=0)
        assert bool(((forms[form] >= 0) & (forms[form] <= 1)).all())
    small = summary.noise_of(source, index, 0.02) - original
    large = summary.noise_of(source, index, 0.04) - original
    inside = (summary.noise_of(source, index, 0.04) > 0) & (summary.noise_of(source, index, 0.04) < 1)
    ratio = (large / small)[inside]
    assert float(ratio.min()) > 1.5  # one direction for all sizes
    free = summary.noise_of(source, index, 0.1, inside=False) - original
    assert float(free.std()) == pytest.approx(0.1, rel=0.05)
    assert abs(float(free.mean())) < 0.01 < float((forms["noise=0.1"] - original[[0, 2]]).mean())
    assert bool(((free > 0) == (large > 0))[inside].all())


def test_the_claims_are_about_pairs(cell: Path) -> None:
    trials, found = pd.read_csv(cell / FOLDER / "trials.csv"), metrics(cell)
    own = trials[(trials["network"] == NAMES[0]) & trials["found"]]
    wrong = {column: own[column] != own["label"] for column in own if ":" in column}
    more = (wrong[f"{OTHER}:rms=0.1"].astype(int) - wrong[f"{OTHER}:noise=0.1"]).groupby(own["seed"]).mean()
    row = found[OTHER, f"more_than_noise@made_for={NAMES[0]}@rms=0.1"]
    assert (row["reproduced"], row["n"]) == (pytest.approx(100 * more.mean()), len(own))
    near = (wrong[f"{NAMES[1]}:rms=0.1"].astype(int) - wrong[f"{OTHER}:rms=0.1"]).groupby(own["seed"]).mean()
    row = found[NAMES[1], f"same_half_more@made_for={NAMES[0]}@other={OTHER}@rms=0.1"]
    assert row["reproduced"] == pytest.approx(100 * near.mean())


def test_images_are_scored_again(cell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cell)
    again = rescoring.rescore_seeds("digits", "transfer_between_halves")
    kept = read_npz(FOLDER / "successes.npz")
    assert (again.images, again.cell) == (len(kept["trial"]), FOLDER.as_posix())
    assert again.difference < 1e-6
    before = (FOLDER / "successes.npz").read_bytes()
    kept["image"][-1, 5:9] = 0.5
    write_npz(FOLDER / "successes.npz", **kept)
    try:
        assert rescoring.rescore_seeds("digits", "transfer_between_halves").difference > 1e-4
    finally:
        (FOLDER / "successes.npz").write_bytes(before)


def test_a_network_that_labels_too_little_right_is_named(cell: Path, run_stage: Run) -> None:
    before = (cell / "params.yaml").read_text()
    set_params(cell / "params.yaml", {"transfer_between_halves.digits.images": 501})
    try:
        done = run_stage(cell, "transfer_between_halves", model="perceptrons", check=False)
    finally:
        (cell / "params.yaml").write_text(before)
    assert done.returncode == 1
    assert "transfer_between_halves.digits.images: 501, but fc16_10-seed0 labels only" in done.stderr


def test_the_table_has_each_network_on_the_examples_of_each_and_on_noise(tmp_path: Path) -> None:
    study = study_of(tmp_path, transfer_between_halves="perceptrons")
    text = report.halves_transfer(study).markdown
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert [line[0] for line in lines if line[0]] == [
        "FC100-100-10",
        "FC123-456-10",
        "FC100-100-10 (other half)",
        "Gaussian noise, kept in [0, 1]",
        "Gaussian noise, not kept in it",
    ]
    assert [line[1] for line in lines] == ["smallest", "0.1"] * 3 + ["0.06", "0.1"] * 2
    smallest, magnified = lines[0][2:5], lines[1][2:5]
    assert smallest[0].startswith("100.0")
    assert smallest[1].startswith("26.2 → 0.0")
    assert magnified[2].startswith("43 → 0.0")
    for line in (lines[-3], lines[-1]):
        assert [cell.partition(" ")[0] for cell in line[2:5]] == ["2.7", "2.7", "2.7"]
    further = report.halves_further(study).markdown.splitlines()[2:]
    assert [line.split("|")[2].strip() for line in further] == ["none"] * 3


def test_both_claims_hang_on_the_whole_interval(tmp_path: Path) -> None:
    study = study_of(tmp_path, transfer_between_halves="perceptrons")
    for metric, claim in (
        ("more_than_noise", report.passes_to_other_images), ("same_half_more", report.images_over_architecture)
    ):  # fmt: skip
        for low, high, verdict in ((1, 9, "holds"), (-9, -1, "contradicted"), (-1, 9, "cannot tell")):
            found = claim(changed(study, {"metric": metric}, reproduced=(low + high) / 2, low=low, high=high))
            assert found is not None
            assert found.verdict == verdict
