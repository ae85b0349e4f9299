"""The rings of Figure 2: where points fall, the tied network, the exact curvature, the cell and report end to end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F

from overgen import confidence
from overgen.measures.intervals import wilson
from overgen.models import points
from overgen.report.findings import findings
from overgen.report.study import read_study
from overgen.run import params
from overgen.run.files import directory_md5
from overgen.run.plans import plans
from overgen.run.stage import execute
from overgen.run.streams import generator
from overgen.run.tracking import lightning_logger
from overgen.stages.train_rings import geometry, module, outputs, summary
from overgen.stages.train_rings import run as train_rings

from workspace import ROOT, Study, make_workspace

SETTINGS = params.load(ROOT / "params.yaml").train_rings


CENTRES = torch.tensor(SETTINGS.centres)


GEOMETRY = {"centres": CENTRES, "inner_radius": 0.6, "thickness": 0.1}


def built(hidden: int = 7) -> points.PointAutoencoder:
    """A random network that expands some places and contracts others."""
    network = points.PointAutoencoder(hidden)
    network.initialise(generator("rings", hidden))
    for bias in (network.fc1.bias, network.fc2.bias, network.decoder_bias1, network.decoder_bias2):
        torch.nn.init.normal_(bias, generator=generator(bias.shape))
    network.requires_grad_(False)
    network.fc1.weight *= 2
    return network


def test_points_lie_in_their_ring_and_are_uniform_in_area() -> None:
    points, labels = geometry.sample(60_000, draws=generator("sample"), **GEOMETRY)
    offset = points - CENTRES[labels]
    radius = offset.norm(dim=1)
    assert 0.6 - 1e-6 <= float(radius.min()) < float(radius.max()) <= 0.7 + 1e-6
    # the share of a ring's area within each radius, and the angle over a turn, are uniform on [0, 1]
    area = (radius**2 - 0.6**2) / (0.7**2 - 0.6**2)
    turn = torch.atan2(offset[:, 1], offset[:, 0]) / (2 * math.pi) + 0.5
    for uniform in (area, turn):
        share = torch.histc(uniform, 20, 0, 1) / len(points)
        assert bool(((share - 1 / 20).abs() < 5 * math.sqrt(1 / 20 / len(points))).all())
    assert float(torch.corrcoef(torch.stack([area, turn]))[0, 1]) == pytest.approx(0, abs=0.02)
    assert torch.bincount(labels).tolist() == pytest.approx([20_000] * 3, rel=0.03)


def test_distance_to_the_nearest_ring() -> None:
    points = torch.tensor([[-1.0, 1.0], [-0.35, 1.0], [0.0, 1.0], [2.5, -1.0]])
    found = geometry.distance_to_rings(points, **GEOMETRY)
    assert found.tolist() == pytest.approx([0.6, 0, 0.3, 0.8], abs=1e-6)


def test_the_plane_is_cells_of_equal_area() -> None:
    points = geometry.plane(4, 2.0)
    assert points[:5].tolist() == [[-1.5, -1.5], [-0.5, -1.5], [0.5, -1.5], [1.5, -1.5], [-1.5, -0.5]]
    assert points.shape == (16, 2)


def test_the_network_is_that_of_the_paper_with_tied_weights() -> None:
    assert sum(p.numel() for p in points.PointAutoencoder().parameters()) == 41_605
    network, x = built(), torch.randn(5, 2, generator=generator("x"))
    h = (network.fc2.weight @ (network.fc1.weight @ x.T + network.fc1.bias[:, None]).relu()).T + network.fc2.bias
    log_y, reconstruction = network(x)
    decoded = (h.relu() @ network.fc2.weight + network.decoder_bias1).relu() @ network.fc1.weight
    torch.testing.assert_close(reconstruction, decoded + network.decoder_bias2)
    torch.testing.assert_close(log_y.exp().sum(1), torch.ones(5))
    torch.testing.assert_close(log_y, F.log_softmax(h.relu() @ network.fc3.weight.T + network.fc3.bias, 1))


def test_curvature_is_the_trace_of_each_points_jacobian() -> None:
    network, x = built().double(), 2 * torch.randn(40, 2, generator=generator("x"), dtype=torch.float64)
    found = confidence.input_curvature(network, x)
    for point, gamma in zip(x, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: network(v[None]).reconstruction[0], point)
        assert float(gamma) == pytest.approx((float(jacobian.trace()) - 2) / 2, abs=1e-12)
    assert bool((found > 0).any() and (found < 0).any())
    torch.testing.assert_close(found, confidence.exact_curvature(network, x))


def test_scores_are_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "CHUNK", 3)  # the points go through in blocks
    network, x = built(), torch.randn(7, 2, generator=generator("scores"))
    of_points = outputs.point_outputs(network, x)
    assert 0 < (of_points["gamma"] > 0).sum() < 7
    found = outputs.scores(of_points, alpha=40, beta=5)
    for i, point in enumerate(x):
        gap = math.dist(network(point[None]).reconstruction[0].tolist(), point.tolist())
        gate = math.exp(-5 * max(0, float(of_points["gamma"][i])))
        y = network(point[None]).log_y[0].exp()
        assert found["ungated"][i].tolist() == pytest.approx((math.exp(-20 * gap) * y).tolist(), rel=1e-4)
        assert found["scaled"][i].tolist() == pytest.approx((math.exp(-20 * gap) * gate * y).tolist(), rel=1e-4)


def test_no_other_reconstruction_has_a_smaller_error() -> None:
    """The quadrature against the posterior mean over a large sample of clean points."""
    clean, _ = geometry.sample(200_000, draws=generator("clean"), **GEOMETRY)
    x = torch.tensor([[-0.35, 1.0], [1.0, 1.0], [0.0, 0.9], [1.6, -1.3]])
    found = geometry.optimal_reconstruction(x, noise_std=0.2, **GEOMETRY)
    posterior = torch.softmax(-torch.cdist(x, clean).square() / (2 * 0.2**2), 1)
    torch.testing.assert_close(found, posterior @ clean, atol=0.01, rtol=0)


class Log:
    """Stands for the MLflow run of a member."""

    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self.points.append((int(step), values))


def untrained(steps: int) -> module.RingsTraining:
    network = points.PointAutoencoder(16)
    network.initialise(generator("n"))
    settings = SETTINGS.model_copy(update={"steps": steps, "batch_size": 8, "reconstruction_weight": 2.0})
    return module.RingsTraining(network, settings, key=("r",))


def trainer(epochs: int, log: Any = None) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=lightning_logger(log) if log else False, log_every_n_steps=1,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def trained(steps: int, log: Any = None) -> module.RingsTraining:
    training = untrained(steps)
    trainer(training.epochs, log).fit(training)
    return training


def test_a_plain_loop_takes_the_same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 3)
    log = Log()
    training = trained(4, log)
    assert [curve["step"] for curve in training.curves] == [3, 4]
    assert [step for step, _ in log.points] == [3, 4]
    assert log.points[1][1]["train/accuracy"] == pytest.approx(training.curves[1]["accuracy"])
    plain = points.PointAutoencoder(16)
    plain.initialise(generator("n"))
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3)
    losses = []
    for first, count in ((0, 3), (3, 1)):
        draws = generator("r", "points", first)
        clean, labels = geometry.sample(8 * count, draws=draws, **GEOMETRY)
        noisy = clean + 0.2 * torch.randn(clean.shape, generator=draws)
        for i in range(0, 8 * count, 8):
            log_y, r = plain(noisy[i : i + 8])
            loss = F.nll_loss(log_y, labels[i : i + 8]) + 2 * ((r - clean[i : i + 8]) ** 2).mean()
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()
            adam.step()
    found = [curve["classification_loss"] + 2 * curve["reconstruction_loss"] for curve in training.curves]
    assert found == pytest.approx([sum(losses[:3]) / 3, losses[3]], rel=1e-5)
    for weight, expected in zip(training.network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6)


def test_training_learns_and_a_loss_that_is_not_finite_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 50)
    curves = trained(500).curves
    assert curves[-1]["accuracy"] > 0.8 > curves[0]["accuracy"]
    assert curves[-1]["reconstruction_loss"] < curves[0]["reconstruction_loss"]
    training = untrained(1)
    with torch.no_grad():
        training.network.fc3.bias[0] = torch.nan
    with pytest.raises(FloatingPointError, match="losses are nan"):
        trainer(1).fit(training)


def test_a_killed_run_goes_on_to_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)
    monkeypatch.setattr(train_rings, "CHECKPOINT", 2)
    seven: dict[str, Any] = {"train_rings.steps": 65}  # blocks, of which the last is shorter
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)  # it would stay for later tests
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    step, blocks = module.RingsTraining.training_step, []

    def counted(training: module.RingsTraining, index: int) -> None:
        blocks.append(training.current_epoch)
        if len(blocks) == 6:
            raise RuntimeError("killed")
        step(training, index)

    monkeypatch.setattr(module.RingsTraining, "training_step", counted)
    monkeypatch.chdir(make_workspace(tmp_path / "killed", **seven))
    with pytest.raises(RuntimeError, match="killed"):
        execute("train_rings", dataset="rings", model="dae")
    execute("train_rings", dataset="rings", model="dae")
    assert blocks == [0, 1, 2, 3, 4, 5, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6]  # from the fourth block on; then the next seed
    blocks += range(6)
    monkeypatch.chdir(make_workspace(tmp_path / "whole", **seven))
    execute("train_rings", dataset="rings", model="dae")
    cells = [tmp_path / name / "reports/cells/rings/train_rings/dae" for name in ("killed", "whole")]
    assert directory_md5(cells[0]) == directory_md5(cells[1])


@pytest.fixture
def cell(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cell of the tiny study, in a copy of it that is the working directory."""
    study.cell("train_rings", "dae", "rings")
    monkeypatch.chdir(study.copy(tmp_path / "workspace"))
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    return Path("reports/cells/rings/train_rings/dae")


