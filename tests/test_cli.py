"""The command line: what it prints, and how it fails."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TextIO

import pytest

from overgen import cli
from overgen.report import pages
from overgen.run import params, results, warm

SOURCE = str(Path(cli.__file__).parents[1])
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout, as the working directory."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for name in ("OVERGEN_TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run_app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the program in this process: run_app("sync") gives the exit code."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["overgen", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.app()
        return int(ended.value.code or 0)

    return run


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from overgen.cli import app\n"
        "sys.argv = ['overgen', '--help']\n"
        "try:\n"
        "    app()\n"
        "finally:\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    print(sorted(loaded & {'mlflow', 'dvc', 'torch', 'pandas', 'matplotlib', 'yaml'}))\n"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": SOURCE}, capture_output=True, text=True)
    assert result.returncode == 0
    assert all(command in result.stdout for command in ("sync", "ui", "readme"))
    assert result.stdout.endswith("[]\n")


def test_sync_says_what_it_did(imported: None, run_app: Callable[..., int], capsys: Output) -> None:
    rows = [results.row("fgn", "fooling_rate", 1.0, unit="percent", n=1, tau=0.9)]
    results.write(Path("reports/cells/mnist/fool_fgn/cnn"), budget={}, metrics=rows)
    assert run_app("sync") == 0
    assert capsys.readouterr().out == "sqlite:///mlflow.db: 1 cells logged, 0 were there\n"


def test_sync_with_tracking_off(
    root: Path, run_app: Callable[..., int], capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERGEN_TRACKING", "off")
    before = sorted(root.iterdir())
    assert run_app("sync") == 0
    assert capsys.readouterr().out == "OVERGEN_TRACKING=off: nothing is logged\n"
    assert sorted(root.iterdir()) == before


def test_errors_are_one_line_and_exit_1() -> None:
    """Of the program as a user starts it."""
    command = [sys.executable, "-c", "from overgen.cli import app; app()", "sync"]
    given = os.environ | {"PYTHONPATH": SOURCE, "OVERGEN_TRACKING": "yes"}
    result = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)
    message = 'error: OVERGEN_TRACKING=\'yes\' in the environment: must be "on" or "off"\n'
    assert (result.returncode, result.stdout, result.stderr) == (1, "", message)


@pytest.fixture(scope="session")
def imported() -> None:
    """MLflow in this process: its recorders are copies of it."""
    warm._import(warm.TRACKING_IMPORTS)


def forked(*arguments: str) -> tuple[ForkProcess, TextIO]:
    """The program as a copy of this process: its process, which writes errors to `log`, and what it prints."""
    reader, writer = os.pipe()

    def program() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open("log", "w") as log:
            os.dup2(writer, 1)
            os.dup2(log.fileno(), 2)
        os.close(reader)
        os.close(writer)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["overgen", *arguments]
        cli.app()

    process = ForkProcess(target=program)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy's BLAS has threads, and restarts them
        process.start()
    os.close(writer)
    return process, os.fdopen(reader)


def test_ui_serves_the_runs_until_ctrl_c(root: Path, imported: None) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process, printed = forked("ui", "--port", str(port))
    try:
        assert printed.readline() == "sqlite:///mlflow.db: 0 cells logged, 0 were there\n"
        address = printed.readline().strip()  # of a server that answers
        assert address == f"http://127.0.0.1:{port}/#/experiments", Path("log").read_text()
        assert printed.readline() == "MLflow on sqlite:///mlflow.db; Ctrl-C ends it\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
            assert answer.status == 200
        assert Path("log").read_text() == ""  # what MLflow says of itself goes to a file
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join(120)
        assert process.exitcode == 0
        assert Path("log").read_text() == ""
        with socket.socket() as probe:  # nothing is left that listens
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        printed.close()
        process.terminate()
        process.join()


def test_ui_on_a_port_in_use(run_app: Callable[..., int], capsys: Output) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run_app("ui", "--port", port) == 1
    assert f"error: port {port}: Address already in use; choose another" in capsys.readouterr().err


def test_ui_of_a_server_names_it(monkeypatch: pytest.MonkeyPatch, run_app: Callable[..., int], capsys: Output) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example")
    assert run_app("ui") == 0
    assert capsys.readouterr().out == "The runs are at https://***@mlflow.example (MLFLOW_TRACKING_URI)\n"


def test_pages_are_written_and_checked(
    monkeypatch: pytest.MonkeyPatch, run_app: Callable[..., int], capsys: Output
) -> None:
    monkeypatch.setattr(pages, "render", lambda root: {"README.md": "new\n", "docs/findings.md": "more\n"})
    readme, findings = Path("README.md"), Path("docs/findings.md")
    readme.write_text("old\n")
    assert run_app("readme", "--check") == 1
    assert readme.read_text() == "old\n"
    assert "README.md: is stale; run `overgen readme`" in capsys.readouterr().err
    assert run_app("readme") == 0
    assert (readme.read_text(), findings.read_text()) == ("new\n", "more\n")
    assert run_app("readme", "--check") == 0
    findings.unlink()
    assert run_app("readme", "--check") == 1


def test_budget_sets_values_and_keeps_comments(run_app: Callable[..., int], capsys: Output) -> None:
    project = Path(SOURCE).parent
    before = (project / "params.yaml").read_text()
    Path("params.yaml").write_text(before)
    Path("dvc.yaml").write_text((project / "dvc.yaml").read_text())
    Path("more.txt").write_text(
        "# a comment\n\ntrain_classifier.mnist.epochs=77 # as said\ntrain_classifier.mnist.seeds=[0, 5]\n"
    )
    assert run_app("budget", "more.txt") == 0
    after = params.load("params.yaml")
    assert after.train_classifier["mnist"].epochs == 77
    assert after.train_classifier["mnist"].seeds == [0, 5]
    assert after.train_classifier["digits"] == params.load(project / "params.yaml").train_classifier["digits"]
    text = Path("params.yaml").read_text()
    comments = [line.partition("#")[2].strip() for line in before.splitlines() if "#" in line]
    assert comments
    assert all(comment in text for comment in comments)

    for line, message in [("nothing.here=1", "line 1: params.yaml has no nothing.here"), ("report.dpi=-4", "dpi")]:
        Path("wrong.txt").write_text(line + "\n")
        assert run_app("budget", "wrong.txt") == 1
        assert message in capsys.readouterr().err
        assert Path("params.yaml").read_text() == text
