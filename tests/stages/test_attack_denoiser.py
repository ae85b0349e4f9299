"""A denoiser's confidence under attack: how its cell comes about, and what is said of it at the borders set before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from overgen import data
from overgen.confidence import ScaledOutput, log_reconstruction, probe_vectors
from overgen.data.corruptions import corrupted
from overgen.data.unknowns import uniform_images
from overgen.measures.metrics import auroc
from overgen.measures.pixels import psnr
from overgen.measures.separation import threshold
from overgen.models import denoisers, registry
from overgen.models.cnn import CNN
from overgen.models.denoisers import Denoiser
from overgen.report.study import Study as Report
from overgen.report.study import read_study
from overgen.run.files import read_json
from overgen.run.streams import generator
from overgen.scores.flow_likelihood import flow_log_likelihood, levels
from overgen.scores.restoration import restoration
from overgen.stages.attack_denoiser import figures, report
from overgen.stages.attack_denoiser.names import HELD_BACK
from overgen.stages.attack_denoiser.params import Likelihood
from overgen.stages.attack_denoiser.score import Gated
from overgen.stages.attack_denoiser.summary import restored_rows, told_rows
from overgen.stages.train_denoiser import run as train_denoiser
from overgen.stages.train_denoiser.module import DenoiserTraining
from overgen.stages.train_denoiser.split import split
from report_study import BANDS, changed, plan_of

from made_up import example_cell
from workspace import ROOT, Study, inside


def test_the_cell_says_of_its_images_what_the_denoiser_says(study: Study) -> None:
    cell = study.cell("attack_denoiser", "denoiser")
    rows = {row["metric"]: row for row in read_json(cell / "metrics.json")["metrics"]}
    trials, arrays = pd.read_csv(cell / "trials.csv"), np.load(cell / "examples.npz")
    assert list(trials["method"].unique()) == ["restoration", HELD_BACK, "restoration_mean", "scaled_output_alpha3",
                                               "beside_alpha3", "likelihood"]  # fmt: skip
    with inside(study.root):
        source = data.load("digits")
        network, about = denoisers.load("digits")
        seen, left_out = split(source, 100)
        known = source.test_images[torch.randperm(len(source.test_images), generator=known_draws())[:30]]
        flat = {"held_out": source.train_images[left_out], "known": known, "noise": noise()}
        flat = {name: data.floats(images).flatten(1) for name, images in flat.items()}
        path = levels(0.05, 5.0, 1)
        told = {
            "restoration": [restoration(network, x, [network.sigma]) for x in flat.values()],
            "restoration_mean": [restoration(network, x, [0.1, 0.2]) for x in flat.values()],
            "likelihood": [flow_log_likelihood(network, x, path, probe_vectors(1, 784)) for x in flat.values()],
        }
        scores = told["restoration"][0].numpy()
        autoencoder, _ = registry.trained("digits", "dae_sym")
        clean = data.floats(known)
        noisy = corrupted(clean, "gaussian", 0.2, "digits")
        for name, other in (("denoiser", network), ("beside", autoencoder)):
            error = (other(noisy).reconstruction.clamp(0, 1) - clean.flatten(1)).square().double().mean(1)
            found = rows[f"restored_psnr@network={name}"]["reproduced"]
            assert found == pytest.approx(psnr(error.detach().numpy()).mean(), abs=1e-4)
        shown = data.floats(torch.from_numpy(arrays["shown_image"][arrays["shown_method"] == "restoration"])).flatten(1)
        accepted = restoration(network, shown, [network.sigma]).numpy()
    for method, (held_out, of_known, of_noise) in told.items():
        count = 20 if method == "likelihood" else 30
        values = [part.numpy() for part in (held_out, of_known[:count], of_noise)]
        kept = 100 * np.mean(values[1] >= threshold(values[0], 0.95))
        assert rows[f"kept@method={method}"]["reproduced"] == pytest.approx(kept), method
        assert rows[f"auroc@method={method}@unknown=noise"]["reproduced"] == pytest.approx(auroc(*values[1:])), method
    assert set(seen.tolist()).isdisjoint(left_out.tolist())
    assert len(left_out) == 80  # a fifth of the images at most
    assert about["network"]["sigma"] == network.sigma == 0.2
    assert (accepted >= threshold(scores, 0.95) - 0.05).all()  # pictures are rounded to 8 bits
    fooled = trials[trials["method"] == "restoration"]
    assert rows["fooled@method=restoration"]["reproduced"] == pytest.approx(100 * fooled["fooled"].mean())
    assert {row["experiment"] for row in rows.values()} == {"attacked_denoiser"}


def known_draws() -> torch.Generator:
    return generator("attacked scores", "digits", "known")


def noise() -> torch.Tensor:
    return uniform_images(10, (1, 28, 28), generator("digits", "attacked denoiser", "noise"))


def test_a_denoiser_is_trained_on_the_images_that_are_not_held_out(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.cell("train_denoiser", "denoiser")
    monkeypatch.chdir(study.root)
    source = data.load("digits")
    given: dict[str, torch.Tensor] = {}

    class Stopped(Exception):
        pass

    def module(network: Any, images: torch.Tensor, **options: Any) -> None:
        given.update(images=images, clean=options["tested"][0])
        raise Stopped

    monkeypatch.setattr(train_denoiser, "DenoiserTraining", module)
    settings = SimpleNamespace(
        width=8, data_std=0.3, held_out=100, levels=[0.1],
        log_sigma=-1.9, log_sigma_std=1.2, average=0.9, batch_size=8, learning_rate=0.01,
    )  # fmt: skip
    params = {"train_denoiser.digits": settings, "training.digits.noise_std": 0.2}
    stage: Any = SimpleNamespace(item={"dataset": "digits"}, params=params.__getitem__, device=torch.device("cpu"))
    with pytest.raises(Stopped):
        train_denoiser.train(stage, None, 0)
    seen, left_out = split(source, 100)
    torch.testing.assert_close(given["images"], source.train_images[seen])
    torch.testing.assert_close(given["clean"], data.floats(source.train_images[left_out]).flatten(1))


def test_what_a_classifier_is_gated_by_is_the_denoisers_change() -> None:
    classifier, denoiser = CNN().eval(), Denoiser(width=8).eval()
    for network in (classifier, denoiser):
        network.initialise(generator("gated"))
    x = torch.rand(3, 1, 28, 28, generator=generator("images"))
    found = ScaledOutput(Gated(classifier, denoiser), alpha=3.0, beta=10.0)(x)
    moved = -restoration(denoiser, x.flatten(1), [denoiser.sigma])
    wanted = classifier(x).log_y + log_reconstruction(moved, alpha=3.0, pixels=784)[:, None]
    torch.testing.assert_close(found, wanted.float(), atol=1e-5, rtol=1e-4)  # a linear denoiser shrinks: Γ = 1


def training(**options: Any) -> DenoiserTraining:
    network = Denoiser(width=8)
    network.initialise(generator("trained"))
    images = (torch.rand(6, 1, 28, 28, generator=generator("six")) * 255).byte()
    clean = data.floats(images).flatten(1)
    given: dict[str, Any] = {"log_sigma": -1.9, "log_sigma_std": 1.2, "average": 0.9} | options
    return DenoiserTraining(network, images, tested=(clean, clean), key=("test",), batch_size=6, learning_rate=0.01,
                            **given)  # fmt: skip


def test_the_loss_is_that_of_the_paper() -> None:
    module = training(log_sigma=np.log(0.5), log_sigma_std=1e-9)
    module.noise, module.sums = generator("noise"), torch.zeros(5)
    loss = module.training_step(torch.arange(6))
    drawn = torch.randn((6, 785), generator=generator("noise"))
    clean = data.floats(module.images).flatten(1)
    restored = module.trained.restore(clean + 0.5 * drawn[:, 1:], 0.5)
    weight = (0.5**2 + 0.3**2) / (0.5 * 0.3) ** 2
    torch.testing.assert_close(loss, weight * (restored - clean).square().mean())
    assert float(module.sums[0]) == 6


def test_what_is_kept_is_the_average_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    module = training(average=0.5)
    before = {name: value.clone() for name, value in module.network.named_parameters()}
    with torch.no_grad():
        for weight in module.trained.parameters():
            weight += 1
    for step, kept in ((1, 2 / 11), (100, 0.5)):
        monkeypatch.setattr(DenoiserTraining, "global_step", step)
        module.on_train_batch_end()
        for name, value in module.network.named_parameters():
            before[name] = kept * before[name] + (1 - kept) * module.trained.get_parameter(name)
            torch.testing.assert_close(value, before[name])
    assert not any(p.requires_grad for p in module.network.parameters())


def test_held_out_images_are_none_that_it_sees_and_the_levels_of_a_likelihood_rise() -> None:
    whole: dict[str, Any] = {"smallest": 0.1, "largest": 5.0, "steps": 2, "probes": 1, "known_images": 1, "restarts": 1,
                             "images": 1,
                             "attempts": [{"attack": "square", "updates": 1}],
                             "ball_attempts": [{"attack": "square", "updates": 1}]}  # fmt: skip
    assert Likelihood(**whole).largest == 5
    with pytest.raises(ValueError, match="smallest: 5 must lie below largest: 5"):
        Likelihood(**whole | {"smallest": 5.0})


def test_auroc_and_restored_images_are_counted_by_hand() -> None:
    told = {"told.known": np.array([3.0, 2.0, 1.0]), "told.noise": np.array([0.0, 1.5])}
    (row,) = told_rows({"m": told, "refused": {"refused": np.array("no")}})
    assert (row["metric"], row["n"]) == ("auroc@method=m@unknown=noise", 5)
    assert row["reproduced"] == pytest.approx(5 / 6)
    restored = {"denoiser": psnr(np.array([0.01, 0.1])), "beside": psnr(np.array([0.1, 0.1]))}
    values = {row["metric"]: row["reproduced"] for row in restored_rows(restored)}
    assert values == pytest.approx({f"restored_psnr@network={name}": value for name, value in
                                    (("denoiser", 15), ("beside", 10), ("difference", 5))})  # fmt: skip


def of_cells(root: Path, **options: Any) -> Report:
    """The report's study of a made-up cell."""
    example_cell(root / "reports/cells", "attack_denoiser", "denoiser", **options)
    (root / "budgets").mkdir()
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return read_study(plan_of({"attack_denoiser": {"denoiser": options}}), "mnist", root, bands=BANDS)


