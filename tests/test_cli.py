"""The command line: what it prints, and how it fails."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from overgen import OvergenError, cli
from overgen.report import readme
from overgen.run.files import write_json

from conftest import hears_ctrl_c

SOURCE = str(Path(cli.__file__).parents[1])


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `overgen` as a user does, in the working directory."""
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-c", "from overgen.cli import app; app()", *arguments]
    given = inherited | {"PYTHONPATH": SOURCE} | environment
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERGEN_TRACKING", raising=False)
    return tmp_path


def run_app(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run it in this process; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["overgen", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.app()
    return int(ended.value.code or 0)


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


def test_sync_says_what_it_did(root: Path) -> None:
    row = {"experiment": "fgn", "metric": "fooling_rate", "tau": 0.9, "reproduced": 1.0}
    cell = {"dataset": "mnist", "stage": "fool_fgn", "model": "cnn", "budget": {}, "metrics": [row]}
    write_json("reports/cells/mnist/fool_fgn/cnn/metrics.json", cell)
    assert call("sync").stdout == "sqlite:///mlflow.db: 1 cells logged, 0 were there\n"


def test_sync_with_tracking_off(root: Path) -> None:
    result = call("sync", OVERGEN_TRACKING="off")
    assert (result.returncode, result.stdout) == (0, "OVERGEN_TRACKING=off: nothing is logged\n")
    assert list(root.iterdir()) == []


def test_errors_are_one_line_and_exit_1() -> None:
    result = call("sync", OVERGEN_TRACKING="yes")
    message = 'error: OVERGEN_TRACKING=\'yes\' in the environment: must be "on" or "off"\n'
    assert (result.returncode, result.stdout, result.stderr) == (1, "", message)


def test_ui_serves_the_runs_until_ctrl_c(root: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-c", "from overgen.cli import app; app()", "ui", "--port", str(port)]
    with open("log", "w") as log:
        process = subprocess.Popen(
            command,
            env=environment | {"PYTHONPATH": SOURCE},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=hears_ctrl_c,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"MLflow on sqlite:///mlflow.db: http://127.0.0.1:{port} (Ctrl-C ends it)\n"
        for _ in range(900):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert process.poll() is None, Path("log").read_text()
                time.sleep(0.2)
        else:
            pytest.fail(Path("log").read_text())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        assert process.returncode == 0
        assert "Traceback" not in Path("log").read_text()
        with socket.socket() as probe:  # nothing is left that listens
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def test_ui_on_a_port_in_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run_app(monkeypatch, "ui", "--port", port) == 1
    assert f"error: port {port}: Address already in use; choose another" in capsys.readouterr().err


def test_ui_of_a_server_names_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example")
    assert run_app(monkeypatch, "ui") == 0
    assert capsys.readouterr().out == "The runs are at https://***@mlflow.example (MLFLOW_TRACKING_URI)\n"


def test_readme_is_rewritten_and_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def readme_table(reports: Path) -> str:
        assert reports == Path("reports")
        return "| a |\n|---|\n| 1 |\n"

    monkeypatch.setattr(tables, "readme_table", readme_table)
    readme = Path("README.md")
    stale = "# overgen\n<!-- results -->\nold\n<!-- /results -->\nafter\n"
    readme.write_text(stale)
    assert run_app(monkeypatch, "readme", "--check") == 1
    assert readme.read_text() == stale
    assert "run `overgen readme`" in capsys.readouterr().err
    assert run_app(monkeypatch, "readme") == 0
    new = "# overgen\n<!-- results -->\n| a |\n|---|\n| 1 |\n<!-- /results -->\nafter\n"
    assert readme.read_text() == new
    assert run_app(monkeypatch, "readme", "--check") == 0
    assert run_app(monkeypatch, "readme") == 0
    assert readme.read_text() == new


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- results -->",
        "<!-- /results --> <!-- results -->",
        "<!-- results -->" * 2 + "<!-- /results -->",
    ],
)
def test_readme_without_its_markers(text: str) -> None:
    with pytest.raises(OvergenError, match="must hold one line"):
        readme.with_results(text, "table")


def test_budget_sets_values_and_keeps_comments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path(SOURCE).parent
    before = (project / "params.yaml").read_text()
    Path("params.yaml").write_text(before)
    Path("dvc.yaml").write_text((project / "dvc.yaml").read_text())
    Path("more.txt").write_text(
        "# a comment\n\ntrain_classifier.mnist.epochs=77 # as said\ntrain_classifier.mnist.seeds=[0, 5]\n"
    )
    assert run_app(monkeypatch, "budget", "more.txt") == 0
    from overgen.run import params

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
        assert run_app(monkeypatch, "budget", "wrong.txt") == 1
        assert message in capsys.readouterr().err
        assert Path("params.yaml").read_text() == text
