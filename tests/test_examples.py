"""The stored examples of attacks: read in one form, scored again, and shown to networks that were not attacked."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import OvergenError, audit, cli
from overgen.attacks import evidence
from overgen.confidence import ScaledOutput
from overgen.measures.thresholds import Threshold
from overgen.models import registry
from overgen.run import params
from overgen.run.files import read_npz, write_npz
from overgen.stages.evaluate_fooling import run as evaluate_fooling

from conftest import ROOT, set_params

THRESHOLDS = [Threshold(tau=0.9, alpha=20.0), Threshold(tau=0.99, alpha=3.0), Threshold(tau=0.99, alpha=2.0)]


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, 28, 28)).astype(np.float32)


def test_every_attack_is_read_in_one_form(tmp_path: Path) -> None:
    folders = {attack: tmp_path / attack / "net" for attack in evidence.ATTACKS}
    pictures = image(2, 3)
    common = {"image": pictures, "score": np.arange(6).reshape(2, 3) / 10, "fooled": np.eye(2, 3, dtype=bool)}
    pairs = {"tau": np.array([0.9, 0.99]), "alpha": np.array([20.0, 3.0])}
    write_npz(folders["fool_fgn"] / "examples.npz", **common, **pairs, objective=np.array(["y", "scaled"]))
    write_npz(folders["fool_gradient"] / "examples.npz", **common, **pairs, start=np.array(["noise", "mean_image"]))
    evolved = {"encoding": np.array(["direct", "direct", "cppn"]), "generation": np.array([0, 9, 4]),
               "image": np.concatenate([pictures, 1 - pictures[:1]]),
               "confidence": np.array([[1, 1, 1], [0.995, 0.5, 1], [0, 1, 0.5]])}  # fmt: skip
    write_npz(folders["fool_evolution"] / "examples.npz", **evolved)

    found, same = evidence.stored(folders["fool_fgn"], THRESHOLDS, evolution_alpha=2.0)
    assert np.array_equal(same, pictures.reshape(6, 28, 28))
    assert found["attack"].unique().tolist() == ["fool_fgn"]
    assert found["variant"].tolist() == ["y"] * 3 + ["scaled"] * 3
    assert found[["tau", "alpha"]].to_numpy().tolist() == [[0.9, 20]] * 3 + [[0.99, 3]] * 3
    assert found["target"].tolist() == [0, 1, 2] * 2
    assert found["score"].tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert found["fooled"].tolist() == [True, False, False, False, True, False]
    found, _ = evidence.stored(folders["fool_gradient"], THRESHOLDS, evolution_alpha=2.0)
    assert found["variant"].tolist() == ["noise"] * 3 + ["mean_image"] * 3
    # of the gradient attack every success is evidence, as the picture that it is, which may fool no more
    write_npz(folders["fool_gradient"] / "successes.npz", trial=np.array([1, 3]),
              image=np.array([0, 255], np.uint8).repeat(784).reshape(2, 28, 28))  # fmt: skip
    trials = pd.DataFrame({"tau": [0.9, 0.9, 0.99, 0.99], "alpha": [20.0, 20, 3, 3], "target": [0, 2, 1, 2],
                           "seed": [0, 0, 1, 1],
                           "start": ["noise"] * 3 + ["mean_image"], "score_in_8_bits": [np.nan, 0.91, np.nan, 0.98]}
                          )  # fmt: skip
    trials.to_csv(folders["fool_gradient"] / "trials.csv")
    every, seen = evidence.evidence(folders["fool_gradient"], THRESHOLDS, evolution_alpha=2.0)
    assert every.columns.tolist() == found.columns.tolist()
    assert every.iloc[:4].equals(found[~found["fooled"]].reset_index(drop=True))
    assert every.iloc[4:].to_numpy().tolist() == [
        ["fool_gradient", "noise", 0.9, 20.0, 2, 0.91, True], ["fool_gradient", "mean_image", 0.99, 3.0, 2, 0.98, False]
    ]  # fmt: skip
    assert np.array_equal(seen[:4], pictures.reshape(6, 28, 28)[~found["fooled"]])
    assert [seen[4].max(), seen[5].min()] == [0, 1]
    one, image_of_one = evidence.successes(folders["fool_gradient"], seed=1)  # `overgen check` has weights of a seed
    assert one.equals(every.iloc[5:].reset_index(drop=True))
    assert np.array_equal(image_of_one, seen[5:])
    # so is it of the FGN, at each pair that a trial passed; not of its variants, of which there are no examples
    write_npz(folders["fool_fgn"] / "successes.npz", trial=np.array([0, 2, 0]), tau=np.array([0.9, 0.9, 0.99]),
              alpha=np.array([20.0, 20, 2]), score=np.array([0.91, 0.92, 0.98]),
              image=np.array([0, 65535, 13107], np.uint16).repeat(784).reshape(3, 28, 28))  # fmt: skip
    trials = pd.DataFrame({"seed": 0, "objective": ["y", "scaled", "lr_1e-3"], "target": [0, 1, 2]})
    trials.to_csv(folders["fool_fgn"] / "trials.csv")
    every, seen = evidence.evidence(folders["fool_fgn"], THRESHOLDS, evolution_alpha=2.0)
    assert every.iloc[4:].to_numpy().tolist() == [
        ["fool_fgn", "y", 0.9, 20.0, 0, 0.91, True], ["fool_fgn", "y", 0.99, 2.0, 0, 0.98, False]
    ]  # fmt: skip
    assert [seen[4].max(), float(seen[5].max())] == [0, pytest.approx(0.2)]
    every, seen = evidence.successes(folders["fool_fgn"])
    assert every["variant"].tolist() == ["y", "lr_1e-3", "y"]
    assert every["score"].tolist() == [0.91, 0.92, 0.98]
    assert len(seen) == 3
    # and of the evolution, of every run
    write_npz(folders["fool_evolution"] / "successes.npz", trial=np.array([1, 2]), tau=np.full(2, 0.99),
              alpha=np.full(2, 2.0), score=np.array([0.995, 0.999]),
              image=np.array([0, 65535], np.uint16).repeat(784).reshape(2, 28, 28))  # fmt: skip
    trials = pd.DataFrame({"encoding": ["direct", "direct", "cppn"], "seed": 0, "run": [0, 1, 0], "target": [0, 1, 2],
                           "confidence": [0.5, 0.995, 0.999]})  # fmt: skip
    trials.to_csv(folders["fool_evolution"] / "trials.csv")
    every, seen = evidence.evidence(folders["fool_evolution"], THRESHOLDS, evolution_alpha=2.0)
    assert every.iloc[-2:].to_numpy().tolist() == [
        ["fool_evolution", "direct", 0.99, 2.0, 1, 0.995, True], ["fool_evolution", "cppn", 0.99, 2.0, 2, 0.999, True]
    ]  # fmt: skip
    assert every["fooled"].sum() == 2
    assert [seen[-2].max(), seen[-1].min()] == [0, 1]
    found, same = evidence.stored(folders["fool_evolution"], THRESHOLDS, evolution_alpha=2.0)
    assert np.array_equal(same, np.concatenate([pictures[1], 1 - pictures[0]]))  # of each encoding's last generation
    assert found["variant"].tolist() == ["direct"] * 3 + ["cppn"] * 3
    assert found[["tau", "alpha"]].to_numpy().tolist() == [[0.99, 2]] * 6
    assert found["fooled"].tolist() == [True, False, True, False, True, False]


def test_a_witness_by_hand() -> None:
    table = pd.DataFrame({
        "attack": "fool_gradient", "attacked": ["cnn"] * 5 + ["dae"] * 2, "tau": [0.9] * 7,
        "fooled": [True, True, True, True, False, False, False], "target": [0, 1, 2, 3, 4, 5, 6],
        "seen": [0, 1, 2, 9, 4, 5, 6], "witness_score": [0.95, 0.85, 0.9, 0.99, 0.99, 0.99, 0.99],
    })  # fmt: skip
    rows = {row["metric"]: row for row in evaluate_fooling.rows(table)}
    seen = rows["seen_as_target_rate@attack=gradient@attacked=cnn"]
    assert (seen["reproduced"], seen["n"], seen["tau"]) == (75, 4, 0.9)  # the fifth did not fool
    assert rows["accepted_as_target_rate@attack=gradient@attacked=cnn"]["reproduced"] == 25  # 0.9 is not above 0.9
    none = rows["seen_as_target_rate@attack=gradient@attacked=dae"]
    assert (none["reproduced"], none["n"]) == (None, 0)


def test_a_committed_witness_judges_others_by_its_own_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = pd.read_csv("reports/cells/mnist/evaluate_fooling/dae_sym/images.csv")
    assert set(table["attacked"]) == {"cnn", "cool", "dae_asym"}  # not itself
    assert (table.groupby(["attack", "attacked", "tau"])["alpha"].nunique() == 1).all()  # the paper's, not further ones
    settings = params.load()
    network, _ = registry.trained("mnist", "dae_sym")
    folder = Path("reports/cells/mnist/fool_gradient/cnn")
    stored, pictures = evidence.evidence(folder, settings.confidence["mnist"].thresholds, evolution_alpha=3)
    mine = table[(table["attack"] == "fool_gradient") & (table["attacked"] == "cnn")]
    assert mine["target"].tolist() == stored["target"].tolist()
    for tau, alpha in ((0.9, 20.0), (0.99, 3.0)):
        x = torch.from_numpy(pictures[(stored["tau"] == tau).to_numpy()])[:, None]
        y = ScaledOutput(network, alpha=alpha, beta=10)(x).exp().max(1)
        found = mine[mine["tau"] == tau]
        assert found["seen"].tolist() == y.indices.tolist()
        assert found["witness_score"].to_numpy() == pytest.approx(y.values.numpy(), abs=1e-5)


def test_the_smallest_budget_counts() -> None:
    assert evaluate_fooling.smallest([{"a": 3, "b": 1}, {"a": 2, "c": 5}]) == {"a": 2, "b": 1, "c": 5}


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_every_committed_example_scores_as_stored(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    settings = params.load()
    for model in settings.evolved:
        found = audit.rescore(dataset, model, settings)
        attacks = evidence.ATTACKS if model in settings.attacked else ["fool_evolution"]
        assert [cell.cell for cell in found] == [f"reports/cells/{dataset}/{a}/{model}" for a in attacks]
        for cell in found:
            kept = read_npz(Path(cell.cell) / "successes.npz")
            assert cell.images >= 10 + len(kept["trial"])  # the examples and every success
            assert cell.difference < 1e-5, cell.cell


def test_every_committed_image_of_variants_and_perceptrons_scores_as_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    settings = params.load()
    found = [cell for model in settings.variants for cell in audit.rescore("mnist", model, settings)]
    assert [cell.cell for cell in found] == [
        f"reports/cells/mnist/fool_variants/{model}" for model in settings.variants
    ]
    for cell in [*found, audit.rescore_perceptrons("mnist")]:
        assert cell.images >= 10 + len(read_npz(Path(cell.cell) / "successes.npz")["trial"])
        assert cell.difference < 1e-5, cell.cell


def test_every_committed_success_is_saved() -> None:
    """As many pictures as trials that passed, at each pair; of their trials, and above its τ but for the rounding."""
    stages = {*evidence.FGN, *evidence.ATTACKS}
    cells = [path for stage in sorted(stages) for path in (ROOT / "reports/cells").glob(f"*mnist/{stage}/*")]
    assert len(cells) == 2 * 4 + 4 + 2 * 4 + 2 * 5
    for cell in cells:
        trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
        if cell.parent.name == "fool_gradient":
            assert kept["trial"].tolist() == np.flatnonzero(trials["step"].notna()).tolist()
            continue
        if cell.parent.name == "fool_evolution":
            (tau,) = set(kept["tau"].tolist())
            fooled = trials["confidence"] > tau
            assert kept["trial"].tolist() == np.flatnonzero(fooled).tolist()
            assert kept["score"] == pytest.approx(trials["confidence"].to_numpy()[kept["trial"]], abs=1e-5)
            assert trials["score_in_8_bits"].notna().tolist() == fooled.tolist()
            assert len(kept["image"]) == len(kept["trial"])
            continue
        passed = []
        for column in (name for name in trials if name.startswith("step@")):
            tau, alpha = (float(part.partition("=")[2]) for part in column.removeprefix("step@").split(","))
            passed += [(trial, tau, alpha) for trial in np.flatnonzero(trials[column].notna()).tolist()]
        assert list(zip(*(kept[name].tolist() for name in ("trial", "tau", "alpha")), strict=True)) == passed, cell
        assert (kept["score"] > kept["tau"] - 1e-5).all(), cell
        assert len(kept["image"]) == len(passed)


def test_a_score_that_is_not_the_networks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = params.load(ROOT / "params.yaml")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    # Szegedy's networks: see test_perceptrons; variants: not copied here
    set_params(tmp_path / "params.yaml", {"szegedy_datasets": [], "variant_datasets": []})
    for model in settings.evolved:
        weights = f"models/mnist/{model}"
        shutil.copytree(ROOT / weights, weights, ignore=shutil.ignore_patterns("members", "openset", "oneclass"))
        for attack in evidence.ATTACKS if model in settings.attacked else ["fool_evolution"]:
            shutil.copytree(ROOT / f"reports/cells/mnist/{attack}/{model}", f"reports/cells/mnist/{attack}/{model}")
    cli.check(tolerance=1e-5)
    assert "fashion_mnist: no cells here" in capsys.readouterr().out
    changed = Path("reports/cells/mnist/fool_fgn/cnn/examples.npz")
    arrays = read_npz(changed)
    arrays["score"][0, 3] -= 2e-5
    write_npz(changed, **arrays)
    with pytest.raises(OvergenError, match=r"reports/cells/mnist/fool_fgn/cnn \(2\.0e-05\)\. If") as caught:
        cli.check(tolerance=1e-5)
    assert str(caught.value).count("reports/cells") == 1
    cli.check(tolerance=1e-4)
