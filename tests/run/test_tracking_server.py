"""Runs in MLflow through a server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from overgen.run import cell_run, sync, tracking, warm
from overgen.run.files import directory_md5

from mlflow_runs import free_port, get, make_cell, runs_of


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """MLflow in this process: its recorders are copies of it."""
    warm._import(warm.TRACKING_IMPORTS)


@pytest.fixture(scope="module")
def server(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server of this test's own, on loopback."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copy(empty, folder / "server.db")
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--default-artifact-root", str(folder), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
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
    assert cnn["metrics"]["fooled_percent"] == 99.0 > cool["metrics"]["fooled_percent"] == 12.5
    assert set(cnn["metrics"]) == {"fool/loss", "fooled_percent"}  # all numbers are in metrics.json
    assert cnn["inputs"] == [("mnist", "unknown")]
    assert "fooled 20 of 20 at τ 0.99" in cnn["tags"]["mlflow.note.content"]
    assert f"run_uuid={cnn['run_id']}" in cnn["tags"]["mlflow.note.content"]
    artifacts = get(server, f"artifacts/list?run_id={cnn['run_id']}")["files"]
    assert [file["path"] for file in artifacts] == ["examples.png", "metrics.json"]
    experiment = get(server, "experiments/get-by-name?experiment_name=fool_fgn")["experiment"]
    tags = {tag["key"]: tag["value"] for tag in experiment["tags"]}
    assert cell_run.columns_of(tags[cell_run.VIEW]) == ["fooled_percent"]
    assert cnn["params"] == {
        "fool_fgn.trials": "20",
        "fool_fgn.thresholds": '[{"tau": 0.9, "alpha": 2}]',
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
        "mnist/cool: target=0": 7,
        "mnist/cool: target=1": 9,
    }
    assert {run["run_name"]: run["params"] for run in members} == {
        "mnist/cool: target=0": {"target": "0"},
        "mnist/cool: target=1": {},
    }


def test_sync_logs_each_cell_once(server: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    cells = [make_cell(root, model, 50.0, "fool_evolution", "evolution_cppn") for model in ("cnn", "cool")]
    (cells[0] / "curves.csv").write_text("seed,epoch,loss\n0,0,0.5\n0,1,0.25\n")
    cell_run.note_time(directory_md5(cells[0]), 1_000, 61_000)
    path = cells[0].relative_to(root).as_posix()
    # dvc.lock as DVC 3 writes it: params by path, the output's checksum.
    lock = {
        "schema": "2.0",
        "stages": {
            "fool_evolution@mnist-cnn": {
                "cmd": "python -m overgen.run fool_evolution",
                "params": {"params.yaml": {"fool_evolution.mnist": {"runs": 5}, "seed": 1}},
                "outs": [{"path": path, "hash": "md5", "md5": directory_md5(cells[0]), "size": 1, "nfiles": 1}],
            }
        },
    }
    Path("dvc.lock").write_text(json.dumps(lock))  # JSON is YAML
    assert sync.sync() == (2, 2)
    assert sync.sync() == (2, 0)
    found = {run["run_name"]: run for run in runs_of(server, "fool_evolution")}
    assert found["mnist/cnn"]["params"] == {"fool_evolution.runs": "5", "seed": "1"}
    assert found["mnist/cool"]["params"] == {"fool_evolution.trials": "20"}  # not in dvc.lock: the budget
    assert found["mnist/cnn"]["metrics"] == {"fooled_by_cppn_percent": 50.0, "train/loss": 0.25}
    assert {run["status"] for run in found.values()} == {"FINISHED"}
    history = get(server, f"metrics/get-history?run_id={found['mnist/cnn']['run_id']}&metric_key=train/loss")
    assert [(point["step"], point["value"]) for point in history["metrics"]] == [(0, 0.5), (1, 0.25)]
    assert (found["mnist/cnn"]["start_time"], found["mnist/cnn"]["end_time"]) == (1_000, 61_000)
    written = int(1000 * (cells[1] / "metrics.json").stat().st_mtime)
    assert (found["mnist/cool"]["start_time"], found["mnist/cool"]["end_time"]) == (written, written)

    make_cell(root, "cool", 60.0, "fool_evolution")  # a new result is a new run
    assert sync.sync() == (2, 1)
    assert len(runs_of(server, "fool_evolution")) == 3


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
