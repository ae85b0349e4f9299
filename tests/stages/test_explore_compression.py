"""The stage explore_compression: PCA and 8 bits against independent ones, its numbers by hand, and its claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

from overgen import data
from overgen.measures.pixels import ROUNDING, cross_entropy, psnr
from overgen.models.codes import DeepCode
from overgen.run.results import Cell
from overgen.run.results import read as read_cell
from overgen.run.streams import generator
from overgen.stages.explore_compression import summary
from overgen.stages.explore_compression.run import (
    Code,
    code_rates,
    error_row,
    file_rates,
    projection,
    restored_from_bytes,
)

from workspace import Study


def code(encode: object, decode: object, size: int = 2) -> Code:
    return Code("ae", size, 0, encode, decode)  # type: ignore[arg-type]


def test_pca_is_sklearns(study: Study) -> None:
    cell = study.cell("explore_compression", "codes")
    source = data.load("digits", study.root / "data")
    fitted, x = (data.floats(t).flatten(1).numpy() for t in (source.train_images[:200], source.test_images[:40]))
    table = pd.read_csv(cell / "errors.csv")
    for size in (2, 8):
        pca = PCA(size).fit(fitted)
        back = pca.inverse_transform(pca.transform(x)).clip(0, 1)
        row = table[(table["kind"] == "pca") & (table["size"] == size) & (table["on"] == "test")].iloc[0]
        assert row["squared_error"] == pytest.approx(np.square(back - x).mean(), rel=1e-4)
        assert row["relative_error"] == pytest.approx(
            100 * np.square(back - x).mean() / np.square(fitted.mean(0) - x).mean(), rel=1e-4
        )
    of_linear = table[(table["kind"] == "linear") & (table["on"] == "test")].groupby("size")["squared_error"].mean()
    assert (
        of_linear > table[(table["kind"] == "pca") & (table["on"] == "test")].set_index("size")["squared_error"]
    ).all()


def test_a_code_of_the_mean_loses_as_much_as_one_image_for_all() -> None:
    x = torch.rand(50, 6, generator=generator(0))
    mean = x.mean(0)
    row = error_row(code(lambda x: x[:, :2] * 0, lambda h: mean.expand(len(h), 6)), "test", x, mean)
    assert row["relative_error"] == pytest.approx(100)
    same = error_row(code(lambda x: x, lambda h: h, 6), "test", (255 * x).round() / 255, mean)
    assert (same["squared_error"], same["exact"]) == (0, 50)
    off = error_row(code(lambda x: x, lambda h: h + 0.004 * (torch.arange(6) == 0), 6), "test", 0 * x, mean)
    assert off["exact"] == 0, "one pixel of six is one level off"


def test_a_code_in_8_bits_is_off_by_half_a_step_at_most() -> None:
    fitted = torch.rand(300, 3, generator=generator(1))
    same = code(lambda x: x, lambda h: h, 3)
    x = fitted[:100]
    back = restored_from_bytes(same, x, fitted)
    steps = (fitted.amax(0) - fitted.amin(0)) / 255
    assert bool(((back - x).abs() <= 0.501 * steps).all())
    assert float((back - x).abs().max()) > 0.3 * float(steps.min()), "it is not the code itself"
    far = torch.full((1, 3), 2.0)
    torch.testing.assert_close(restored_from_bytes(same, far, fitted), fitted.amax(0)[None])
    assert code_rates([same], x, fitted)["bits"].item() == 24


def test_jpeg_is_of_the_quality_with_the_fewest_bits_that_is_good_enough() -> None:
    jpeg = [("together", 10, 100.0, 0.02), ("together", 20, 150.0, 0.0099), ("together", 30, 140.0, 0.0098),
            ("together", 90, 400.0, 0.001), ("alone", 10, 900.0, 0.02)]  # fmt: skip
    rates = pd.concat([
        pd.DataFrame({"of": "jpeg", "how": h, "quality": q, "bits": b, "squared_error": e} for h, q, b, e in jpeg),
        pd.DataFrame({"of": "ae", "size": 4, "seed": s, "bits": 32.0, "squared_error": e}
                     for s, e in enumerate((0.01, 0.005))),
    ])  # fmt: skip
    rows = {row["metric"]: row for row in summary.jpeg_rows(rates, 4)}
    assert rows["bits_of_jpeg@size=4@how=together"]["reproduced"] == (140 + 400) / 2
    assert rows["jpeg_of_code@size=4@how=together"]["reproduced"] == pytest.approx(100 * 270 / 32)
    assert "bits_of_jpeg@size=4@how=alone" not in rows, "none is good enough"
    assert rows["squared_error_8_bits@kind=ae@size=4"]["reproduced"] == pytest.approx(0.0075)


def test_lossless_files_have_no_error_and_jpeg_has_some() -> None:
    images = (40 * np.random.default_rng(0).random((9, 8, 8))).astype(np.uint8)
    table = file_rates(images, [50])
    assert (table.loc[table["of"] != "jpeg", "squared_error"] == 0).all()
    assert (table.loc[table["of"] == "jpeg", "squared_error"] > 0).all()
    assert len(table[table["how"] == "alone"]) == 1
    best = table[(table["of"] == "jpeg") & (table["how"] == "together")].set_index("quality")
    assert best.loc[100, "bits"] > best.loc[1, "bits"]


def test_losses_are_compared_seed_by_seed() -> None:
    table = pd.DataFrame(
        {"kind": kind, "seed": seed, "squared_error": error, "cross_entropy": entropy, "psnr": 20.0}
        for kind, seed, error, entropy in (
            ("ae", 0, 2.0, 1.0), ("ae", 1, 4.0, 2.0), ("ae", 2, 9.0, 9.0), ("ae_mse", 0, 1.0, 3.0),
            ("ae_mse", 1, 2.0, 6.0),
        )
    )  # fmt: skip
    rows = {row["metric"]: row for row in summary.loss_rows(table, 4)}
    assert rows["loss_ratio@measure=squared_error"]["reproduced"] == 200
    assert rows["loss_ratio@measure=cross_entropy"]["reproduced"] == 300
    assert rows["loss_ratio@measure=cross_entropy"]["n"] == 2
    assert summary.loss_rows(table[table["kind"] == "ae"], 4) == []


def test_numbers_by_hand() -> None:
    """A deep code of two seeds against PCA, on its own images and on others."""
    table = pd.DataFrame(
        {"kind": kind, "size": 4, "seed": seed, "on": on, "squared_error": error, "relative_error": relative,
         "exact": exact, "images": 100, "spread": 0.2}
        for kind, seed, on, error, relative, exact in (
            ("pca", 0, "test", 0.5, 40.0, 0), ("pca", 0, "noise", 0.8, 60.0, 0), ("ae", 0, "test", 0.2, 10.0, 3),
            ("ae", 1, "test", 0.4, 20.0, 50), ("ae", 0, "noise", 0.9, 30.0, 0), ("ae", 1, "noise", 0.9, 80.0, 0),
        )
    )  # fmt: skip
    test = table[table["on"] == "test"]
    rows = {
        row["metric"]: row
        for row in (*summary.error_rows(test), *summary.kind_rows(table, 4), *summary.exact_rows(test))
    }

    def value(name: str) -> float:
        return rows[name]["reproduced"]

    assert value("error_of_pca@kind=ae@size=4") == pytest.approx(100 * (0.2 / 0.5 + 0.4 / 0.5) / 2)
    assert value("relative_error@noise@kind=ae@size=4") == 55
    assert value("times_own@noise@kind=ae@size=4") == (30 / 10 + 80 / 20) / 2  # seed by seed
    assert value("times_own@noise@kind=pca@size=4") == 1.5
    pca = rows["squared_error@kind=pca@size=4"]
    assert (pca["low"], pca["high"]) == pytest.approx((0.5 - 0.0392, 0.5 + 0.0392))  # 1.96 · 0.2 / √100
    exact = rows["exact@kind=ae@size=4"]
    assert (exact["reproduced"], exact["n"]) == (3, 100)  # of the first seed alone


def test_the_decoders_bits_are_those_of_its_weights() -> None:
    weights = sum(each.numel() for each in DeepCode(30, 4, hidden=7).decoder.parameters())
    assert summary.decoder_row(4, 30, 7)["reproduced"] == 16 * weights


def test_measures_of_pixels() -> None:
    assert psnr(np.array([0.01, 0.0])) == pytest.approx([20, -10 * np.log10(ROUNDING)])
    x, r = torch.rand(4, 5, generator=generator(0)), torch.rand(4, 5, generator=generator(1))
    expected = torch.nn.functional.binary_cross_entropy(r.double(), x.double(), reduction="none").mean(1)
    assert cross_entropy(r.double().numpy(), x.double().numpy()) == pytest.approx(expected.numpy(), rel=1e-5)


def test_a_projection_is_orthogonal() -> None:
    axes = torch.linalg.qr(torch.randn(6, 2, generator=generator(0)))[0]
    mean = torch.rand(6, generator=generator(1))
    made = projection(2, mean, axes)
    x = torch.rand(20, 6, generator=generator(2))
    back = made.decode(made.encode(x))
    torch.testing.assert_close(((x - back) @ axes).abs().max(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(made.decode(made.encode(back)), back)


def test_the_kinds_of_images_are_judged_at_one_size(study: Study) -> None:
    cell = study.cell("explore_compression", "codes")
    frame = read_cell(Cell("digits", "explore_compression", "codes", cell))
    ratios = frame[(frame["metric"] == "times_own") & (frame["kind"] == "ae")]
    assert set(ratios["on"]) == {"silhouettes", "shuffled", "noise"}
    assert set(ratios["size"]) == {"8"}
