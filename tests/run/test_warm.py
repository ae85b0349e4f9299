"""Programs that start warm: as if they had started by themselves, only sooner. Of the bytes of cells: test_study."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from overgen.run.warm import Warm

from processes import environment
from workspace import ROOT

PROBE = """
import os, sys, time
before = {name for name in sys.modules if name.split(".")[0] == "overgen"}
print(sorted(before - {"overgen", "overgen.probe"}), "fractions" in sys.modules, sys.argv[1:], os.getcwd(),
      os.environ["PROBE"])
print(sys.stdin.read(), file=sys.stderr)
if "sleep" in sys.argv:
    open("pid", "w").write(str(os.getpid()))
    time.sleep(600)
if "raise" in sys.argv:
    raise ValueError("seen")
sys.exit(int(sys.argv[1]) if sys.argv[1].isdigit() else sys.argv[1])
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of overgen that has one more module, `probe`."""
    path = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "src/overgen", path / "overgen", ignore=shutil.ignore_patterns("__pycache__"))
    (path / "overgen/probe.py").write_text(PROBE)
    return path


@pytest.fixture(scope="module")
def warm(package: Path) -> Iterator[Warm]:
    """A warm process for that copy, which imports `fractions` in the place of torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(package))
        made = Warm(["fractions"])
        made.start()
    yield made
    made.close()


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str


Start = Callable[..., Callable[[], Ended]]


@pytest.fixture
def start(warm: Warm, package: Path, tmp_path: Path) -> Start:
    """Start the module from an empty folder: start("3")() waits for its end and gives how it ended."""

    def run(*arguments: str, by: Warm = warm) -> Callable[[], Ended]:
        names = [tmp_path / f"{stream}-{'-'.join(arguments)}" for stream in ("out", "err")]
        given = environment(PYTHONPATH=str(package), PROBE="told")
        with names[0].open("w") as out, names[1].open("w") as err:
            output = [out.fileno(), err.fileno()]
            reader = by.run("overgen.probe", arguments, folder=str(tmp_path), environment=given, output=output)

        def ended() -> Ended:
            with os.fdopen(reader) as stream:
                _, status = map(int, stream)
            return Ended(status, *(name.read_text() for name in names))

        return ended

    return run


def cold(package: Path, folder: Path, *arguments: str) -> Ended:
    command = [sys.executable, "-m", "overgen.probe", *arguments]
    given = environment(PYTHONPATH=str(package), PROBE="told")
    done = subprocess.run(command, cwd=folder, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_program_gets_all_that_it_was_started_with(start: Start, package: Path, tmp_path: Path) -> None:
    """Arguments, folder, environment, streams and exit status pass through; cold and warm print the same."""
    alone, warmly = cold(package, tmp_path, "3", "--x"), start("3", "--x")()
    assert alone.stdout == f"[] False ['3', '--x'] {tmp_path} told\n"
    # of overgen itself no stage's code is there before: it is read when the program starts
    assert warmly.stdout == f"['overgen.run'] True ['3', '--x'] {tmp_path} told\n"
    assert alone.stderr == warmly.stderr == "\n"
    assert alone.status == warmly.status == 3


@pytest.mark.parametrize(("argument", "status", "message"), [("0", 0, "\n"), ("text", 1, "text\n"),
                                                             ("raise", 1, "ValueError: seen\n")])  # fmt: skip
def test_a_program_ends_as_by_itself(
    start: Start, package: Path, tmp_path: Path, argument: str, status: int, message: str
) -> None:
    alone, warmly = cold(package, tmp_path, argument), start(argument)()
    assert alone.status == warmly.status == status
    assert alone.stderr.endswith(message)
    assert warmly.stderr.endswith(message)


def test_edited_code_is_met_as_it_is_now(start: Start, package: Path) -> None:
    path = package / "overgen/probe.py"
    try:
        path.write_text("print('edited now')\n")
        assert start("0")().stdout == "edited now\n"
    finally:
        path.write_text(PROBE)


def test_programs_run_side_by_side(start: Start) -> None:
    """Each gets its own streams and status."""
    for i, ended in reversed(list(enumerate([start(str(i)) for i in range(4)]))):
        found = ended()
        assert found.status == i
        assert f"['{i}']" in found.stdout


ASKER = """
import os, sys
from overgen.run.warm import Warm
warm = Warm(["fractions"])
warm.run("overgen.probe", ["sleep"], folder=os.getcwd(), environment=os.environ, output=[1, 2])
sys.stdin.read()
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_does_not_outlive_who_asked(package: Path, tmp_path: Path, sent: int) -> None:
    """Nor does the warm process."""
    given = environment(PYTHONPATH=str(package), PROBE="x")
    with subprocess.Popen([sys.executable, "-c", ASKER], cwd=tmp_path, env=given, stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        program = int((tmp_path / "pid").read_text())
        warm = int(Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()[1])
        assert process.pid not in (program, warm)
        process.send_signal(sent)
        process.wait()
    for left in (program, warm):
        while is_running(left):
            assert time.monotonic() < deadline, "it still runs"
            time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie, which waits for a parent that may never ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
