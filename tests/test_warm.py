"""Programs that start warm: as if they had started by themselves, only sooner."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT, Run, environment, hears_ctrl_c, make_workspace, set_params, warm_process

PROBE = """
import os, sys, time
before = {name for name in sys.modules if name.split(".")[0] == "overgen"}
print(sorted(before - {"overgen"}), "torch" in sys.modules, sys.argv[1:], os.getcwd(), os.environ["PROBE"])
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
def address(package: Path) -> Iterator[str]:
    """Of a warm process for that copy."""
    with warm_process(PYTHONPATH=str(package)) as found:
        yield found


@pytest.fixture
def probe(package: Path, tmp_path: Path) -> Run:
    """Run the module from an empty folder: probe("3", OVERGEN_WARM=address)."""

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "overgen.run", "probe", *arguments]
        given = environment(PYTHONPATH=str(package), PROBE="told", **extra)
        return subprocess.run(command, cwd=tmp_path, env=given, input="asked", capture_output=True, text=True)

    return run


def test_a_program_gets_all_that_it_was_started_with(probe: Run, address: str, tmp_path: Path) -> None:
    """Arguments, folder, environment, streams and exit status pass through; cold and warm print the same."""
    cold, warm = probe("3", "--x"), probe("3", "--x", OVERGEN_WARM=address)
    assert cold.stdout == f"[] False ['3', '--x'] {tmp_path} told\n"
    # of overgen itself no stage's code is there before: it is read when the program starts
    assert warm.stdout == f"['overgen.run'] True ['3', '--x'] {tmp_path} told\n"
    assert cold.stderr == warm.stderr == "asked\n"
    assert cold.returncode == warm.returncode == 3


@pytest.mark.parametrize(("argument", "status", "message"), [("0", 0, "asked\n"), ("text", 1, "text\n"),
                                                             ("raise", 1, "ValueError: seen\n")])  # fmt: skip
def test_a_program_ends_as_by_itself(probe: Run, address: str, argument: str, status: int, message: str) -> None:
    cold, warm = probe(argument), probe(argument, OVERGEN_WARM=address)
    assert cold.returncode == warm.returncode == status
    assert cold.stderr.endswith(message)
    assert warm.stderr.endswith(message)


def test_edited_code_is_met_as_it_is_now(probe: Run, address: str, package: Path) -> None:
    path = package / "overgen/probe.py"
    try:
        path.write_text("print('edited now')\n")
        assert probe("0", OVERGEN_WARM=address).stdout == "edited now\n"
    finally:
        path.write_text(PROBE)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_does_not_outlive_who_asked(address: str, package: Path, tmp_path: Path, sent: int) -> None:
    given = environment(PYTHONPATH=str(package), PROBE="x", OVERGEN_WARM=address)
    command = [sys.executable, "-m", "overgen.run", "probe", "sleep"]
    process = subprocess.Popen(command, cwd=tmp_path, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    program = int((tmp_path / "pid").read_text())
    assert program != process.pid
    process.send_signal(sent)
    process.wait()
    while Path(f"/proc/{program}").exists() and os.access(f"/proc/{program}", os.F_OK):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.01)


def test_programs_run_side_by_side(address: str, package: Path, tmp_path: Path) -> None:
    """Each gets its own streams and status, and one that is killed before it asks harms none."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(address)
    given = environment(PYTHONPATH=str(package), PROBE="x", OVERGEN_WARM=address)
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([sys.executable, "-m", "overgen.run", "probe", str(i)], cwd=tmp_path, env=given, stdin=pipe,
                         stdout=pipe, stderr=pipe, text=True)
        for i in range(4)
    ]  # fmt: skip
    for i, process in reversed(list(enumerate(started))):
        output, errors = process.communicate(f"input {i}", timeout=60)
        assert process.returncode == i
        assert f"['{i}']" in output
        assert errors == f"input {i}\n"


def test_ctrl_c_ends_programs_command_and_warm_process(package: Path, tmp_path: Path) -> None:
    """SIGINT to the whole group, as a terminal sends it: in the middle of a program, and while the imports go on."""
    for when in ("running", "importing"):
        folder = tmp_path / when
        folder.mkdir()
        command = [sys.executable, "-m", "overgen.warm", sys.executable, "-m", "overgen.run", "probe", "sleep"]
        process = subprocess.Popen(
            command, cwd=folder, env=environment(PYTHONPATH=str(package), PROBE="x"), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=hears_ctrl_c,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while when == "running" and not ((folder / "pid").exists() and (folder / "pid").read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.0 if when == "running" else 1.0)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) != 0
        assert when == "running" or not (folder / "pid").exists()  # the program was never started


def test_without_its_warm_process_a_program_starts_by_itself_and_says_so(probe: Run, tmp_path: Path) -> None:
    done = probe("3", OVERGEN_WARM=str(tmp_path / "gone"))
    assert done.returncode == 3
    assert f"warning: OVERGEN_WARM={tmp_path / 'gone'}: " in done.stderr
    assert done.stdout.startswith("[] False")


def test_the_command_ends_the_warm_process_with_its_own_status(tmp_path: Path) -> None:
    script = 'echo "$OVERGEN_WARM"; test -S "$OVERGEN_WARM" && exit 7'
    command = [sys.executable, "-m", "overgen.warm", "sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 7
    assert not Path(done.stdout.strip()).parent.exists()
    command = [sys.executable, "-m", "overgen.warm", "sh", "-c", "kill -9 $$"]
    assert subprocess.run(command, cwd=tmp_path, env=environment()).returncode == 128 + 9


def test_a_stage_writes_the_same_bytes_cold_and_warm(tmp_path: Path, digits: Path, run_stage: Run) -> None:
    cold, warm = (make_workspace(tmp_path / name, digits) for name in ("cold", "warm"))
    for workspace in (cold, warm):
        set_params(workspace / "params.yaml", {"classifiers": ["cnn", "lenet"], "evolved": ["cnn", "dae_sym", "lenet"]})
    for stage in ("train_classifier", "fool_evolution"):
        run_stage(warm, stage, model="lenet")
        run_stage(cold, stage, model="lenet", OVERGEN_WARM="")
    files = [sorted(p.relative_to(w) for f in ("models", "reports") for p in (w / f).rglob("*")) for w in (cold, warm)]
    assert len(files[0]) > 10
    assert files[0] == files[1]
    for name in files[0]:
        assert (cold / name).is_dir() or (cold / name).read_bytes() == (warm / name).read_bytes(), name
