"""Runs in MLflow: what is logged where, how runs end, and what tracking must never do to the work."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overgen import OvergenError
from overgen.run import cell_run, sync, tracking, warm
from overgen.run.files import write_json
from overgen.run.stage import command

from mlflow_runs import free_port, make_cell, query
from workspace import cell_folders, make_workspace, same

SOURCE = str(Path(tracking.__file__).parents[2])


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """MLflow in this process: its recorders are copies of it, and those of the programs that it starts are cold."""
    warm._import(warm.TRACKING_IMPORTS)


def forked(function: Callable[..., None], *arguments: object) -> Callable[[], tuple[int, str]]:
    """Start a function in a copy of this process. Returns what waits for its end: its status, and what it said."""
    context = multiprocessing.get_context("fork")
    said = Path(f"said-{'-'.join(map(str, arguments))}")

    def run() -> None:
        with said.open("w") as file:
            os.dup2(file.fileno(), 2)
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            function(*arguments)
            sys.stderr.flush()

    process = context.Process(target=run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy's BLAS has threads, and restarts them
        process.start()

    def ended() -> tuple[int, str]:
        process.join(600)
        if process.exitcode is None:
            process.kill()
            process.join()
        return process.exitcode or 0, said.read_text()

    return ended


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
        "from overgen.run import tracking\n"
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


def test_processes_that_start_together(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 600.0)  # on a busy machine a new database can take long
    together = multiprocessing.get_context("fork").Barrier(4, timeout=600)

    def stage(model: str) -> None:
        together.wait()
        with tracking.run("fool_fgn", "mnist", model, params={"seed": 0}) as run:
            run.log_metrics({"x": 1.0})

    stages = [forked(stage, f"model{number}") for number in range(4)]
    assert [ended() for ended in stages] == [(0, "")] * 4
    runs = query(root / "mlflow.db", "SELECT name, status FROM runs ORDER BY name")
    assert runs == [(f"mnist/model{number}", "FINISHED") for number in range(4)]
    assert query(root / "mlflow.db", "SELECT count(*) FROM metrics") == [(4,)]
    assert query(root / "mlflow.db", "SELECT count(*) FROM experiments WHERE name = 'fool_fgn'") == [(1,)]


def test_an_older_database_is_upgraded_and_its_runs_stay(root: Path) -> None:
    """A database one migration behind, as an earlier MLflow left it."""

    def older() -> None:
        import sqlalchemy
        from alembic import command
        from alembic.script import ScriptDirectory
        from mlflow.store.db import utils
        from mlflow.store.tracking.dbmodels.initial_models import Base

        warnings.simplefilter("ignore")
        Base.metadata.create_all(sqlalchemy.create_engine("sqlite:///mlflow.db"))
        config = utils._get_alembic_config("sqlite:///mlflow.db")
        head = ScriptDirectory.from_config(config).get_revision("head")
        assert isinstance(head.down_revision, str)
        command.upgrade(config, head.down_revision)
        Path("revisions").write_text(f"{head.revision} {head.down_revision}")

    status, said = forked(older)()
    assert status == 0, said
    head, before = Path("revisions").read_text().split()
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
    view = r"#/experiments/\d+/runs\?workflowType=machine_learning&viewStateShareKey=overgen"
    assert re.fullmatch(view, sync.page(tracking.uri()))
    assert query(root / "mlflow.db", "SELECT value FROM metrics WHERE key = 'fooled_percent'") == [(98.5,)]


@pytest.mark.parametrize("cold", [False, True])
def test_a_server_that_never_answers_does_not_hold_up_the_work(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cold: bool
) -> None:
    """A port that takes connections and says nothing: the stage ends after its patience, not MLflow's.

    A recorder that is a copy waits for the server by then; a cold one may still import MLflow.
    """
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 1.0)  # less than one attempt
    if cold:
        monkeypatch.delitem(sys.modules, "mlflow.tracking.client")
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
    assert "it took more than 1 s" in message


@pytest.mark.parametrize("off", [True, False])
def test_a_stage_imports_neither_mlflow_nor_dvc(root: Path, database: Path, off: bool) -> None:
    script = (
        "import sys\n"
        "from overgen.run import tracking\n"
        "with tracking.run('fool_fgn', 'mnist', 'cnn', params={'seed': 0}) as run:\n"
        "    run.log_metrics({'x': 1.0})\n"
        "    with run.member('seed=0') as member:\n"
        "        member.log_metrics({'x': 1.0})\n"
        "    tracking.log_cell(run, 'reports/cells/mnist/fool_fgn/cnn')\n"
        "from overgen.run.sync import sync\n"
        "print(sync())\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'mlflow', 'dvc', 'torch', 'pytorch_lightning', 'pandas'}))\n"
    )
    make_cell(root)
    environment = os.environ | {"PYTHONPATH": SOURCE, "OVERGEN_TRACKING": "off" if off else "on"}
    program = [sys.executable, "-c", script]
    result = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300)
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


def test_tracking_changes_no_byte(
    tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stage that logs to MLflow writes what it writes with tracking off; so does one whose server is away."""
    off, on, away = (make_workspace(tmp_path / name, digits) for name in ("off", "on", "away"))
    for workspace, tracked, address in ((off, "off", ""), (on, "on", ""), (away, "on", "http://127.0.0.1:9")):
        monkeypatch.chdir(workspace)
        monkeypatch.setenv("OVERGEN_TRACKING", tracked)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        said = capfd.readouterr().err
        assert command(["train_autoencoder", "--dataset", "digits", "--model", "autoencoder"]) == 0, said
    assert not (off / "mlflow.db").exists()
    assert query(on / "mlflow.db", "SELECT status FROM runs") == [("FINISHED",)] * 2  # the cell's and its member's
    assert "http://127.0.0.1:9" in capfd.readouterr().err
    for first, *others in zip(
        *(cell_folders(workspace, "train_autoencoder", "autoencoder") for workspace in (off, on, away)), strict=True
    ):
        for other in others:
            same(first, other)


def test_an_infinite_value_becomes_a_tag() -> None:
    """MLflow 3 stores it as 1.8e308 and draws it so."""
    events: list[Any] = []
    run = tracking.Run(events.append, "0", None, {"experiment": "x", "name": "y", "params": {}, "tags": {}})
    run.log_metrics({"loss": float("inf"), "rate": 0.5}, 7)
    tags, metrics = events[1:]
    assert tags["tags"] == {"infinite.loss": "at step 7"}
    assert [(name, value, step) for name, value, _, step in metrics["points"]] == [("rate", 0.5, 7)]


def test_parameters_are_called_alike_on_every_data_set() -> None:
    params = {"fool_fgn.mnist": {"trials": 20}, "x.mnist": 1, "x": 2, "y": {"mnist": {"z": 3}}, "alpha": 4}
    event = cell_run.cell_event("fool_fgn", "mnist", "cnn", params)
    assert event["params"] == {"fool_fgn.trials": "20", "x.mnist": "1", "x": "2", "y.z": "3", "alpha": "4"}
    other = cell_run.cell_event("fool_fgn", "digits", "cnn", {"fool_fgn.digits": {"trials": 20}})
    assert other["params"] == {"fool_fgn.trials": "20"}
