"""Whose code runs, and where commands work: in the checkout that they are started in, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from overgen import OvergenError, cli
from overgen.run.stage import execute


def test_the_code_of_another_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable install elsewhere would run its code, while DVC records the checksums of this folder's."""
    (tmp_path / "src/overgen").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    import overgen

    running = Path(overgen.__file__).parent.resolve()
    with pytest.raises(OvergenError, match=f"{running}, not this folder's {tmp_path}/src/overgen; run it in the"):
        execute("download", dataset="digits")
    assert list(tmp_path.rglob("*")) == [tmp_path / "src", tmp_path / "src/overgen"]


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OvergenError, match="this is no checkout of overgen"):
        execute("download", dataset="digits")


def test_commands_find_the_root_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "reports/cells").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "reports/cells")
    cli.enter_root()
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("command", [["sync"], ["ui"], ["readme"], ["figures"]])
def test_outside_a_checkout_a_command_refuses_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("sys.argv", ["overgen", *command])
    with pytest.raises(SystemExit, match="1"):
        cli.app()
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: neither it nor a folder above it holds dvc.yaml")
    assert list(tmp_path.iterdir()) == []