@pytest.mark.parametrize(("better", "verdict"), [(2.0, "holds"), (-2.0, "contradicted"), (0.0, "cannot tell")])
def test_which_denoiser_is_the_better_one(tmp_path: Path, better: float, verdict: str) -> None:
    claim = report.restores_better(of_cells(tmp_path, better=better))
    assert claim is not None
    assert claim.verdict == verdict


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({"fooled": {"likelihood": 0.0}}, "holds"),
        ({}, "contradicted"),
        ({"fooled": {"likelihood": 0.0}, "restarts": 2}, "cannot tell"),  # 0 of 40: the interval ends at 8.8 %
        ({"fooled": {"likelihood": 0.0}, "kept": {"likelihood": 0.89}}, "contradicted"),  # it does not count
        ({"fooled": {HELD_BACK: 0.0, "beside_alpha2": 0.0}}, "contradicted"),  # no scores of its own
        ({"fooled": {"likelihood": 0.0}, "flat": ("likelihood",)}, "cannot tell"),
    ],
)
def test_whether_some_confidence_holds(tmp_path: Path, options: dict[str, Any], verdict: str) -> None:
    claim = report.confidence_holds(of_cells(tmp_path, **options))
    assert claim is not None
    assert claim.verdict == verdict


def test_a_likelihood_that_was_attacked_for_less_time_than_any_score_needs_holds_nothing(tmp_path: Path) -> None:
    study = of_cells(tmp_path, fooled={"likelihood": 0.0})
    assert report.fooled_as_soon(study)["restoration"] == 80  # made-up trials take 5 updates
    key = "attack_denoiser.mnist.likelihood.attempts"
    shorter = replace(study, settings={**study.settings, key: [{"attack": "autopgd", "updates": 4}]})
    claim = report.confidence_holds(shorter)
    assert claim is not None
    assert claim.verdict == "cannot tell"
    assert "restoration 0" in claim.number