def test_the_stage_and_its_report(cell: Path) -> None:
    summary = json.loads((cell / "metrics.json").read_text())
    assert summary["budget"] == {"train_rings.steps": 700, "train_rings.seeds": 2}
    rows = {row["metric"]: row for row in summary["metrics"]}
    points = geometry.plane(12, 2.5)
    far = int((geometry.distance_to_rings(points, **GEOMETRY) > 0.4).sum())
    assert [rows[f"mean_y@{place}"]["n"] for place in ("rings", "far", "plane")] == [50, far, 144]
    for place in ("rings", "far", "plane"):
        y, ungated, scaled = (rows[f"mean_{name}@{place}"]["reproduced"] for name in ("y", "ungated", "scaled"))
        assert 1 / 3 <= y <= 1
        assert 0 <= scaled <= ungated <= y
    with np.load(cell / "examples.npz") as examples:
        assert examples["y"].shape == examples["scaled"].shape == (12, 12, 3)
        assert examples["gate"].shape == examples["reconstruction"].shape == (12, 12)
        assert np.abs(examples["y"].sum(2, dtype=int) - 255).max() <= 2
        # ỹ = c̃·y, up to rounding to 1/255
        product = examples["y"] / 255 * (examples["reconstruction"] / 255 * (examples["gate"] / 255))[..., None]
        assert np.abs(product - examples["scaled"] / 255).max() < 3 / 255
        assert len(examples["points"]) == len(examples["labels"]) == 20

    execute("report_page", dataset="rings")
    text = Path("reports/rings/report.md").read_text()
    assert "700 of 50,000 steps, 2 seeds, below the paper's budget" in text
    assert directory_md5(cell) in text
    for metric in ("test_accuracy", "share_scaled@plane", "mean_ungated@far"):
        assert rows[metric]["low"] is not None
        number = f"{rows[metric]['reproduced']:.{3 if metric.startswith('mean') else 2}f}"
        assert number + bracket(rows[metric]) in text
    page = Path("reports/rings/report.html").read_text()
    assert page.count("data:image/") == 2  # small with the first finding, large in its section
    assert text.index("# Three rings") < text.index("## What was found") < text.index("## Figure 2")
    opening = text.partition("## Figure 2")[0]
    for metric in ("share_y@far", "share_scaled@far", "share_scaled@rings"):
        assert f"{rows[metric]['reproduced']:.2f}\u00a0%{bracket(rows[metric])}" in opening
    assert {path.name for path in Path("reports/rings/figures").iterdir()} == {"rings.svg", "rings.png"}
    drawn = directory_md5("reports/rings")
    execute("report_page", dataset="rings")
    assert directory_md5("reports/rings") == drawn


