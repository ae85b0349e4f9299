"""The stored images of attacks, read in one form, and as many as there are successes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overgen.attacks import evidence
from overgen.measures.thresholds import Threshold
from overgen.run.files import read_npz, write_npz

from workspace import ROOT

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


def test_every_committed_success_is_saved() -> None:
    """As many pictures as trials that passed, at each pair; of their trials, and above its τ but for the rounding."""
    stages = evidence.ATTACKED
    cells = [path for stage in sorted(stages) for path in (ROOT / "reports/cells").glob(f"*mnist/{stage}/*")]
    assert len(cells) == 2 * 4 + 6 + 2 * 4 + 2 + 2 * 5
    no_longer = []  # cells with images that no longer fool once they are saved, for each image
    for cell in cells:
        trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
        if cell.parent.name in evidence.GRADIENT:
            assert kept["trial"].tolist() == np.flatnonzero(trials["step"].notna()).tolist()
            continue
        if cell.parent.name == "fool_evolution":
            (tau,) = set(kept["tau"].tolist())
            fooled = trials["confidence"] > tau
            assert kept["trial"].tolist() == np.flatnonzero(fooled).tolist()
            assert kept["score"] == pytest.approx(trials["confidence"].to_numpy()[kept["trial"]], abs=1e-5)
            assert trials["score_in_8_bits"].notna().tolist() == fooled.tolist()
            assert trials["score_in_16_bits"].dropna().tolist() == kept["score"].tolist()
            assert (kept["score"] > tau).all()
            assert len(kept["image"]) == len(kept["trial"])
            continue
        passed = []
        for column in (name for name in trials if name.startswith("step@")):
            tau, alpha = (float(part.partition("=")[2]) for part in column.removeprefix("step@").split(","))
            in_16_bits = trials[column.replace("step@", "score_in_16_bits@")].dropna()
            at_pair = (kept["tau"] == tau) & (kept["alpha"] == alpha)
            assert in_16_bits.tolist() == kept["score"][at_pair].tolist()
            no_longer += [cell] * int((in_16_bits <= tau).sum())
            passed += [(trial, tau, alpha) for trial in np.flatnonzero(trials[column].notna()).tolist()]
        assert list(zip(*(kept[name].tolist() for name in ("trial", "tau", "alpha")), strict=True)) == passed, cell
        assert (kept["score"] > kept["tau"] - 1e-5).all(), cell
        assert len(kept["image"]) == len(passed)
    assert (len(no_longer), len(set(no_longer))) == (82, 10)  # as docs/pipeline.md says