@pytest.mark.parametrize(
    ("moved", "kept", "verdict"),
    [
        ((0.0, 0.9), 0.95, "holds"),
        ((0.9, 0.0), 0.95, "contradicted"),
        ((0.3, 0.3), 0.95, "cannot tell"),
        ((0.0, 0.9), 0.8, "cannot tell"),
    ],
)
def test_which_keeps_more(tmp_path: Path, moved: tuple[float, float], kept: float, verdict: str) -> None:
    mine, other = "scaled_output_alpha2", "beside_alpha2"
    study = of_cells(tmp_path, moved={mine: moved[0], other: moved[1]}, kept={other: kept})
    claim = report.keeps_more_than_the_dae(study)
    assert claim is not None
    assert claim.verdict == verdict
    assert ("dAE sym's keeps fewer" in claim.number) == (kept < 0.9)


@pytest.mark.parametrize(
    ("no_class", "verdict"),
    [({}, "holds"), (dict.fromkeys(("restoration", "restoration_mean", "scaled_output_alpha2", "likelihood"), 0.1),
                     "contradicted"), ({"restoration": 0.1}, "cannot tell")],
)  # fmt: skip
def test_whether_what_fools_is_of_the_class(tmp_path: Path, no_class: dict[str, float], verdict: str) -> None:
    claim = report.fools_by_no_class(of_cells(tmp_path, no_class=no_class))
    assert claim is not None
    assert claim.verdict == verdict


