"""The stage explore_denoising: filters, the curve of the training, paired gains, and its claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from overgen.measures.intervals import mean_interval
from overgen.scores.pca import PcaError
from overgen.stages.explore_denoising import filters, summary
from overgen.stages.explore_denoising.run import quality, similarity

from conftest import Run, set_params
from workspace import Study

FLAT = np.full((3, 9, 8, 1), 0.4)


@pytest.mark.parametrize(("name", "strength"), [("median", [3]), ("gaussian", [1.0]), ("nlm", [3, 0.1])])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_filter_leaves_flat_images_and_takes_a_speck_away(name: str, strength: list[float], channels: int) -> None:
    pca = PcaError(components=1)
    flat = np.repeat(FLAT, channels, 3)
    np.testing.assert_allclose(filters.restored(flat, name, strength, pca), flat, atol=1e-6)
    noisy = flat + 0.1 * np.random.default_rng(0).normal(size=flat.shape)
    restored = filters.restored(noisy, name, strength, pca)
    assert restored.shape == flat.shape
    assert np.square(restored - flat).mean() < 0.7 * np.square(noisy - flat).mean()


def test_images_do_not_mix() -> None:
    images = np.stack([np.zeros((8, 8, 1)), np.ones((8, 8, 1))])
    for name, strength in (("median", [5]), ("gaussian", [2.0]), ("nlm", [3, 0.5])):
        np.testing.assert_allclose(filters.restored(images, name, strength, PcaError(components=1)), images, atol=1e-6)


def test_the_projection_is_sklearns() -> None:
    draw = np.random.default_rng(0)
    planes = draw.random((60, 3, 4, 5))
    rows = planes.reshape(60, -1)
    pca = PcaError(components=6).fit(rows)
    made = filters.restored(np.moveaxis(planes, 1, 3), "pca", [4], pca)
    other = PCA(4, svd_solver="full").fit(rows)
    expected = other.inverse_transform(other.transform(rows)).reshape(planes.shape).clip(0, 1)
    np.testing.assert_allclose(np.moveaxis(made, 3, 1), expected, atol=1e-8)


def test_quality_is_of_each_image() -> None:
    x = np.stack([FLAT[0], FLAT[0] + 0.1])
    assert quality(x, FLAT[:2])[1] == pytest.approx(20)
    assert quality(x, FLAT[:2])[0] > 58
    draw = np.random.default_rng(0).random((2, 9, 8, 1))
    same = similarity(draw, draw)
    assert same == pytest.approx([1, 1])
    assert (similarity(draw[::-1], draw) < 0.5).all()


def test_the_curve_ends_where_the_trained_network_is(study: Study) -> None:
    """Both come from the same noisy images: one in training, one from the weights in the file."""
    cell = study.cell("explore_denoising", "codes")
    trials, epochs = (pd.read_csv(cell / f"{name}.csv") for name in ("trials", "epochs"))
    at = trials[(trials["noise"] == "gaussian") & (trials["level"] == 0.2) & (trials["way"] == "dae")]
    last = epochs[epochs["epoch"] == epochs["epoch"].max()].set_index("seed")["psnr"]
    assert at.set_index("seed")["psnr"].to_dict() == pytest.approx(last.to_dict(), abs=0.02)
    assert set(trials.loc[trials["way"] == "median", "strength"].astype(str).str[0]) <= {"3", "5"}


def test_strengths_are_chosen_on_held_out_images(workspace: Path, run_stage: Run, study: Study) -> None:
    for stage in ("train_codes", "train_autoencoder"):
        study.cell(stage, "codes" if stage == "train_codes" else "dae_sym")
    for name in ("models", "reports"):
        (workspace / name).symlink_to(study.root / name)
    set_params(workspace / "params.yaml", {"explore_denoising.digits.held_out": 201})
    done = run_stage(workspace, "explore_denoising", model="codes", check=False)
    assert "held_out: 201, but beyond the 200 training images of train_codes digits has 200" in done.stderr


def found(draw: np.random.Generator) -> summary.Found:
    def arrays(median: float) -> dict[str, np.ndarray]:
        common = draw.normal(0, 3, 40)  # images differ more than ways do
        of = {"noisy": 10, "median": median, "gaussian": 15, "nlm": 16, "dae": 20, "ae": 18}
        many = {way: (3 if way in ("dae", "ae") else 1) for way in of}
        psnr = {f"psnr.{way}": level + common + np.arange(many[way])[:, None] for way, level in of.items()}
        held_out = {"median": median, "gaussian": 15, "nlm": 16, "pca": 99}
        return psnr | {f"held_out.{way}": np.array(float(value)) for way, value in held_out.items()}

    return {("gaussian", 0.2): arrays(14), ("salt_and_pepper", 0.2): arrays(30)}


def test_trials_are_means_over_images() -> None:
    """Of two seeds of a network and of one filter, which alone has a strength."""
    arrays = {"psnr.dae": [[20, 22], [30, 32]], "ssim.dae": [[0.25, 0.75], [0.5, 0.75]], "psnr.nlm": [[10, 12]],
              "ssim.nlm": [[0.0, 0.25]], "strength.nlm": [3, 0.1], "held_out.nlm": 11.5}  # fmt: skip
    table = summary.trials({("gaussian", 0.2): {name: np.array(values) for name, values in arrays.items()}})
    assert table[["way", "seed", "psnr", "ssim", "strength"]].to_numpy().tolist() == [
        ["dae", 0, 21, 0.5, ""], ["dae", 1, 31, 0.625, ""], ["nlm", 0, 11, 0.125, "3 0.1"],
    ]  # fmt: skip
    assert table["held_out"].isna().tolist() == [True, True, False]


def test_gains_are_paired_and_their_intervals_over_seeds() -> None:
    made = found(np.random.default_rng(0))
    assert summary.best_filter(made["gaussian", 0.2]) == "nlm", "PCA knows the data"
    epochs = pd.DataFrame({"seed": [0, 1, 2, 0], "epoch": [1, 1, 1, 2], "psnr": [11.0, 12.0, 13.0, 30.0]})
    rows = {row["metric"]: row for row in summary.rows(made, epochs, sigma=0.2, share=0.2)}
    over_best = rows["gain@noise=gaussian@level=0.2@over=best_filter"]
    assert over_best["reproduced"] == pytest.approx(20 + 1 - 16)
    assert (over_best["low"], over_best["high"]) == pytest.approx(mean_interval([4, 5, 6]))
    assert over_best["n"] == 3
    over_ae = rows["gain@noise=gaussian@level=0.2@over=ae"]
    assert (over_ae["reproduced"], over_ae["high"] - over_ae["low"]) == pytest.approx((2, 0)), "seed by seed"
    assert rows["gain@noise=salt_and_pepper@level=0.2@over=median"]["reproduced"] == pytest.approx(-9)
    behind = rows["gain@noise=gaussian@level=0.2@over=nlm@epochs=1"]
    nlm = made["gaussian", 0.2]["psnr.nlm"].mean()
    assert behind["reproduced"] == pytest.approx(12 - nlm)
    of_filter = rows["psnr@noise=gaussian@level=0.2@way=nlm"]
    assert (of_filter["n"], of_filter["interval"]) == (40, "95 % t interval of the mean over images")
