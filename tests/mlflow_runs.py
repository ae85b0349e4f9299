"""Runs in MLflow, as a user's own tools see them: through a server's REST API, and in SQLite."""

from __future__ import annotations

import json
import socket
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from overgen.run import results


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
            "inputs": [
                (read["dataset"]["name"], read["dataset"]["digest"])
                for read in run.get("inputs", {}).get("dataset_inputs", [])
            ],
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


def make_cell(
    root: Path, model: str = "cnn", value: float | None = 98.5, stage: str = "fool_fgn", experiment: str = "fgn"
) -> Path:
    """A cell with three rows and two images."""
    cell = root / "reports/cells/mnist" / stage / model
    rows = [
        results.row(experiment, "fooling_rate", value, unit="percent", n=20, tau=0.99),
        results.row("fgn", "mean_steps_to_fool", None, unit="updates", n=0, tau=0.99),
        results.row("open_set", "f_measure@known=3", 0.5, unit="fraction", n=1, tau=0.99),
    ]
    examples = {"image": np.zeros((2, 28, 28), np.uint8)}
    results.write(cell, budget={f"{stage}.mnist.trials": 20}, metrics=rows, examples=examples)
    return cell
