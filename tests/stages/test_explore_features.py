"""Inceptionism on small networks: units, classes, who is asked, and the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from overgen import OvergenError
from overgen.models.cnn import CNN
from overgen.models.probes import Probe
from overgen.report import claims
from overgen.report.build import build_report
from overgen.report.study import Study as StudyOfCells
from overgen.report.study import read_study
from overgen.run import params
from overgen.run.plans import Plan, plans
from overgen.run.results import Cell
from overgen.run.stage import opened
from overgen.run.streams import generator
from overgen.stages.explore_features import run, summary, units
from overgen.stages.explore_features.run import Work

from made_up import example_cell
from workspace import ROOT, Study


def network() -> CNN:
    built = CNN().eval().requires_grad_(False)
    built.initialise(generator("features"))
    return built


IMAGES = torch.rand(4, 1, 28, 28, generator=generator("images"))


def test_units_and_channels_of_a_layer_are_its_outputs() -> None:
    cnn = network()
    assert units.kinds(["conv1", "fc1"], cnn, (1, 28, 28)) == [
        ("conv1", "channel", 32), ("conv1", "unit", 32), ("fc1", "unit", 400)
    ]  # fmt: skip
    chosen = torch.tensor([3, 0, 31, 7])
    maps = cnn.conv1(IMAGES)
    probe = Probe(cnn, "conv1")
    rows = torch.arange(4)
    assert torch.allclose(units.liking(probe, "channel", chosen)(IMAGES), maps.mean((2, 3))[rows, chosen])
    assert torch.allclose(units.liking(probe, "unit", chosen)(IMAGES), maps[rows, chosen, 14, 14])
    probe.remove()
    top = Probe(cnn, "fc1")
    assert torch.allclose(units.liking(top, "unit", chosen)(IMAGES).relu(), cnn.encode(IMAGES)[rows, chosen])
    top.remove()


def test_log_odds_rise_as_the_class_does_and_do_not_stop_at_certainty() -> None:
    cnn, targets = network(), torch.tensor([0, 3, 5, 9])
    odds = run.log_odds(cnn, targets)
    y = cnn(IMAGES).log_y.double().exp().gather(1, targets[:, None])[:, 0]
    assert torch.allclose(odds(IMAGES).double(), (y / (1 - y)).log(), atol=1e-4)
    cnn.fc2.weight *= 1e4  # y is 0 or 1 to all digits of float32
    x = IMAGES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(odds(x).sum(), x)
    assert bool((gradient.flatten(1).norm(dim=1) > 0).all())


def test_the_nearest_image_is_that_of_an_exact_search_over_blocks() -> None:
    base = torch.rand(10_050, 9, generator=generator("base"))
    images = torch.cat([base[[3, 10_049]], torch.rand(5, 9, generator=generator("queries"))])
    gap, place = run.nearest(images, base)
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(base.double().numpy())
    distance, answer = search.kneighbors(images.double().numpy())
    assert place.tolist() == answer[:, 0].tolist()
    assert gap.numpy() == pytest.approx(distance[:, 0], abs=2e-3)


def test_who_took_part_is_not_asked() -> None:
    settings = SimpleNamespace(
        network="cnn", autoencoder="dae_sym", witnesses=["lenet", "dae_sym"], ways={"plain": None},
        priors={"projection": SimpleNamespace(by="projection"), "sure": SimpleNamespace(by="confidence")},
    )  # fmt: skip
    arrays = {
        "target": np.array([0, 1, 2]), "answer_cnn": np.array([0, 1, 2]), "answer_lenet": np.array([0, 1, 0]),
        "answer_dae_sym": np.array([0, 0, 0]), "confidence": np.array([0.95, 0.2, 0.3]),
        "distance": np.array([2.0, 5.0, 2.0]), "nearest_label": np.array([0, 0, 0]), "nearest": np.array([4, 4, 4]),
        "image": np.zeros((3, 1, 2, 2), np.uint8),
    }  # fmt: skip
    usual = {"label": np.repeat([0, 1, 2], 21), "distance": np.tile(np.linspace(2, 4, 21), 3)}  # 95 % lie below 3.9
    made = dict.fromkeys(("plain", "projection", "sure"), arrays)
    tables = summary.tables({"cnn": {"unit": np.zeros(1)}}, made, usual, settings)
    classes = tables["classes"].set_index("way")
    assert classes.loc["plain", "recognised"].tolist() == [True, False, False]
    assert classes.loc["projection", "recognised"].tolist() == [True, True, False]
    assert classes["times"].tolist() == pytest.approx([2 / 3.9, 5 / 3.9, 2 / 3.9] * 3)
    rows = {row["metric"]: row for row in summary.class_rows(tables["classes"], settings, 0.9)}
    for name in ("recognised", "far_from_data", "nearest_is_class", "accepted"):
        assert rows[f"{name}@way=plain"]["reproduced"] == pytest.approx(100 / 3), name
    assert rows["accepted@way=plain"]["tau"] == 0.9
    models = {way: rows[f"accepted@way={way}"]["model"] for way in made}
    assert models == {"plain": "cnn", "projection": "cnn", "sure": "dae_sym"}  # whose score was made to rise
    settings.witnesses = ["dae_sym"]
    none = {row["metric"]: row for row in summary.class_rows(tables["classes"], settings, 0.9)}
    assert (none["recognised@way=projection"]["reproduced"], none["recognised@way=projection"]["n"]) == (None, 0)


def test_shares_of_units_by_hand() -> None:
    """Units 0 and 1 begin with noise in two ways, and three with a picture in one."""
    columns = ("start", "way", "unit", "activity", "most", "confidence", "before", "after")
    table = pd.DataFrame(
        [
            ("noise", "plain", 0, 2, 1, 0.95, 0, 0), ("noise", "plain", 1, 1, 2, 0.95, 0, 0),
            ("noise", "all", 0, 3, 1, 0.1, 0, 0), ("noise", "all", 1, 3, 2, 0.95, 0, 0),
            ("picture", "plain", 0, 1, 3, 0.1, 3, 3), ("picture", "plain", 1, 1, 3, 0.1, 3, 4),
            ("picture", "plain", 2, 4, 3, 0.1, 1, 1),
        ],
        columns=columns,
    ).assign(network="network", layer="fc1", kind="unit")  # fmt: skip
    rows = {row["metric"]: row for row in summary.unit_rows(table, 0.9)}
    best = rows["likes_its_image_best@start=noise"]
    assert (best["reproduced"], best["n"]) == (75, 4)
    assert "over 2 units" in best["interval"]  # of each there are two images
    assert rows["likes_its_image_best@start=noise@way=all"]["reproduced"] == 100
    assert rows["likes_its_image_best@start=picture"]["reproduced"] == pytest.approx(100 / 3)
    assert (rows["accepted@start=noise"]["reproduced"], rows["accepted@start=noise"]["tau"]) == (75, 0.9)
    assert rows["answer_changed@start=picture"]["reproduced"] == pytest.approx(100 / 3)
    assert "answer_changed@start=noise" not in rows


@pytest.fixture
def cell(study: Study) -> Cell:
    return Cell("digits", "explore_features", "networks", study.cell("explore_features", "networks"))


@pytest.fixture
def work(study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.chdir(study.root)
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    with opened("explore_features", dataset="digits", model="networks") as stage:
        yield Work(stage)


def test_images_of_the_cell_are_what_its_tables_say(work: Work, cell: Cell) -> None:
    shown, classes, liked = cell.examples(), cell.table("classes"), cell.table("units")
    assert shown["class_way"].tolist() == ["plain", "all", "projection", "confidence"]
    plain = torch.from_numpy(shown["class_image"][0])[:, None].float() / 255
    own = classes[classes["way"] == "plain"]
    for name in ("cnn", "dae_sym"):
        assert work.answer(name, plain).tolist() == own[f"answer_{name}"].tolist()
    assert (liked["start"] == "picture").sum() == 2 * 5 * 2 * 2  # networks, kinds, ways, units
    from_noise = liked[(liked["way"] == "plain") & (liked["start"] == "noise") & (liked["network"] == "cnn")]
    place = np.flatnonzero(
        (shown["unit_network"] == "cnn") & (shown["unit_kind"] == "channel") & (shown["unit_layer"] == "conv1")
        & (shown["unit_way"] == "plain") & (shown["unit_start"] == "noise")
    )[0]  # fmt: skip
    image = torch.from_numpy(shown["unit_image"][place])[None, None].float() / 255
    begin = torch.from_numpy(shown["unit_begin"][place])[None, None].float() / 255
    line = from_noise.iloc[0]
    assert (line["layer"], line["kind"], line["unit"]) == ("conv1", "channel", shown["unit_number"][place])
    activity = work.networks["cnn"].conv1(image).mean((2, 3))[0, int(line["unit"])]
    assert float(activity) == pytest.approx(line["activity"], abs=1e-5)
    assert float(work.networks["cnn"].conv1(begin).mean((2, 3))[0, int(line["unit"])]) < float(activity)


def test_each_class_begins_with_noise_of_its_own(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[torch.Tensor] = []

    def noted(objective: object, start: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        begun.append(start)
        return start

    monkeypatch.setattr(work, "maximised", noted)
    for way in ("plain", "projection"):
        work.classes(way)
    for start in begun:
        assert len(np.unique(start.flatten(1).numpy(), axis=0)) == len(start) == 10


def test_networks_that_cannot_do_their_part_are_refused(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """An autoencoder without a decoder, and a network with several units for a class."""
    with opened("explore_features", dataset="digits", model="networks") as stage:
        of_two = work.settings.model_copy(update={"autoencoder": "cnn"})
        settings = {"explore_features": of_two}
        asked = stage.params
        given = replace(stage, params=lambda key: settings.get(key) or asked(key))
        with pytest.raises(OvergenError, match=r"explore_features.autoencoder: cnn has no decoder"):
            Work(given)
        monkeypatch.setattr(run, "seen", lambda network, x: (None, torch.zeros(1, 100)))
        with pytest.raises(OvergenError, match="the last layer of cnn has 100 units for 10 classes"):
            Work(stage)


def test_the_numbers_of_the_cell_are_those_of_its_tables(cell: Cell) -> None:
    rows = {(row["metric"], row["model"]): row for row in cell.summary["metrics"]}
    liked = cell.table("units")
    own = liked[(liked["network"] == "cnn") & (liked["start"] == "picture")]
    changed = rows["answer_changed@start=picture", "cnn"]
    assert changed["n"] == len(own) == 20
    assert changed["reproduced"] == pytest.approx(100 * (own["before"] != own["after"]).mean())
    confident = cell.table("classes").query("way == 'confidence'")
    assert rows["accepted@way=confidence", "dae_sym"]["reproduced"] == pytest.approx(
        100 * (confident["confidence"] > 0.9).mean()
    )


@pytest.fixture
def made_up(tmp_path: Path) -> StudyOfCells:
    """A made-up cell on the parameters of the repository, as a study."""
    example_cell(tmp_path / "reports/cells", "explore_features", "networks")
    (tmp_path / "budgets").symlink_to(ROOT / "budgets")
    plan = plans(ROOT)["mnist"]
    return read_study(Plan({"explore_features": ["networks"]}, plan.settings), "mnist", tmp_path)


def test_the_page_has_a_screen_for_each_idea_and_all_claims(made_up: StudyOfCells, tmp_path: Path) -> None:
    tested = claims.of_stage(made_up, "explore_features")
    assert list(tested) == [
        "units_like_no_picture", "no_class_is_synthesised", "regularisers_do_not_help", "far_from_the_data",
        "the_autoencoder_rejects_them", "a_prior_helps",
    ]  # fmt: skip
    assert (tested["no_class_is_synthesised"].row["way"], tested["a_prior_helps"].row["way"]) == ("plain", "projection")
    output = tmp_path / "reports/mnist"
    build_report(made_up, output, dpi=20)
    page = (output / "features.md").read_text()
    assert page.count("> *Test, set before the run:*") == 6
    assert page.count("**Change it:**") == page.count("\n## ") == 6
    for name in ("features_network_noise", "features_autoencoder_noise", "features_network_picture",
                 "features_classes", "features_recognised", "features_distance"):  # fmt: skip
        assert f"figures/{name}." in page
        assert (output / f"figures/{name}.png").is_file()


def test_a_prior_of_a_ways_name_and_a_way_that_is_none_are_refused() -> None:
    text = (ROOT / "params.yaml").read_text()
    for old, new, match in (
        ("from_pictures: [plain, all]", "from_pictures: [plain, every]", "'every' is none of the ways"),
        ("    projection: {by: projection", "    plain: {by: projection", "'plain' is the name of a way, too"),
        ("witnesses: [lenet, cool, dae_sym]", "witnesses: [lenet, cnn]", "'cnn' makes the images and is no witness"),
    ):
        assert old in text
        with pytest.raises(OvergenError, match=match):
            params.load(text=text.replace(old, new))
