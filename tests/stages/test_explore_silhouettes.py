"""The stage explore_silhouettes, its letters, and its claims."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from overgen.data import animals, letters
from overgen.measures.intervals import wilson
from overgen.report.claims import Claim
from overgen.report.study import read_study
from overgen.run.streams import generator
from overgen.stages.explore_silhouettes import report, summary
from report_study import BANDS, plan_of

from made_up import example_cell
from processes import Run
from workspace import ROOT, Study, set_params


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_letters_lie_in_the_box_of_digits(seed: int) -> None:
    images, numbers = letters.letters(1, torch.Generator().manual_seed(seed))
    again, _ = letters.letters(1, torch.Generator().manual_seed(seed))
    np.testing.assert_array_equal(images, again)
    assert numbers.tolist() == list(range(26))
    for image in images:
        rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert letters.LEAST - 1 <= max(sides) <= letters.BOX
        for side in (rows, columns):
            assert abs(side[0] + side[-1] - 27) / 2 <= letters.SHIFT + 1


def test_letters_have_every_size_and_shift() -> None:
    whole = letters.placed(Image.new("L", (80, 40), 255), 18, 2, -1)  # 18 × 9, in the middle but for (2, −1)
    assert (np.flatnonzero(whole.any(0)) == np.arange(7, 25)).all()
    assert (np.flatnonzero(whole.any(1)) == np.arange(8, 17)).all()
    images, _ = letters.letters(8, generator("letters"))
    ends = np.array([[np.flatnonzero(image.any(axis))[[0, -1]] for axis in (0, 1)] for image in images])
    longest = (ends[..., 1] - ends[..., 0]).max(1) + 1
    assert {letters.LEAST + 1, letters.BOX - 1, letters.BOX} <= set(longest.tolist())
    off = ends.mean(2) - 13.5  # from the middle
    assert (off.min(0) <= -1.5).all()
    assert (off.max(0) >= 1.5).all()


def test_every_font_draws_every_letter_and_no_two_alike() -> None:
    for font in letters.FONTS:
        masks = [np.asarray(letters.mask(letter, font).resize((20, 20))) for letter in letters.LETTERS]
        assert len({mask.tobytes() for mask in masks}) == 26, font  # a font without letters would draw its box


def kind(count: int = 20) -> summary.Kind:
    return summary.Kind(np.zeros((3 * count, 28, 28), np.uint8), np.repeat(np.arange(3), count), ("A", "B", "C"))


def test_shares_are_means_over_letters_with_and_without_those_like_digits() -> None:
    of = kind()
    hits = np.concatenate([np.arange(20) < n for n in (20, 10, 0)])
    rows = {row["metric"]: row for row in summary.accepted_rows("cnn", "letters", ("y", 0.99, None), hits, of)}
    whole, unlike = rows["accepted@kind=letters@score=y"], rows["accepted@kind=letters_unlike@score=y"]
    assert (whole["reproduced"], whole["n"], whole["model"]) == (50, 60, "cnn")
    assert (unlike["reproduced"], unlike["n"]) == (50, 40)  # B is like 8
    assert (unlike["low"], unlike["high"]) == (0, 100)  # a t interval over A and C, cut
    of_none = summary.accepted_rows("cnn", "animals", ("scaled", 0.99, 2.0), np.zeros(60, bool), of)
    assert [row["metric"] for row in of_none] == ["accepted@kind=animals@score=scaled@alpha=2"]
    assert (of_none[0]["low"], of_none[0]["high"]) == (0, pytest.approx(100 * wilson(0, 60)[1]))


def test_a_group_has_its_commonest_answer_and_its_first_image() -> None:
    of = kind(5)
    answers, hits = np.repeat([7, 7, 2, 0, 7], 3), np.arange(15) < 7
    lines = summary.group_rows("cnn", "letters", answers, {("y", 0.9, None): hits}, of)
    assert [(line["name"], line["answer"], line["answer_share"], line["y_0.9"]) for line in lines] == [
        ("A", 7, 1.0, 1.0), ("B", 2, 0.6, 0.4), ("C", 7, 0.6, 0.0)
    ]  # fmt: skip
    assert summary.first_of_each(of, "animals") == [0, 5, 10]


def test_scaled_scores_reject_what_is_reconstructed_badly() -> None:
    def outputs(count: int, distance: float) -> dict[str, np.ndarray]:
        log_y = np.log(np.tile(np.float32([0.995, 0.005]), (count, 1)))
        far = np.full(count, distance, np.float32)
        return {"log_y": log_y, "distance": far, "gamma": np.full(count, -1, np.float32), "nearest": -far}

    of = kind(5)
    parts = {"known": outputs(8, 0.5), "animals": outputs(15, 9.0)}
    arrays = {f"{part}.{name}": array for part, each in parts.items() for name, array in each.items()}
    pairs = [(0.9, 20.0), (0.99, 3.0), (0.99, 2.0)]
    rows, tables, examples = summary.cell({"dae_sym": arrays}, {"animals": of}, 10.0, lambda reconstructs: pairs)
    found = {(row["metric"], row["tau"]): row["reproduced"] for row in rows}
    assert found["accepted@kind=animals@score=y", 0.99] == 100
    assert found["accepted@kind=animals@score=scaled", 0.99] == 0  # 0.995·exp(−3/784·9) = 0.96
    assert found["accepted@kind=animals@score=scaled@alpha=2", 0.99] == 0
    assert found["auroc@kind=animals@score=y", None] == 0.5
    assert found["auroc@kind=animals@score=scaled", None] == 1
    assert found["auroc@kind=animals@score=reconstruction", None] == 1
    assert examples["score"][0, 0] == pytest.approx(0.995 * np.exp(-3 / 784 * 9), rel=1e-5)
    assert tables["groups"]["answer_share"].tolist() == [1, 1, 1]


def test_claims_need_their_kind_and_follow_the_interval(tmp_path: Path) -> None:
    def claims(**options: Any) -> dict[str, Claim | None]:
        example_cell(tmp_path / "reports/cells", "explore_silhouettes", "networks", **options)
        plan = plan_of({"explore_silhouettes": {"networks": {}}})
        study = read_study(plan, "mnist", tmp_path, bands=BANDS)
        return {claim.__name__: claim(study) for claim in report.CLAIMS}

    (tmp_path / "budgets").mkdir()
    shutil.copy(ROOT / "budgets/paper.txt", tmp_path / "budgets")
    both = claims()
    assert both["a_dae_sees_few_digits_in_letters"].verdict == "holds"  # type: ignore[union-attr]
    assert both["cool_sees_few_digits_in_animals"].verdict == "contradicted"  # type: ignore[union-attr]
    assert both["a_cnn_sees_digits_in_animals"].verdict == "holds"  # type: ignore[union-attr]
    assert "Set after a first look" in both["a_cnn_sees_digits_in_animals"].test  # type: ignore[union-attr]
    assert claims(kinds=("letters",))["a_cnn_sees_digits_in_animals"] is None


def test_without_the_package_animals_are_an_error_and_letters_are_not(
    study: Study, tmp_path: Path, run_stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = study.cell("explore_silhouettes", "networks")
    assert (cell / "groups.csv").is_file()  # of letters alone, which is what digits need

    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(animals.metadata, "distribution", missing)
    workspace = study.copy(tmp_path / "workspace")
    set_params(workspace / "params.yaml", {"explore_silhouettes.digits.kinds": ["animals"]})
    done = run_stage(workspace, "explore_silhouettes", model="networks", check=False)
    assert done.returncode == 1
    assert "pip install --no-deps animal-mnist==0.4" in done.stderr


def test_the_same_stream_gives_each_kind_the_same_images_whatever_else_is_asked() -> None:
    first, again = (letters.letters(2, generator("explore_silhouettes", "letters")) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
