"""The stage report_page without its cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from overgen import OvergenError
from overgen.run.stage import execute

from workspace import make_workspace


def test_a_missing_cell_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_workspace(tmp_path / "workspace"))
    with pytest.raises(OvergenError, match=r"rings/train_rings/dae/metrics.json: missing; `dvc repro train_rings@"):
        execute("report_page", dataset="rings")
