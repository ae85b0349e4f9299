"""How far a work is: told after a while, in one form to a terminal and in another elsewhere, and never to a result."""

from __future__ import annotations

import io
import sys
import time
from concurrent.futures import Future
from itertools import pairwise
from threading import Thread

import pytest

from overgen import OvergenError
from overgen.run import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, as progress sees it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setenv(progress.SWITCH, "on")
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    return now


def work(clock: list[float], seconds: float, members: int = 3, updates: int = 4) -> None:
    """Members of so many updates, each of which takes so long."""
    with progress.titled("fool_fgn digits/cnn"):
        for _ in progress.steps(range(members), "member"):
            for update in progress.steps(range(updates), "update", lambda: f"fooled {len(clock)}/7"):
                assert update < updates
                clock[0] += seconds


def test_lines_come_after_six_seconds_and_then_every_ten(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, 4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fool_fgn digits/cnn: member 1 of 3, update 3 of 4, fooled 1/7; 8 s"
    seconds = [int(line.rpartition("; ")[2].removesuffix(" s")) for line in lines]
    assert all(later - earlier >= 10 for earlier, later in pairwise(seconds))
    assert lines[-1].startswith("fool_fgn digits/cnn: member 3 of 3")


def test_work_elsewhere_is_told_as_it_ends_and_its_errors_are_left_to_who_asks(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [Future[int]() for _ in range(3)]

    def end() -> None:
        for part in parts:
            time.sleep(0.05)
            clock[0] += 20
            part.set_exception(OvergenError("torn")) if part is parts[1] else part.set_result(1)

    thread = Thread(target=end)
    with progress.titled("report digits"):
        thread.start()
        progress.follow(parts, "figure")
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "report digits: figure 2 of 3; 20 s"
    assert lines[-1] == "report digits: figure 3 of 3; 60 s"
    assert all(part.done() for part in parts)


def test_short_work_and_other_ranks_are_silent(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    work(clock, 0.4)
    monkeypatch.setenv("RANK", "1")
    work(clock, 60)
    progress.ended("fool_fgn digits/cnn", "fooled none", 60)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(progress.SWITCH, "off")
    work(clock, 60)
    assert capsys.readouterr() == ("", "")


def test_beside_others_the_title_is_theirs_who_show_the_lines(
    clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(progress.SWITCH, "bare")
    work(clock, 60)
    assert capsys.readouterr().err.startswith("member 1 of 3, update 2 of 4")
    work(clock, 60, members=1)  # which says nothing
    assert capsys.readouterr().err.startswith("update 2 of 4")


def test_a_terminal_has_a_bar_that_goes(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    work(clock, 6)
    *bars, last = terminal.getvalue().split("\r\033[K")[1:]
    assert last == ""  # nothing is left
    assert all(len(bar) < 60 and "\n" not in bar for bar in bars)
    shares = [bar.count("#") for bar in bars]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] < progress.WIDTH


def test_work_that_fails_leaves_no_level(clock: list[float]) -> None:
    def fail() -> None:
        for _ in progress.steps([1], "member"):
            raise ZeroDivisionError

    with progress.titled("x") as board:
        with pytest.raises(ZeroDivisionError):
            fail()
        assert board.levels == []


def test_other_values_of_the_switch_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(progress.SWITCH, "yes")
    with pytest.raises(OvergenError, match="OVERGEN_PROGRESS='yes'"), progress.titled("x"):
        pass