def test_the_section_says_where_attacks_were_weak(tmp_path: Path) -> None:
    """Of restoration the first attack fools 16 of 80 by the whole gradient, 40 with it held back."""
    study = of_cells(tmp_path, fooled={"restoration": 0.2, HELD_BACK: 0.5})
    context = report.context(study)
    assert context["denoiser_first"] == {"whole": 16, "held_back": 40}
    assert context["denoiser_weakly_attacked"] == []  # each is fooled by its own attacks alone
    weaker = changed(study, {"metric": "fooled_directly", "method": "restoration_mean", "start": ""}, reproduced=60.0)
    assert report.context(weaker)["denoiser_weakly_attacked"] == ["restoration, a mean over σ"]


def test_a_score_has_one_colour_in_all_figures(tmp_path: Path) -> None:
    study = of_cells(tmp_path)
    inks = {method: ink for method, _, ink, _ in figures.lines(study)}
    assert inks == {method: figures.ink_of(study, method) for method in inks}
    assert len(set(inks.values())) == len(inks)


def test_every_claim_says_where_its_number_stands(tmp_path: Path) -> None:
    study = of_cells(tmp_path)
    claims = [claim(study) for claim in report.CLAIMS]
    assert [claim is None for claim in claims] == [False] * 4
    for claim in claims:
        assert claim is not None
        assert study.frame.loc[claim.row["place"], "metric"] == claim.row["metric"]


def test_figures_show_every_score_once_and_the_dae_beside(tmp_path: Path) -> None:
    study = of_cells(tmp_path)
    assert [label for _, label, _, _ in figures.lines(study)] == [
        "restoration", "restoration, a mean over σ", "ỹ, α = 2", "ỹ of the dAE, α = 2", "log likelihood"
    ]  # fmt: skip
    assert figures.denoiser_balls(study) is not None
    assert figures.denoiser_images(study) is not None
    table = report.attacked_denoiser(study)
    assert table.markdown.count("\n|") == 1 + 6  # the rule, and six scores


def test_weights_of_another_denoiser_are_refused(study: Study, tmp_path: Path) -> None:
    import shutil

    from overgen import OvergenError

    study.cell("train_denoiser", "denoiser")
    with inside(study.root):
        path = denoisers.path_of("digits", 0)
        there = tmp_path / denoisers.path_of("mnist", 0)
        there.parent.mkdir(parents=True)
        shutil.copy(path, there)
    with inside(tmp_path), pytest.raises(OvergenError, match=r"holds seed 0 of digits; delete it, then `dvc repro"):
        denoisers.load("mnist")
    assert registry.NETWORKS.get("denoiser") is None  # it stands for itself: no list of the study names it
