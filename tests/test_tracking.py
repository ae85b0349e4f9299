"""Runs in MLflow, against a real server and real SQLite databases."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from overgen import OvergenError
from overgen.run import sync, tracking
from overgen.run.files import directory_md5, write_json

SOURCE = str(Path(tracking.__file__).parents[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs: making one takes 2 s, so only the tests about that make their own."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        sync.prepare(folder)
    return folder / "mlflow.db"


@pytest.fixture
def database(root: Path, empty: Path) -> Path:
    """An empty database where runs go by default."""
    shutil.copy(f"{empty}.lock", root / "mlflow.db.lock")
    return Path(shutil.copy(empty, root / "mlflow.db"))


@pytest.fixture(scope="module")
def server(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server of this test's own, on loopback."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copy(empty, folder / "server.db")
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
    ]
    command += [
        "--default-artifact-root",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    environment = os.environ | tracking.RECORDER_ENVIRONMENT | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(folder / "log", "w") as log:
        # In a session of its own: the server starts workers, and all of them have to end with the test.
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(900):
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=1):
                    break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        else:
            pytest.fail((folder / "log").read_text())
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=120)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository root, as the working directory, with the default tracking."""
    for name in ("OVERGEN_TRACKING", "MLFLOW_TRACKING_URI", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(address: str, call: str, query: dict[str, Any]) -> dict[str, Any]:
    """One call of MLflow's REST API: what a user's own tools would see."""
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/{call}", json.dumps(query).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        result: dict[str, Any] = json.load(answer)
    return result


def get(address: str, call: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/api/2.0/mlflow/{call}", timeout=20) as answer:
        result: dict[str, Any] = json.load(answer)
    return result


def runs_of(address: str, experiment: str) -> list[dict[str, Any]]:
    """The runs of an experiment, newest first, with params, metrics and tags as dicts."""
    identity = get(address, f"experiments/get-by-name?experiment_name={experiment}")["experiment"]["experiment_id"]
    found = ask(address, "runs/search", {"experiment_ids": [identity], "max_results": 100}).get("runs", [])
    return [
        {
            **run["info"],
            **{
                kind: {item["key"]: item["value"] for item in run["data"].get(kind, [])}
                for kind in ("params", "metrics", "tags")
            },
        }
        for run in found
    ]


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def make_cell(root: Path, model: str = "cnn", value: float | None = 98.5, stage: str = "fool_fgn") -> Path:
    cell = root / "reports/cells/mnist" / stage / model
    rows = [
        {"experiment": "fgn", "metric": "fooling_rate", "tau": 0.99, "reproduced": value},
        {"experiment": "fgn", "metric": "mean_steps_to_fool", "tau": 0.99, "reproduced": None},
        {"experiment": "open_set", "metric": "f_measure@known=3", "tau": 0.99, "reproduced": 0.5},
    ]
    budget = {f"{stage}.mnist.trials": 20}
    content = {"dataset": "mnist", "stage": stage, "model": model, "budget": budget, "metrics": rows}
    write_json(cell / "metrics.json", content)
    return cell


def test_two_models_compared_through_a_server(server: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    subprocess.run(["git", "init", "-q"], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    params = {"fool_fgn.mnist": {"trials": 20, "thresholds": [{"tau": 0.9, "alpha": 2}]}, "seed": 0}
    for model, rate in (("cnn", 99.0), ("cool", 12.5)):
        cell = make_cell(root, model, rate)
        with tracking.run("fool_fgn", "mnist", model, params=params) as run:
            for step in range(1001):  # more than one batch
                run.log_metrics({"fool/loss": step / 2}, step)
            with run.member("target=0", params={"target": 0}) as first, run.member("target=1") as second:
                first.log_metrics({"fool/steps": 7})
                second.log_metrics({"fool/steps": 9})
            tracking.log_cell(run, cell)

    found = runs_of(server, "fool_fgn")
    cells = {run["run_name"]: run for run in found if "mlflow.parentRunId" not in run["tags"]}
    assert set(cells) == {"mnist/cnn", "mnist/cool"}
    cnn, cool = cells["mnist/cnn"], cells["mnist/cool"]
    assert cnn["metrics"]["fgn/fooling_rate_0.99"] == 99.0 > cool["metrics"]["fgn/fooling_rate_0.99"] == 12.5
    assert set(cnn["metrics"]) == {"fool/loss", "fgn/fooling_rate_0.99", "open_set/f_measure_known_3_0.99"}
    assert cnn["params"] == {
        "fool_fgn.mnist.trials": "20",
        "fool_fgn.mnist.thresholds": '[{"tau": 0.9, "alpha": 2}]',
        "seed": "0",
    }
    assert cnn["status"] == cool["status"] == "FINISHED"
    assert cnn["tags"]["dvc.stage"] == "fool_fgn@mnist-cnn"
    assert (cnn["tags"]["dataset"], cnn["tags"]["model"]) == ("mnist", "cnn")
    assert cnn["tags"]["mlflow.source.git.commit"] == commit
    assert cnn["tags"]["cell_md5"] == directory_md5(root / "reports/cells/mnist/fool_fgn/cnn")
    assert cnn["tags"]["params_md5"] == cool["tags"]["params_md5"]  # the same params

    history = get(server, f"metrics/get-history?run_id={cnn['run_id']}&metric_key=fool/loss")["metrics"]
    assert [(point["step"], point["value"]) for point in history] == [(step, step / 2) for step in range(1001)]

    members = [run for run in found if run["tags"].get("mlflow.parentRunId") == cool["run_id"]]
    assert {run["run_name"]: run["metrics"]["fool/steps"] for run in members} == {
        "target=0": 7,
        "target=1": 9,
    }
    assert {run["run_name"]: run["params"] for run in members} == {
        "target=0": {"target": "0"},
        "target=1": {},
    }


def test_sync_logs_each_cell_once(server: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    cells = [make_cell(root, model, 50.0, "fool_evolution") for model in ("cnn", "cool")]
    path = cells[0].relative_to(root).as_posix()
    # dvc.lock as DVC 3 writes it: params by path, the output's checksum.
    lock = {
        "schema": "2.0",
        "stages": {
            "fool_evolution@mnist-cnn": {
                "cmd": "python -m overgen.stages.fool_evolution",
                "params": {"params.yaml": {"fool_evolution.mnist": {"runs": 5}, "seed": 1}},
                "outs": [{"path": path, "hash": "md5", "md5": directory_md5(cells[0]), "size": 1, "nfiles": 1}],
            }
        },
    }
    Path("dvc.lock").write_text(json.dumps(lock))  # JSON is YAML
    assert sync.sync() == (2, 2)
    assert sync.sync() == (2, 0)
    found = {run["run_name"]: run for run in runs_of(server, "fool_evolution")}
    assert found["mnist/cnn"]["params"] == {"fool_evolution.mnist.runs": "5", "seed": "1"}
    assert found["mnist/cool"]["params"] == {"fool_evolution.mnist.trials": "20"}  # not in dvc.lock: the budget
    assert found["mnist/cnn"]["metrics"]["fgn/fooling_rate_0.99"] == 50.0
    assert {run["status"] for run in found.values()} == {"FINISHED"}

    make_cell(root, "cool", 60.0, "fool_evolution")  # a new result is a new run
    assert sync.sync() == (2, 1)
    assert len(runs_of(server, "fool_evolution")) == 3


def test_sqlite_by_default_and_how_runs_end(root: Path, database: Path) -> None:
    def fail() -> None:
        with tracking.run("train_classifier", "digits", "cnn", params={"epochs": 2}) as run:
            run.log_metrics({"train/loss": 0.5}, 3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(KeyboardInterrupt), tracking.run("train_classifier", "digits", "cool", params={}):
        raise KeyboardInterrupt
    killed = (
        "import os, signal, time\n"
        "from overgen import tracking\n"
        "with tracking.run('train_classifier', 'digits', 'dae_sym', params={}) as run:\n"
        "    run.log_metrics({'train/loss': 0.25}, 1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": SOURCE}
    # The recorder holds the same pipe, so communicating waits for it too.
    stage = subprocess.run([sys.executable, "-c", killed], env=environment, capture_output=True, timeout=300)
    assert stage.returncode == -signal.SIGKILL
    status = dict(query(root / "mlflow.db", "SELECT name, status FROM runs"))
    assert status == {"digits/cnn": "FAILED", "digits/cool": "KILLED", "digits/dae_sym": "RUNNING"}
    points = query(root / "mlflow.db", "SELECT key, value, step FROM metrics ORDER BY step")
    assert points == [("train/loss", 0.25, 1), ("train/loss", 0.5, 3)]  # also what was sent before the kill


def test_eight_processes_that_start_together(root: Path) -> None:
    script = (
        "import sys\n"
        "from overgen import tracking\n"
        "tracking.CLOSE_SECONDS = 600.0\n"  # 25 s of CPU: on a busy machine that can take long
        "with tracking.run('fool_fgn', 'mnist', sys.argv[1], params={'seed': 0}) as run:\n"
        "    run.log_metrics({'x': 1.0})\n"
    )
    environment = os.environ | {"PYTHONPATH": SOURCE}
    command = [sys.executable, "-c", script]
    stages = [
        subprocess.Popen([*command, f"model{number}"], env=environment, stderr=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    try:
        outcomes = [(stage.communicate(timeout=600)[1], stage.returncode) for stage in stages]
    finally:
        for stage in stages:
            stage.kill()
            stage.communicate()
    assert outcomes == [("", 0)] * 8
    runs = query(root / "mlflow.db", "SELECT name, status FROM runs ORDER BY name")
    assert runs == [(f"mnist/model{number}", "FINISHED") for number in range(8)]
    assert query(root / "mlflow.db", "SELECT count(*) FROM metrics") == [(8,)]
    assert query(root / "mlflow.db", "SELECT count(*) FROM experiments WHERE name = 'fool_fgn'") == [(1,)]


def test_an_older_database_is_upgraded_and_its_runs_stay(root: Path) -> None:
    """A database one migration behind, as an earlier MLflow left it."""
    older = (
        "import sqlalchemy\n"
        "from alembic import command\n"
        "from alembic.script import ScriptDirectory\n"
        "from mlflow.store.db import utils\n"
        "from mlflow.store.tracking.dbmodels.initial_models import Base\n"
        "Base.metadata.create_all(sqlalchemy.create_engine('sqlite:///mlflow.db'))\n"
        "config = utils._get_alembic_config('sqlite:///mlflow.db')\n"
        "head = ScriptDirectory.from_config(config).get_revision('head')\n"
        "command.upgrade(config, head.down_revision)\n"
        "print(head.revision, head.down_revision)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", older]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    head, before = made.stdout.split()
    connection = sqlite3.connect("mlflow.db")
    with connection:
        connection.execute("INSERT INTO experiments (experiment_id, name) VALUES (7, 'old')")
    connection.close()
    with tracking.run("fool_fgn", "mnist", "cnn", params={}) as run:
        run.log_metrics({"x": 1.0})
    assert query(root / "mlflow.db", "SELECT version_num FROM alembic_version") == [(head,)]
    assert query(root / "mlflow.db.backup", "SELECT version_num FROM alembic_version") == [(before,)]
    assert query(root / "mlflow.db", "SELECT name, status FROM runs") == [("mnist/cnn", "FINISHED")]
    assert query(root / "mlflow.db", "SELECT name FROM experiments WHERE experiment_id = 7") == [("old",)]


def test_a_dead_server_warns_once_and_loses_nothing(
    root: Path, database: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{free_port()}")
    started = time.monotonic()
    with tracking.run("fool_fgn", "mnist", "cnn", params={"a": 1}) as run:
        for step in range(2000):
            run.log_metrics({"train/loss": 1.0}, step)
        at_work = time.monotonic() - started
        tracking.log_cell(run, make_cell(root))
    assert at_work < 5  # seconds: the training did not wait for the server
    assert time.monotonic() - started < 120  # MLflow's own patience is four minutes
    message = capfd.readouterr().err
    assert message.count("warning:") == 1
    assert "no server answers there" in message
    assert "overgen sync" in message
    assert "OVERGEN_TRACKING=off" in message
    assert "http://***@127.0.0.1" in message
    assert "secret" not in message
    with pytest.raises(OvergenError, match="no server answers there"):
        sync.sync()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync.sync() == (1, 1)
    assert query(root / "mlflow.db", "SELECT value FROM metrics WHERE key = 'fgn/fooling_rate_0.99'") == [(98.5,)]


def test_a_server_that_never_answers_does_not_hold_up_the_work(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A port that takes connections and says nothing: the stage ends after its patience, not MLflow's."""
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 4.0)  # less than one attempt
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with tracking.run("fool_fgn", "mnist", "cnn", params={}) as run:
            run.log_metrics({"x": 1.0})
        assert time.monotonic() - started < 60
    message = capfd.readouterr().err
    assert message.count("warning:") == 1
    assert "it took more than 4 s" in message


def test_a_server_that_fails_for_a_while_gets_everything_once(
    server: str, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A proxy that refuses the first calls (as while a server restarts) and passes on the later ones."""
    up = threading.Event()

    class Proxy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            status, answer = 404, b"{}"
            if up.is_set():
                request = urllib.request.Request(server + self.path, body, method=self.command)
                request.add_header("Content-Type", "application/json")
                try:
                    with urllib.request.urlopen(request, timeout=20) as reply:
                        status, answer = reply.status, reply.read()
                except urllib.error.HTTPError as error:
                    status, answer = error.code, error.read()
                    error.close()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = forward

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{proxy.server_port}")
        with tracking.run("fool_gradient", "mnist", "cnn", params={"a": 1}) as run:
            run.log_metrics({"train/loss": 0.75}, 1)
            message = ""
            for _ in range(1200):
                message += capfd.readouterr().err
                if "warning:" in message:
                    break
                time.sleep(0.1)
            assert "warning:" in message  # said at once, not at the end of a long training
            up.set()
        proxy.shutdown()
    (found,) = runs_of(server, "fool_gradient")
    assert (found["status"], found["params"], found["metrics"]) == (
        "FINISHED",
        {"a": "1"},
        {"train/loss": 0.75},
    )


@pytest.mark.parametrize("off", [True, False])
def test_a_stage_imports_neither_mlflow_nor_dvc(root: Path, database: Path, off: bool) -> None:
    script = (
        "import sys\n"
        "from overgen import tracking\n"
        "with tracking.run('fool_fgn', 'mnist', 'cnn', params={'seed': 0}) as run:\n"
        "    run.log_metrics({'x': 1.0})\n"
        "    with run.member('seed=0') as member:\n"
        "        member.log_metrics({'x': 1.0})\n"
        "    tracking.log_cell(run, 'reports/cells/mnist/fool_fgn/cnn')\n"
        "print(tracking.sync())\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'mlflow', 'dvc', 'torch', 'pytorch_lightning', 'pandas'}))\n"
    )
    make_cell(root)
    environment = os.environ | {"PYTHONPATH": SOURCE, "OVERGEN_TRACKING": "off" if off else "on"}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert (result.stderr, result.stdout) == ("", "(0, 0)\n[]\n" if off else "(1, 0)\n[]\n")
    assert query(database, "SELECT count(*) FROM runs") == [(0 if off else 2,)]


def test_only_rank_0_logs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with tracking.run("fool_fgn", "mnist", "cnn", params={}) as run:
        run.log_metrics({"x": 1.0})
    assert list(root.iterdir()) == []


def test_other_values_of_the_switch_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERGEN_TRACKING", "no")
    with (
        pytest.raises(OvergenError, match=r"OVERGEN_TRACKING='no'.*must be \"on\" or \"off\""),
        tracking.run("fool_fgn", "mnist", "cnn", params={}),
    ):
        pass
    with pytest.raises(OvergenError, match="OVERGEN_TRACKING='no'"):
        sync.sync()


def test_broken_cells_are_named(root: Path) -> None:
    cell = make_cell(root)
    write_json(cell / "metrics.json", {"dataset": "mnist", "metrics": []})
    with pytest.raises(OvergenError, match=r"fool_fgn/cnn/metrics.json: lacks 'budget'"):
        sync.sync()


# Lightning 2.6.4 asks torch 2.11+ whether a tree is a leaf in a way that torch deprecates.
@pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning")
def test_lightning_trainer_logs_to_the_run() -> None:
    import pytorch_lightning
    import torch

    class Line(pytorch_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
            self.log("train/loss", torch.tensor(float(index)))
            return self.layer(batch).sum()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.0)

        def train_dataloader(self) -> torch.Tensor:
            return torch.ones(4, 1, 1)

    events: list[tracking.Event] = []
    run = tracking.Run(events.append, "0", None, {})
    trainer = pytorch_lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=tracking.lightning_logger(run),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Line())
    points = [point for event in events if event["event"] == "metrics" for point in event["points"]]
    losses = [(step, value) for name, value, _, step in points if name == "train/loss"]
    assert losses == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert {event["event"] for event in events} == {"start", "metrics"}  # the Trainer did not end the run


def test_metric_names() -> None:
    row = {"experiment": "fgn", "metric": "thresholded_accuracy@alpha=2", "tau": 0}
    assert tracking.metric_name(row) == "fgn/thresholded_accuracy_alpha_2_0"
    assert tracking.metric_name(row | {"tau": None}) == "fgn/thresholded_accuracy_alpha_2"
