"""The fooling images that open-set scores are tried on: collected from the attacks' cells, or fixed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from overgen import OvergenError
from overgen.attacks.evidence import stored
from overgen.run import params
from overgen.run.files import directory_md5, read_json, read_npz, write_npz
from overgen.stages.collect_fooling import run as collect_fooling

from made_up import example_cell
from processes import Run
from workspace import ROOT, set_params


class Declared:
    """A stage's parameters: those of params.yaml with changes."""

    item: ClassVar[dict[str, str]] = {"dataset": "mnist", "model": "attacked"}

    def __init__(self, **changes: Any) -> None:
        self.changes, self.settings = changes, params.load(ROOT / "params.yaml")

    def params(self, key: str) -> Any:
        section, *place = key.split(".")
        value = self.changes.get(section, getattr(self.settings, section))
        for part in place:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        return value


def test_what_fooled_any_network_is_collected_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every attack and network; of evolution only where it was run. Each image with the first cell that has it."""
    monkeypatch.chdir(tmp_path)
    for model in ("cnn", "dae_sym"):
        for attack in ("fool_fgn", "fool_gradient", "fool_evolution"):
            options = {"updates": 200} if (attack, model) == ("fool_fgn", "dae_sym") else {}
            example_cell(tmp_path / "reports/cells", attack, model, **options)
    stage = Declared(attacked=["cnn", "dae_sym"], evolved=["cnn"])
    found = collect_fooling.collected(stage)
    wanted: dict[bytes, tuple[str, str, int]] = {}
    cells = [("fool_fgn", "cnn"), ("fool_fgn", "dae_sym"), ("fool_gradient", "cnn"), ("fool_gradient", "dae_sym"),
             ("fool_evolution", "cnn")]  # fmt: skip
    for attack, model in cells:
        table, images = stored(Path("reports/cells/mnist", attack, model), stage.params("confidence.mnist").thresholds,
                               evolution_alpha=stage.params("fool_evolution.mnist").alpha)  # fmt: skip
        assert not table["fooled"].all() or attack != "fool_gradient"
        for image, target, fooled in zip(images, table["target"], table["fooled"], strict=True):
            if fooled:
                wanted.setdefault(np.rint(image * 255).astype(np.uint8).tobytes(), (attack, model, target))
    told = zip(*(found[name].tolist() for name in ("attack", "attacked", "target")), strict=True)
    assert dict(zip((image.tobytes() for image in found["image"]), told, strict=True)) == wanted
    assert len(found["image"]) == len(wanted) > 10
    assert found["image"].dtype == np.uint8
    assert found["cell"].tolist() == [f"reports/cells/mnist/{attack}/{model}" for attack, model in cells]
    assert found["cell_md5"].tolist() == [directory_md5(cell) for cell in found["cell"].tolist()]
    counts = {row["metric"]: row["reproduced"] for row in collect_fooling.rows(found)}
    assert list(counts) == [f"images@attack={a.removeprefix('fool_')}@attacked={m}" for a, m in cells]
    assert counts["images@attack=gradient@attacked=cnn"] == sum(
        told[:2] == ("fool_gradient", "cnn") for told in wanted.values()
    )
    assert sum(counts.values()) == len(wanted)
    spent = collect_fooling.spent(found["cell"].tolist())
    assert spent["fool_fgn.mnist.updates"] == 200  # the smallest
    assert {key.partition(".")[0] for key in spent} == {"fool_fgn", "fool_gradient", "fool_evolution"}
    nothing = collect_fooling.collected(Declared(attacked=[]))
    assert (nothing["image"].shape, nothing["attack"].shape, nothing["cell"].shape) == ((0, 0, 0), (0,), (0,))


def test_a_fixed_collection_stays_or_the_stage_fails(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, run_stage: Run
) -> None:
    monkeypatch.chdir(workspace)
    for attack in ("fool_fgn", "fool_gradient", "fool_evolution"):
        Path("reports/cells/digits", attack).mkdir(parents=True)
    set_params(workspace / "params.yaml", {"attacked": [], "variant_datasets": []})
    run_stage(workspace, "collect_fooling", model="attacked")
    file = Path("reports/cells/digits/collect_fooling/attacked/examples.npz")
    assert len(read_npz(file)["image"]) == 0
    arrays = read_npz(file) | {"image": np.ones((1, 28, 28), np.uint8)}  # of other attacks
    write_npz(file, **arrays)
    fixed = hashlib.md5(file.read_bytes()).hexdigest()
    set_params(workspace / "params.yaml", {"collect_fooling.digits.fixed": fixed})
    run_stage(workspace, "collect_fooling", model="attacked")
    assert len(read_npz(file)["image"]) == 1  # not made again
    write_npz(file, **arrays | {"image": np.zeros((1, 28, 28), np.uint8)})
    changed = hashlib.md5(file.read_bytes()).hexdigest()
    done = run_stage(workspace, "collect_fooling", model="attacked", check=False)
    for part in (
        f"attacked/examples.npz has the MD5 {changed}, but params.yaml",
        fixed,
        "collect_fooling.digits.fixed",
        "git checkout -- reports/cells/digits/collect_fooling/attacked",
    ):
        assert part in done.stderr
    assert hashlib.md5(file.read_bytes()).hexdigest() == changed  # nothing is lost
    file.unlink()
    done = run_stage(workspace, "collect_fooling", model="attacked", check=False)
    assert "examples.npz is missing, but" in done.stderr


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_the_published_collection_is_the_fixed_one(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    fixed = params.load().collect_fooling[dataset].fixed
    folder = Path("reports/cells", dataset, "collect_fooling/attacked")
    assert fixed is not None
    collect_fooling.confirm(folder / "examples.npz", fixed, key="fixed")
    with pytest.raises(OvergenError, match="has the MD5"):
        collect_fooling.confirm(folder / "examples.npz", "0" * 32, key="fixed")
    found = read_npz(folder / "examples.npz")
    assert len(found["image"]) > 300
    assert (found["score"] > 0.9).all()
    assert read_json(folder / "metrics.json")["metrics"] == collect_fooling.rows(found)
