"""The committed images score as stored, and one that does not is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from overgen import OvergenError, cli, rescoring
from overgen.attacks import evidence
from overgen.models.weights import network_folder
from overgen.run import params
from overgen.run.files import read_npz, write_npz

from workspace import ROOT, set_params

RECONSTRUCTS = "dae"  # begins the name of a network that reconstructs, whose images take ten times as long as others'


def thinned(cell: Path, target: Path, *by: str) -> None:
    """Copy an attack's cell with one success, the last, of each value of some columns of `evidence.successes`."""
    target.mkdir(parents=True)
    table, _ = evidence.successes(cell)
    rows = table.groupby(list(by)).tail(1).index.to_numpy()
    write_npz(target / "successes.npz", **{name: a[rows] for name, a in read_npz(cell / "successes.npz").items()})
    for name in ("examples.npz", "trials.csv"):
        shutil.copy(cell / name, target)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed weights and cells.

    Cells of networks that reconstruct have every example, and a success of each variant, threshold and class.
    """
    path = tmp_path_factory.mktemp("project")
    for name in ("params.yaml", "dvc.yaml", "models"):
        (path / name).symlink_to(ROOT / name)
    cells = [
        cell for stage in ("fool_*", *rescoring.SEEDED) for cell in sorted(ROOT.glob(f"reports/cells/*/{stage}/*"))
    ]
    for cell in cells:
        target = path / cell.relative_to(ROOT)
        if cell.name.startswith(RECONSTRUCTS) and cell.parent.name != "fool_smallest":  # judged by y alone
            thinned(cell, target, "variant", "tau", "target")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(cell)
    return path


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_the_committed_smallest_changes_score_as_stored(
    dataset: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    for model in ("cnn", "cool"):
        found = rescoring.rescore_smallest(dataset, model, params.load())
        assert found.images > 40
        assert found.difference < 1e-5


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_the_committed_examples_score_as_stored(dataset: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    settings = params.load()
    for model in settings.evolved:
        found = rescoring.rescore(dataset, model, settings)
        attacks = evidence.ATTACKS if model in settings.attacked else ["fool_evolution"]
        assert [cell.cell for cell in found] == [f"reports/cells/{dataset}/{a}/{model}" for a in attacks]
        for cell in found:
            kept = read_npz(Path(cell.cell) / "successes.npz")
            assert cell.images >= 10 + len(kept["trial"])  # the examples and the successes
            assert cell.difference < 1e-5, cell.cell


def test_the_committed_images_of_variants_and_perceptrons_score_as_stored(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    settings = params.load()
    found = [cell for model in settings.fooled_variants for cell in rescoring.rescore("mnist", model, settings)]
    assert {cell.cell for cell in found} == {
        f"reports/cells/mnist/{stage}/{model}"
        for stage, models in (("fool_variants", settings.fooled_variants), ("fool_controls", settings.fooled_controls))
        for model in models
    }
    for stage in rescoring.SEEDED:
        cell = rescoring.rescore_seeds("mnist", stage)
        assert cell.images == len(read_npz(Path(cell.cell) / "successes.npz")["trial"]) >= 100
        assert cell.difference < 1e-5, cell.cell
    for cell in [*found, rescoring.rescore_perceptrons("mnist")]:
        assert cell.images >= 10 + len(read_npz(Path(cell.cell) / "successes.npz")["trial"])
        assert cell.difference < 1e-5, cell.cell


def test_a_score_that_is_not_the_networks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four classes of examples, and one success a cell."""
    monkeypatch.chdir(tmp_path)
    settings = params.load(ROOT / "params.yaml")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    # Szegedy's networks: see test_perceptrons; variants: not copied here
    set_params(tmp_path / "params.yaml", {"szegedy_datasets": [], "variant_datasets": []})
    for model in settings.evolved:
        weights = network_folder("mnist", model)
        shutil.copytree(ROOT / weights, weights, ignore=shutil.ignore_patterns("outputs.npz"))
        for attack in evidence.ATTACKS if model in settings.attacked else ["fool_evolution"]:
            cell = Path("reports/cells/mnist", attack, model)
            thinned(ROOT / cell, cell, "attack")
            examples = read_npz(cell / "examples.npz")
            write_npz(cell / "examples.npz", **{name: a[:, :4] if a.ndim > 1 else a for name, a in examples.items()})
    for model in settings.attacked:
        cell = Path("reports/cells/mnist/fool_smallest", model)
        shutil.copytree(ROOT / cell, cell)
    cli.check(tolerance=1e-5)
    assert "fashion_mnist: no cells here" in capsys.readouterr().out
    changed = Path("reports/cells/mnist/fool_fgn/cnn/examples.npz")
    arrays = read_npz(changed)
    arrays["score"][0, 3] -= 5e-5
    write_npz(changed, **arrays)
    with pytest.raises(OvergenError, match=r"reports/cells/mnist/fool_fgn/cnn \(5\.0e-05\)\. If") as caught:
        cli.check(tolerance=1e-5)
    assert str(caught.value).count("reports/cells") == 1
    cli.check(tolerance=1e-4)


@pytest.mark.slow
def test_every_committed_image_scores_as_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `overgen check`: here are all images; the tests above leave most of the dAEs' out."""
    monkeypatch.chdir(ROOT)
    cli.check(tolerance=1e-5)