def bracket(row: Mapping[str, Any]) -> str:
    """What follows a number: an interval of no width is not shown."""
    return " [" if row["low"] < row["high"] else " "


def test_findings_say_what_the_shares_say(cell: Path) -> None:
    study = read_study(plans()["rings"], "rings")

    def said(**shares: float) -> list[str]:
        frame = study.frame.copy()
        for place, value in shares.items():
            output, _, where = place.partition("_")
            rows = (frame["metric"] == f"share_{output}") & (frame["on"] == where)
            frame.loc[rows, ["reproduced", "low", "high"]] = value, math.nan, math.nan
        return [finding.says for finding in findings(replace(study, frame=frame))]

    first, second, third, fourth = said(y_far=99, ungated_far=0.4, scaled_far=0.2, scaled_rings=30)
    assert ["nearly always" in first, "hardly ever" in second, "seldom" in third] == [True] * 3
    opposite = said(y_far=1, ungated_far=40, scaled_far=2, scaled_rings=99)
    assert ["hardly ever" in opposite[0], "nearly always" in opposite[2], opposite[3] != fourth] == [True] * 3
    none = replace(study, frame=study.frame[study.frame["on"] != "far"])
    assert len(findings(none)) == 1


def test_only_points_that_are_drawn_have_an_interval_with_one_seed() -> None:
    hits = np.arange(50) < 20
    drawn, all_there = (summary.share_row("share_y@rings", [hits], place) for place in ("rings", "far"))
    assert (drawn["reproduced"], drawn["n"], all_there["reproduced"], all_there["n"]) == (40, 50, 40, 50)
    assert (drawn["low"] / 100, drawn["high"] / 100) == pytest.approx(wilson(20, 50))
    assert (all_there["low"], all_there["interval"]) == (None, "none")
    several = summary.share_row("share_y@rings", [hits, ~hits], "rings")
    assert (several["reproduced"], several["n"], several["low"]) == (
        50,
        50,
        0,
    )  # two seeds so far apart
