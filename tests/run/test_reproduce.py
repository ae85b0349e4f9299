"""`overgen reproduce` against `dvc repro` on small pipelines: the same stages run, the same bytes of dvc.lock."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path

import dvc.cli
import dvc.dependency.param as dvc_param
import dvc.dvcfile
import dvc.repo.reproduce
import dvc.stage
import dvc.stage.decorators
import dvc.stage.run
import pytest
import yaml
from dvc.repo import Repo
from dvc.utils.serialize import parse_yaml

import overgen.run.commands
import overgen.run.reproduce
from overgen import OvergenError
from overgen.run.commands import warm_arguments
from overgen.run.durations import DURATIONS
from overgen.run.dvc_params import params_read_once
from overgen.run.lockfile import LockFile
from overgen.run.reproduce import reproduce
from overgen.run.warm import Warm

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie

SOURCE = Path(overgen.run.reproduce.__file__).parents[2]
DRIVER = """
import sys; from overgen.run import reproduce as r
{}
sys.exit(r.reproduce(sys.argv[2:], jobs=int(sys.argv[1])))
"""

# Fan-out by a matrix, a diamond, a folder as output; parameters of one cell; outputs kept, uncached and measured.
PIPELINE = """
stages:
  first:
    cmd: echo first >> ../log && cat source > first.txt && touch kept
    deps: [source]
    params: [base]
    outs:
      - first.txt
      - kept: {persist: true}
  cell:
    matrix: {name: "${names}"}
    cmd: echo ${item.name} >> ../log && mkdir -p cells/${item.name} && echo ${item.name} > cells/${item.name}/x
    deps: [first.txt]
    params: ["cell.${item.name}"]
    outs:
      - cells/${item.name}: {cache: false}
  single:
    cmd: echo single >> ../log && echo 1 > single.txt && echo 1 > score.json
    deps: [first.txt]
    outs: [single.txt]
    metrics:
      - score.json: {cache: false}
  join:
    cmd:
      - echo join >> ../log
      - cat cells/*/x single.txt > joined.txt
    deps: [cells, single.txt]
    params: [names, base, cell, 'cell.b']
    outs: [joined.txt]
  alone:
    cmd: echo alone >> ../log && echo 1 > alone.txt
    outs: [alone.txt]
"""
# The keys `cell` and `cell.b` share values, which DVC writes as an anchor: dvc.lock is then DVC's to write.
PARAMS = "names: [b, a, c]\nbase: 1\ncell: {a: 1, b: {x: [1, 2], y: 1.0e-5}, c: 'text: yes'}\n"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of Git and DVC with nothing in it."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
    Repo.init(str(folder)).close()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    return folder


@pytest.fixture
def twins(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Twins:
    return Twins(empty, tmp_path, monkeypatch)


class Twins:
    """Two copies of a repository: in one `dvc repro` runs, in the other the driver."""

    def __init__(self, empty: Path, parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders = (parent / "dvc/repo", parent / "overgen/repo")
        self.chdir = monkeypatch.chdir
        for folder in self.folders:
            shutil.copytree(empty, folder)
            (folder.parent / "log").touch()

    def write(self, files: dict[str, str]) -> None:
        for folder in self.folders:
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)

    def remove(self, name: str) -> None:
        for folder in self.folders:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    def run(self, *targets: str, jobs: int = 3, force: bool = False, status: int = 0) -> list[str]:
        """Bring both up to date. Returns the names of the stages that ran; the two must agree on all."""
        theirs, ours = self.folders
        self.chdir(theirs)
        assert bool(dvc.cli.main(["repro", *(["-f"] if force else []), *targets])) == bool(status)
        self.chdir(ours)
        assert reproduce(targets, jobs=jobs, force=force) == status
        logs = [sorted((folder.parent / "log").read_text().split()) for folder in self.folders]
        for folder in self.folders:
            (folder.parent / "log").write_text("")
        if not status:
            self.same()
        assert logs[0] == logs[1]
        return logs[1]

    def same(self) -> None:
        """Assert that the files of both are the same, and that DVC finds nothing to do in either."""
        theirs, ours = self.folders
        assert (ours / "dvc.lock").read_text() == (theirs / "dvc.lock").read_text()
        files = [  # the lines of .gitignore, which DVC adds as stages end, in any order
            {path.relative_to(folder): sorted(path.read_text().splitlines()) for path in folder.rglob("*")
             if path.is_file() and path.relative_to(folder).parts[0] not in (".git", ".dvc", ".overgen")}
            for folder in self.folders
        ]  # fmt: skip
        assert files[0] == files[1]
        assert stored(ours) == stored(theirs)


def stored(folder: Path) -> list[str]:
    """The names of what DVC's cache holds; of the run cache, whose entries are named by what they hold, too."""
    cache = folder / ".dvc/cache"
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())


def one(twins: Twins, files: dict[str, str]) -> Path:
    """Write files into the driver's copy only, and go there."""
    twins.write(files)
    twins.chdir(twins.folders[1])
    return twins.folders[1]


@pytest.fixture
def driver() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the driver as a process of its own: jobs, then targets. before: what is run in it first."""
    started = []

    def start(*arguments: str, before: str = "pass") -> subprocess.Popen[str]:
        started.append(subprocess.Popen(
            [sys.executable, "-c", DRIVER.format(before), *arguments], env=os.environ | {"PYTHONPATH": str(SOURCE)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ))  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        with process:  # closes its pipes and waits
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)


Driver = Callable[..., "subprocess.Popen[str]"]


def locked(folder: Path) -> dict[str, dict]:
    return parse_yaml((folder / "dvc.lock").read_text(), "dvc.lock")["stages"]


def up_to_date(folder: Path) -> bool:
    with Repo(str(folder)) as repo:
        return not repo.status()


def test_a_study_through_its_edits(twins: Twins) -> None:
    twins.write({"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "source": "s\n"})
    assert twins.run() == ["a", "alone", "b", "c", "first", "join", "single"]
    assert twins.run() == []
    assert all(map(up_to_date, twins.folders))
    twins.write({"params.yaml": PARAMS.replace("a: 1", "a: 2")})
    assert twins.run() == ["a", "join"]
    twins.write({"params.yaml": PARAMS, "source": "t\n"})
    assert twins.run("single") == ["first", "single"]
    assert twins.run() == ["a", "b", "c"]  # what they wrote is what was there
    twins.remove("cells/c")
    assert twins.run() == ["c"]
    twins.remove("joined.txt")
    assert twins.run() == []  # from the run cache
    twins.write({"params.yaml": PARAMS.replace("[b, a, c]", "[b, c, d]").replace("c: '", "d: [], c: '")})
    twins.run()
    assert twins.run("single", force=True) == ["first", "single"]


def test_new_stages_stand_in_dvcs_order_whichever_ends_first(twins: Twins) -> None:
    twins.write({"dvc.yaml": """
stages:
  slow: {cmd: sleep 0.4 && echo slow >> ../log && touch slow, outs: [slow]}
  quick: {matrix: {n: [2, 1]}, cmd: "echo quick${item.n} >> ../log && touch q${item.n}", outs: ["q${item.n}"]}
"""})  # fmt: skip
    assert twins.run() == ["quick1", "quick2", "slow"]
    assert list(locked(twins.folders[1])) == ["slow", "quick@2", "quick@1"]


KINDS = """
stages:
  frozen:
    cmd: echo frozen >> ../log && cat upstream.txt > frozen.txt
    frozen: true
    deps: [upstream.txt]
    outs: [frozen.txt]
  upstream:
    cmd: echo upstream >> ../log && cat data.txt > upstream.txt
    deps: [data.txt]
    outs: [upstream.txt]
  always:
    cmd: echo always >> ../log && echo 1 > always.txt
    always_changed: true
    deps: [data.txt]
    outs: [always.txt]
  callback:
    cmd: echo callback >> ../log
  below:
    cmd: echo below >> ../log && cat frozen.txt kept > below.txt
    deps: [frozen.txt, always.txt]
    outs: [below.txt]
  grows:
    cmd: echo grows >> ../log && echo more >> kept
    deps: [data.txt]
    outs:
      - kept: {persist: true, cache: false}
"""


def test_frozen_persistent_always_and_callback_stages_and_data(twins: Twins) -> None:
    twins.write({"dvc.yaml": KINDS.replace("    frozen: true\n", "").replace("[frozen.txt, a", "[frozen.txt, kept, a")})
    twins.write({"data.txt": "1\n"})
    for folder in twins.folders:
        twins.chdir(folder)
        assert dvc.cli.main(["add", "-q", "data.txt"]) == 0
    assert twins.run() == ["always", "below", "callback", "frozen", "grows", "upstream"]
    twins.write({"dvc.yaml": KINDS.replace("[frozen.txt, a", "[frozen.txt, kept, a")})
    twins.remove("data.txt")
    twins.write({"data.txt": "2\n"})
    assert twins.run() == ["always", "below", "callback", "grows", "upstream"]
    assert (twins.folders[1] / "kept").read_text() == "more\nmore\n"
    assert (twins.folders[1] / "frozen.txt").read_text() == "1\n"
    twins.remove("frozen.txt")
    assert twins.run("below", status=1) == []


def test_it_fails_as_dvc_does_and_keeps_what_is_done(twins: Twins, driver: Driver) -> None:
    cmd = "while [ ! -e begun ]; do sleep 0.01; done; echo it is bad; exit 3"
    folder = one(twins, {"dvc.yaml": f"""
stages:
  good: {{cmd: "touch begun && sleep 0.5 && touch good", outs: [good]}}
  bad: {{cmd: "{cmd}", outs: [bad]}}
  late: {{cmd: touch late, outs: [late]}}
  below: {{cmd: touch below, deps: [bad], outs: [below]}}
"""})  # fmt: skip
    process = driver("2")
    out, err = process.communicate()
    assert process.returncode == 1
    assert "bad | it is bad\n" in out
    assert f"ERROR: failed to reproduce 'bad': failed to run: {cmd}, exited with 3\n" in err
    assert "WARNING: 'good' will end; no other stage is started\n" in err
    assert list(locked(folder)) == ["good"]
    assert not (folder / "late").exists()
    text = (folder / "dvc.yaml").read_text()
    (folder / "dvc.yaml").write_text(text.replace("exit 3", "touch bad"))
    assert reproduce(jobs=2) == 0
    assert list(locked(folder)) == ["good", "bad", "late", "below"]
    assert up_to_date(folder)


@pytest.mark.parametrize(
    ("stage", "targets", "message"),
    [
        ("{cmd: 'true', outs: [x]}", [], "failed to reproduce 's': output 'x' does not exist"),
        ("{cmd: touch y, deps: [x], outs: [y]}", [], "failed to reproduce 's': [Errno 2] No such file"),
        ("{cmd: touch y, outs: [y]}", ["z"], "Stage 'z' not found inside 'dvc.yaml' file"),
    ],
)
def test_errors_are_dvcs(twins: Twins, driver: Driver, stage: str, targets: list[str], message: str) -> None:
    one(twins, {"dvc.yaml": f"stages: {{s: {stage}}}", "params.yaml": "p: 1"})
    process = driver("2", *targets)
    _, err = process.communicate()
    assert process.returncode == 1
    theirs = subprocess.run([sys.executable, "-m", "dvc", "repro", *targets], capture_output=True, text=True).stderr
    assert message in err
    assert err.splitlines()[0] == theirs.splitlines()[0]


def test_the_check_comes_before_dvc(twins: Twins) -> None:
    folder = one(twins, {"dvc.yaml": "stages: {s: {cmd: touch x, outs: [x]}}"})

    def refuse() -> None:
        raise OvergenError("params.yaml, line 1: a typo")

    before = sorted(folder.rglob("*"))
    with pytest.raises(OvergenError, match="a typo"):
        reproduce(check=refuse)
    assert sorted(folder.rglob("*")) == before


def test_stages_run_side_by_side_within_bounds(twins: Twins) -> None:
    waits = "touch begun-{0}; until [ -e begun-{1} ]; do sleep 0.01; done; touch {0}"
    alone = "mkdir busy && sleep 0.1 && rmdir busy && touch {0}"
    stages = {name: {"cmd": waits.format(name, other), "outs": [name]} for name, other in ("ab", "ba")}
    stages |= {name: {"cmd": alone.format(name), "deps": ["a", "b"], "outs": [name]} for name in ("wide1", "wide2")}
    folder = one(twins, {"dvc.yaml": yaml.safe_dump({"stages": stages})})
    assert reproduce(jobs=2, width=lambda name: 5 if name.startswith("wide") else 1) == 0
    assert len(locked(folder)) == 4


@pytest.mark.parametrize(
    ("name", "ours", "theirs"), [("OMP_WAIT_POLICY", "PASSIVE", "ACTIVE"), ("OPENBLAS_THREAD_TIMEOUT", "4", "26")]
)
def test_threads_of_stages_sleep_while_they_wait_unless_told_otherwise(
    twins: Twins, monkeypatch: pytest.MonkeyPatch, name: str, ours: str, theirs: str
) -> None:
    folder = one(twins, {"dvc.yaml": f"stages: {{s: {{cmd: printenv {name} > x, outs: [x]}}}}"})
    for own, told in ((None, ours), (theirs, theirs)):
        monkeypatch.delenv(name, raising=False)
        if own:
            monkeypatch.setenv(name, own)
        assert reproduce(force=True) == 0
        assert (folder / "x").read_text().strip() == told


def test_the_longest_path_goes_first(twins: Twins) -> None:
    stages = {
        name: {"cmd": f"echo {name} >> order && touch {name}", "outs": [name], "deps": deps}
        for name, deps in {"one": [], "two": [], "three@x": [], "below": ["two"]}.items()
        if "@" not in name
    }
    folder = one(twins, {"dvc.yaml": yaml.safe_dump({"stages": stages}, sort_keys=False)})
    DURATIONS.parent.mkdir()
    DURATIONS.write_text('{"one": 5.0, "two": 1.0, "below": 60.0}')
    assert reproduce(jobs=2, width=lambda _: 2) == 0
    assert (folder / "order").read_text().split() == ["two", "below", "one"]
    assert DURATIONS.read_text().startswith('{\n "below": 0.')
    (folder / "order").unlink()
    DURATIONS.write_text("not JSON")
    assert reproduce(force=True) == 0
    assert (folder / "order").read_text().split() == ["one", "two", "below"]


def test_output_is_under_the_name_of_its_stage(twins: Twins, driver: Driver) -> None:
    cmd = "printf 'one\\rtwo\\nthree' && echo four >&2 && touch a"
    one(twins, {"dvc.yaml": yaml.safe_dump({"stages": {"a": {"cmd": f"(sleep 15 &) ; {cmd}", "outs": ["a"]}}})})
    began = time.monotonic()
    out, err = driver("2").communicate()
    assert time.monotonic() - began < 12  # what a stage leaves behind is not waited for
    lines = out.splitlines()
    assert lines[:3] == [f"a > (sleep 15 &) ; {cmd}", "a | two", "a | threefour"]
    assert re.fullmatch(r"Stage 'a' took \d+\.\d s \(1 of 1\)", lines[3])
    assert lines[-1] == "1 stages ran."
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"a": {"cmd": cmd, "outs": ["a"]}}}))
    out, err = driver("1").communicate()
    assert out.startswith(f"Running stage 'a':\n> {cmd}\none\ntwo\nthreeStage 'a' took ")  # text files read \r as \n
    assert "four\n" in err


def test_cells_are_counted_those_that_are_up_to_date_too(twins: Twins, driver: Driver) -> None:
    cells = {name: f"reports/cells/{name}" for name in "abc"}
    stages = {name: {"cmd": f"mkdir -p {cell} && touch {cell}/x", "outs": [cell]} for name, cell in cells.items()}
    stages["page"] = {"cmd": "touch page", "deps": [*cells.values()], "outs": ["page"]}
    one(twins, {"dvc.yaml": yaml.safe_dump({"stages": stages})})
    began = [line for line in driver("1").communicate()[0].splitlines() if line.startswith("cell ")]
    assert began == ["cell 1 of 3: a", "cell 2 of 3: b", "cell 3 of 3: c"]  # a page is none
    stages["b"]["cmd"] += " && touch reports/cells/b/y"
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    began = [line for line in driver("1").communicate()[0].splitlines() if line.startswith("cell ")]
    assert len(began) == 1
    assert re.fullmatch(r"cell [123] of 3: b", began[0])  # counted in the order in which they are looked at


def test_a_command_may_call_dvc(twins: Twins) -> None:
    lock = "import zc.lockfile; zc.lockfile.LockFile('.dvc/tmp/lock')"
    one(twins, {"dvc.yaml": f'stages: {{s: {{cmd: {sys.executable} -c "{lock}" && touch x, outs: [x]}}}}'})
    assert reproduce() == 0


START = """
stages:
  quick: {cmd: touch quick, outs: [quick]}
  long: {cmd: "(sleep MINUTE; touch late) & touch begun; wait", outs: [long]}
  deaf: {cmd: "trap '' INT TERM; touch deaf-begun; sleep MINUTE; sleep MINUTE", deps: [quick], outs: [deaf]}
"""


@pytest.mark.parametrize(
    ("shell", "number", "status"),
    [("/bin/sh", signal.SIGINT, 130), ("/bin/bash", signal.SIGINT, 130), ("/bin/sh", signal.SIGTERM, 143)],
)
def test_it_can_be_stopped(
    twins: Twins, driver: Driver, monkeypatch: pytest.MonkeyPatch, shell: str, number: int, status: int
) -> None:
    if not Path(shell).exists():
        pytest.skip(f"there is no {shell}")
    monkeypatch.setenv("SHELL", shell)  # which DVC takes
    minute = f"60.{time.monotonic_ns()}"  # no other process sleeps for that long
    folder = one(twins, {"dvc.yaml": START.replace("MINUTE", minute)})
    process = driver("2", before="import overgen.run.driver; overgen.run.driver.PATIENCE = 0.5")
    until(lambda: (folder / "deaf-begun").exists() and (folder / "begun").exists())
    process.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == status
    assert "Stage 'quick' took" in out
    assert f"interrupted ({signal.Signals(number).name}): " in err
    assert "'long'" in err
    assert "'deaf'" in err
    assert list(locked(folder)) == ["quick"]
    assert minute not in subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True).stdout
    with Repo(str(folder)) as repo:
        assert "quick" not in repo.status()


def test_it_can_be_stopped_while_the_warm_process_is_still_importing(twins: Twins, driver: Driver) -> None:
    one(twins, {
        "dvc.yaml": "stages: {a: {cmd: python -m stage a, outs: [a]}, b: {cmd: python -m stage b, outs: [b]}}",
        "stage.py": "import time; time.sleep(1); open('ran', 'w').close()",
        "slow.py": "import time; open('importing', 'w').close(); time.sleep(1)",
    })  # fmt: skip
    process = driver("1", before=SLOW)
    until(Path("importing").exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "'a' did not finish" in err
    assert not Path("ran").exists()


SLOW = """
import overgen.run.commands, overgen.run.warm
overgen.run.commands.STAGE_MODULE = "stage"
r.Warm = lambda: overgen.run.warm.Warm(["slow"])
"""


COLD = """
import os, time
from overgen.run import __main__, stage

def command(arguments):
    with open("pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.new", "pid")
    time.sleep(60)

stage.command = command
__main__.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_cold_stage_dies_with_a_killed_driver(
    twins: Twins, driver: Driver, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    """By SIGKILL, which lets the driver end nothing itself; the stage then starts anew."""
    if not Path(shell).exists():
        pytest.skip(f"there is no {shell}")
    monkeypatch.setenv("SHELL", shell)  # which DVC takes
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    one(twins, {"dvc.yaml": "stages: {a: {cmd: python -m cold a, outs: [a]}}", "cold.py": COLD})
    process = driver("1", before="import overgen.run.commands; overgen.run.commands.STAGE_MODULE = 'cold'")
    until(Path("pid").exists)
    cold = Path("/proc", Path("pid").read_text(), "stat")
    assert cold.read_text().rpartition(")")[2].split()[0] != "Z"
    process.kill()
    process.wait()
    until(lambda: not cold.exists() or cold.read_text().rpartition(")")[2].split()[0] == "Z")


def test_it_waits_for_another_and_for_what_a_killed_one_left(twins: Twins, driver: Driver) -> None:
    cmd = "echo begin >> order; touch begun; until test -e go; do sleep 0.1; done; echo end >> order; touch out"
    folder = one(twins, {"dvc.yaml": yaml.safe_dump({"stages": {"s": {"cmd": cmd, "outs": ["out"]}}})})
    first = driver("1")
    until((folder / "begun").exists)
    second = driver("1")
    assert second.stderr is not None
    waits = second.stderr.readline()
    assert f"(process {first.pid})" in waits
    assert "waiting" in waits
    first.kill()
    first.wait()  # DVC asks whether the process still exists
    (folder / "go").touch()
    second.communicate(timeout=120)
    assert second.returncode == 0
    assert (folder / "order").read_text().split() == ["begin", "end", "begin", "end"]


def test_it_can_be_paused(twins: Twins, driver: Driver) -> None:
    folder = one(twins, {"dvc.yaml": "stages: {s: {cmd: 'while :; do date +%N > clock; sleep 0.01; done', outs: [x]}}"})
    process = driver("1")
    clock = folder / "clock"

    def ticks() -> bool:
        before = clock.read_text()
        time.sleep(0.3)
        return clock.read_text() != before

    until(clock.exists)
    process.send_signal(signal.SIGTSTP)
    until(lambda: not ticks())
    process.send_signal(signal.SIGCONT)
    until(ticks)
    process.terminate()
    assert process.wait(30) == 143


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# The warm process.

PROGRAM = """
import os, signal, sys, time
print("argv", sys.argv[1:], os.environ["MARK"], os.getcwd())
print("fractions" in sys.modules, __name__, os.getpgrp() == os.getpid())
print("error", file=sys.stderr)
if sys.argv[1] == "sleep":
    open("begun", "w").close()
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warm]:
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    made = Warm(["fractions"])
    yield made
    made.close()


def answer(reader: int) -> list[int]:
    with os.fdopen(reader) as stream:
        return [int(line) for line in stream]


def test_warm_programs(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for status in (0, 3):
        with open("out", "w+") as out, open("err", "w+") as err:
            reader = warm.run("program", [str(status), "b c"], folder=str(tmp_path / "there"),
                              environment={"MARK": "m"}, output=[out.fileno(), err.fileno()])  # fmt: skip
            pid, ended = answer(reader)
            assert ended == status
            assert pid > 1
        said = Path("out").read_text()
        assert said == f"argv {[str(status), 'b c']} m {tmp_path / 'there'}\nTrue __main__ True\n"
        assert Path("err").read_text() == "error\n"


def test_warm_programs_end_with_it_and_by_signals(warm: Warm, tmp_path: Path) -> None:
    readers = []
    with open("out", "w") as out:
        for name in ("one", "two"):
            Path(name).mkdir()
            readers.append(warm.run("program", ["sleep"], folder=str(tmp_path / name), environment={"MARK": ""},
                                    output=[out.fileno(), out.fileno()]))  # fmt: skip
    until(lambda: Path("one/begun").exists() and Path("two/begun").exists())
    pid = int(os.read(readers[0], 64))
    os.killpg(pid, signal.SIGTERM)
    assert answer(readers[0]) == [128 + signal.SIGTERM]
    other = int(os.read(readers[1], 64))
    warm.close()
    until(lambda: not Path(f"/proc/{other}").exists())
    assert answer(readers[1]) == []


def test_the_driver_starts_stages_warm(
    twins: Twins, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = (
        "import sys, os; print('warm' if 'fractions' in sys.modules else 'cold', os.environ['DVC_STAGE']); "
        "open(sys.argv[1], 'w').close()"
    )
    stages = {name: {"cmd": f"python -m stage {name}", "outs": [name]} for name in "abc"}
    stages["last"] = {"cmd": "python -m stage last", "deps": list("abc"), "outs": ["last"]}
    one(twins, {"dvc.yaml": yaml.safe_dump({"stages": stages}), "stage.py": program})
    monkeypatch.setattr(overgen.run.commands, "STAGE_MODULE", "stage")
    monkeypatch.setattr(overgen.run.reproduce, "Warm", lambda: Warm(["fractions"]))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    assert reproduce(jobs=2) == 0
    said = [line for line in capfd.readouterr().out.splitlines() if " | " in line]
    assert sorted(said) == ["a | warm a", "b | warm b", "c | warm c", "last | warm last"]
    stages["last"]["deps"] = []
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    assert reproduce(["last"], jobs=2, force=True) == 0
    assert "last | cold last" in capfd.readouterr().out  # alone it would wait for imports that are not its own
    assert reproduce(["last"], jobs=2, force=True, check=lambda: True) == 0
    assert "last | warm last" in capfd.readouterr().out  # it was started at once


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("python -m overgen.run fool_fgn --dataset digits", ["fool_fgn", "--dataset", "digits"]),
        ("python -m overgen.run.code", None),
        ("python -m overgen.run a > b", None),
        ("python -m overgen.run $A", None),
        ("echo python -m overgen.run a", None),
    ],
)
def test_what_can_start_warm(command: str, arguments: list[str] | None) -> None:
    assert warm_arguments(command) == arguments


# What is borrowed of DVC.


def test_parameters_are_read_as_dvc_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS + "list: [{a: 1}, 2]\n8: {x: 1}\nnone: null\nd: {'a.b': 1, a: {c: 2}}\n")
    keys = ["names", "cell", "cell.b", "cell.b.x", "cell.z", "zzz", "list.0", "list.0.a", "8", "8.x", "none", "none.x",
            "base.x", "d", "d.a.b", "d.a.c", "cell.x*"]  # fmt: skip
    from dvc.fs import localfs

    for key in [[key] for key in keys if "*" not in key] + [keys]:
        theirs = dvc_param.read_param_file(localfs, "params.yaml", key, flatten=True)
        with params_read_once():
            ours = dvc_param.read_param_file(localfs, "params.yaml", key, flatten=True)
            Path("params.yaml").touch()
            again = dvc_param.read_param_file(localfs, "params.yaml", key, flatten=True)
        assert ours == theirs == again
        assert list(ours) == list(theirs)
    with params_read_once():
        assert dvc_param.read_param_file(localfs, "params.yaml", ["base"], flatten=True) == {"base": 1}
        Path("params.yaml").write_text("base: 22\n")
        assert dvc_param.read_param_file(localfs, "params.yaml", ["base"], flatten=True) == {"base": 22}


def test_the_lock_is_what_dvc_writes(twins: Twins) -> None:
    """Of values that are hard to write, and where a person has left a comment."""
    values = {
        "numbers": [1e-5, 1.0e-7, 1e20, 0.1, -0.0, float("inf"), 10**30, 1e16, True, None],
        "texts": [
            "1e-05",
            "yes",
            "",
            " x",
            "a: b",
            "- a",
            "é #",
            "x" * 70 + " " + "y" * 70,
            "a\nb\n\nc  ",
            "2001-01-01",
        ],
        "nested": [[1, [2]], [], {}, {"a": [{"b": None}]}],
        "base": 1,
    }
    stage = {"cmd": "echo s >> ../log\n# comment\ntouch x", "params": list(values), "outs": ["x"]}
    other = {"cmd": "echo o >> ../log && touch y", "params": ["base", "nested"], "outs": ["y"]}
    twins.write({"dvc.yaml": yaml.safe_dump({"stages": {"s": stage, "o": other}})})
    twins.write({"params.yaml": yaml.safe_dump(values)})
    assert twins.run(jobs=1) == ["o", "s"]
    text = (twins.folders[1] / "dvc.lock").read_text()
    twins.write({"dvc.lock": text.replace("2.0'\n", "2.0'  # kept\n")})
    twins.write({"params.yaml": yaml.safe_dump(values | {"base": 2})})
    assert twins.run(jobs=1) == ["o", "s"]
    assert "# kept" in (twins.folders[1] / "dvc.lock").read_text()


def test_the_lock_is_rarely_rewritten_by_dvc(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = one(twins, {"dvc.yaml": PIPELINE.replace(", 'cell.b'", ""), "params.yaml": PARAMS, "source": "s\n"})
    monkeypatch.setattr("dvc.dvcfile.ProjectFile.dump_stages", lambda *_, **__: pytest.fail("DVC writes dvc.lock"))
    assert reproduce(jobs=2) == 0
    assert len(locked(folder)) == 7
    with Repo() as repo:
        lock = LockFile(repo.index.stages[0].dvcfile, [])
        before = (folder / "dvc.lock").stat().st_mtime_ns
        lock.put(repo.index.stages[0])
        assert (folder / "dvc.lock").stat().st_mtime_ns == before


def test_dvc_is_the_one_that_the_driver_knows() -> None:
    """`_begin`, `_finish`, `_paths_locked` and `Command` follow these: read them again when this fails."""
    known = [
        dvc.stage.Stage.run, dvc.stage.Stage.reproduce, dvc.stage.run.run_stage, dvc.stage.run.cmd_run,
        dvc.stage.run._run, dvc.stage.run._make_cmd, dvc.stage.run.prepare_kwargs, dvc.stage.decorators.rwlocked,
        dvc.stage.decorators.unlocked_repo, dvc.repo.reproduce._reproduce_stage, dvc.repo.reproduce.plan_repro,
        dvc.dvcfile.Lockfile.dump_stages, dvc.dependency.param.ParamsDependency.read_params,
    ]  # fmt: skip
    text = "".join(inspect.getsource(inspect.unwrap(function)) for function in known)
    assert md5(text.encode()).hexdigest() == "a868f05ef3badd479af3b2766d6a7a1f"
