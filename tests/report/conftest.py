"""The made-up study and its report, made once for all tests of reports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from overgen.report import style
from report_study import MadeUp, made_up_study


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # each has a folder of its own in this one
        folder = folder.parent
    return made_up_study(folder / "made-up")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not rendered, for tests of what is written about them."""

    def write_empty(figure: Any, folder: Path, name: str, *, dpi: int) -> None:
        Image.new("L", (40, 20)).save(folder / f"{name}.png")
        (folder / f"{name}.svg").write_text('<svg width="300pt"/>')
        style.plt.close(figure)

    monkeypatch.setattr(style, "save", write_empty)
