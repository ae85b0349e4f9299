"""What a cell takes: `budgets/times.csv` and the times of this checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from overgen import OvergenError
from overgen.run import driver, durations, params
from overgen.run.durations import DURATIONS, read_durations
from overgen.run.hints import COLUMNS, HERE, TIMES, Hint, hint, read_times
from overgen.run.pipeline import address, cells_of, read_stages

from workspace import ROOT

HEAD = ",".join(COLUMNS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    rows = [
        HEAD,
        "train_a@mnist-cnn,30,2,1.5,1/4,a fast one",
        "train_a@mnist,10,1,,,a slow one",
        '"train_a",8,1,,,"elsewhere, long ago"',
    ]
    (tmp_path / "budgets").mkdir()
    (tmp_path / TIMES).write_text("\n".join(rows) + "\n")
    (tmp_path / DURATIONS).parent.mkdir()
    return tmp_path


def test_the_longest_front_part_counts(checkout: Path) -> None:
    assert hint("train_a@mnist-cnn", checkout) == Hint(900, 2, 1.5, 0.25, "a fast one")
    assert hint("train_a@mnist-cnn_noise", checkout) == Hint(600, 1, None, None, "a slow one")
    assert hint("train_a@mnist_two-cnn", checkout) == Hint(480, 1, None, None, "elsewhere, long ago")
    assert hint("train_a", checkout) == hint("train_a@digits", checkout)
    assert hint("train_ab@mnist-cnn", checkout) is None
    assert hint("train", checkout) is None


def test_seconds_of_this_checkout_win(checkout: Path) -> None:
    (checkout / DURATIONS).write_text(json.dumps({"train_a@mnist-cnn": 12.5, "train_b@mnist": 3}))
    assert hint("train_a@mnist-cnn", checkout) == Hint(12.5, 2, 1.5, 0.25, HERE)
    assert hint("train_b@mnist", checkout) == Hint(3, None, None, None, HERE)
    assert hint("train_b@mnist-cnn", checkout) is None  # of that very stage alone
    assert hint("train_a@mnist-cool", checkout) == Hint(600, 1, None, None, "a slow one")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,1,1,,,x,y", "has 7 fields; expected 6"),
        ("a,one,1,,,x", "core_minutes is one; must be a number above 0"),
        ("a,0,1,,,x", "core_minutes is 0;"),
        ("a,nan,1,,,x", "core_minutes is nan;"),
        ("a,1,1.5,,,x", "cores is 1.5; must be a whole number"),
        ("a,1,1,-2,,x", "memory_gib is -2;"),
        ("a,1,1,,1/0,x", "gpu is 1/0;"),
        ("a,1,1,,3/2,x", "gpu is 3/2; must be a share of one GPU, at most 1"),
        ("a,,1,,,x", "core_minutes is empty"),
        (",1,1,,,x", "cell is empty"),
        ("a,1,1,,, ", "measured_on is empty"),
        ("train_a,1,1,,,x", "train_a stands on line 4 already; keep one"),
    ],
)
def test_a_bad_row_is_named_with_its_line(checkout: Path, row: str, message: str) -> None:
    with (checkout / TIMES).open("a") as file:
        file.write(f"{row}\n")
    with pytest.raises(OvergenError) as error:
        hint("train_a", checkout)
    assert str(error.value).startswith(f"{checkout / TIMES}, line 5: {message}")


def test_other_columns_no_file_no_text(checkout: Path) -> None:
    (checkout / TIMES).write_text("cell,seconds\n")
    with pytest.raises(OvergenError, match=f"line 1: columns cell,seconds; expected {HEAD}"):
        read_times(checkout / TIMES)
    (checkout / TIMES).write_bytes(b"\xff")
    with pytest.raises(OvergenError, match="not CSV in UTF-8"):
        read_times(checkout / TIMES)
    (checkout / TIMES).unlink()
    with pytest.raises(OvergenError, match="missing"):
        read_times(checkout / TIMES)


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": "b"}', '{"a": null}'])
def test_broken_durations_are_named(checkout: Path, text: str) -> None:
    (checkout / DURATIONS).write_text(text)
    with pytest.raises(OvergenError, match=r"durations\.json: no seconds by stage .*; delete it"):
        read_durations(checkout / DURATIONS)


def test_every_row_of_the_committed_table_is_of_a_cell() -> None:
    values = params.load(ROOT / "params.yaml").sections
    stages = read_stages(ROOT / "dvc.yaml")
    cells = {address(name, entry, item) for name, entry in stages.items() for item in cells_of(entry, values)}
    for row in read_times(ROOT / TIMES):
        assert any(cell == row or cell.startswith((f"{row}@", f"{row}-")) for cell in cells), row


def test_the_driver_writes_what_is_read_here(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert driver.write_durations is durations.write_durations
    monkeypatch.chdir(checkout)
    durations.write_durations({"train_a@mnist-cnn": 7.5})
    assert (hint("train_a@mnist-cnn") or pytest.fail("nothing is read")).seconds == 7.5


def test_a_hint_imports_neither_dvc_nor_numpy() -> None:
    script = "import sys, overgen.run.hints; print(sorted({'dvc', 'numpy', 'torch', 'ruamel'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
