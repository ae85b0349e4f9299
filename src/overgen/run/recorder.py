"""The recorder: the process that logs a stage's events, the only one that imports MLflow."""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

from overgen.run import cell_run
from overgen.run.tracking import Event, locked, shown, warn

COLLECT_SECONDS = 1.0  # events of this long are logged together
RETRY_SECONDS = 30.0  # between attempts to reach a server that did not answer
BATCH = 1000, 100  # MLflow's limits of one batch: metrics, params
KIND = "custom_model_development"  # of experiments: MLflow's page opens on runs, not on traces of language models
PENDING = 100_000  # events kept for a server that does not answer; beyond that, training curves are dropped


class Writer:
    """Writes events to MLflow, in their order."""

    def __init__(self, uri: str, tell: Callable[[int], None] = lambda ended: None) -> None:
        self._uri = uri
        self._client: Any = None
        self._runs: dict[str, str | None] = {}  # our key -> MLflow's run id; None: that cell is already there
        self._experiments: dict[str, str] = {}
        self._columns: dict[str, list[str]] = {}  # of an experiment's saved view
        self._artifacts: dict[str, str] = {}  # our key -> where the run's files go
        self._values: dict[tuple[str, str], set[str]] = {}  # the values on runs of an experiment of a tag
        self._tell = tell
        self.logged = 0
        self.ended = 0

    def connect(self) -> None:
        """Import MLflow and open the store; one process at a time creates or upgrades a SQLite database."""
        if self._client is not None:
            return
        from mlflow.tracking.client import MlflowClient

        database = self._uri.removeprefix("sqlite:///")
        if database in (self._uri, ""):
            self._client = MlflowClient(self._uri)
            return
        path = Path(database)
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(Path(f"{database}.lock")) as lock:
            from mlflow.version import VERSION

            known = lock.read()  # the MLflow that last brought the database up to date
            if known != VERSION and path.exists() and path.stat().st_size:
                import shutil

                import mlflow.db

                shutil.copyfile(path, f"{database}.backup")  # a migration cannot be undone
                assert mlflow.db.upgrade.callback is not None
                mlflow.db.upgrade.callback(self._uri)
            self._client = MlflowClient(self._uri)
            lock.seek(0)
            lock.truncate()
            lock.write(VERSION)

    def write(self, pending: deque[Event]) -> None:
        """Log events and remove them from the left; on an exception, those not yet logged are left."""
        self.connect()
        while pending:
            if pending[0]["event"] == "metrics":
                self._metrics(pending)
            else:
                getattr(self, f"_{pending[0]['event']}")(pending[0])
                pending.popleft()

    def _metrics(self, pending: deque[Event]) -> None:
        """Log the first event together with those after it that are metrics of the same run."""
        from mlflow.entities import Metric

        points: list[Metric] = []
        count = 0
        for event in pending:
            if event["event"] != "metrics" or event["run"] != pending[0]["run"] or len(points) > BATCH[0]:
                break
            points += [Metric(*point) for point in event["points"]]
            count += 1
        run_id = self._runs[pending[0]["run"]]
        for start in range(0, len(points) if run_id else 0, BATCH[0]):
            self._client.log_batch(run_id, metrics=points[start : start + BATCH[0]])
        for _ in range(count):
            pending.popleft()

    def _start(self, event: Event) -> None:
        from mlflow.entities import Param

        key = event["run"]
        if key not in self._runs:
            experiment = self._experiment(event["experiment"], event.get("title", ""))
            if any(self._exists(experiment, tag, value) for tag, value in event.get("unless", {}).items()):
                self._runs[key] = None
                return
            tags = dict(event["tags"])
            if event["parent"] is not None:
                tags["mlflow.parentRunId"] = self._runs[event["parent"]]
            tags["mlflow.source.name"] = tags["dvc.stage"]
            made = self._client.create_run(experiment, event["time"], tags, run_name=event["name"])
            self._runs[key] = made.info.run_id
            self._artifacts[key] = made.info.artifact_uri
            self.logged += 1
            self._reads(made.info.run_id, event)
        params = [Param(name, value) for name, value in event["params"].items()]
        for start in range(0, len(params), BATCH[1]):
            self._client.log_batch(self._runs[key], params=params[start : start + BATCH[1]])

    def _reads(self, run_id: str, event: Event) -> None:
        """Say which data set a run is of: MLflow has a column for it."""
        from mlflow.entities import Dataset, DatasetInput

        if "dataset" in event:
            name, digest = event["dataset"]
            read = Dataset(name=name, digest=digest, source_type="local", source=f"data/{name}")
            self._client.log_inputs(run_id, datasets=[DatasetInput(dataset=read)])

    def _cell(self, event: Event) -> None:
        """Log what a finished cell has to show: its description, its metrics.json and a sheet of its images."""
        if (run_id := self._runs[event["run"]]) is None:
            return
        folder = Path(event["folder"])
        self._client.set_tag(run_id, "mlflow.note.content", event["note"].replace("{run_id}", run_id))
        sheet = cell_run.contact_sheet(folder)
        files = {"metrics.json": (folder / "metrics.json").read_bytes()} | ({"examples.png": sheet} if sheet else {})
        try:
            self._files(run_id, self._artifacts[event["run"]], files)
        except OSError as problem:  # a server may name a folder that is there on its own machine only
            self._client.set_tag(run_id, "files_not_logged", str(problem)[:300])
        self._view(event["experiment"], event["columns"])

    def _files(self, run_id: str, uri: str, files: Mapping[str, bytes]) -> None:
        """Log files; where they go to a folder of this machine, without asking MLflow for each."""
        if local := uri.startswith(("/", "file:")):
            folder = Path(url2pathname(uri.removeprefix("file://")))
            folder.mkdir(parents=True, exist_ok=True)
        with nullcontext(str(folder)) if local else tempfile.TemporaryDirectory() as place:
            for name, content in files.items():
                (Path(place) / name).write_bytes(content)
            if not local:
                self._client.log_artifacts(run_id, place)

    def _view(self, name: str, columns: Sequence[str]) -> None:
        """Add the columns to those of the experiment's saved view."""
        shown = self._columns.setdefault(name, [])
        fresh = [column for column in columns if column not in shown]
        if fresh:
            shown += fresh
            self._client.set_experiment_tag(self._experiments[name], cell_run.VIEW, cell_run.view(shown))

    def _tags(self, event: Event) -> None:
        from mlflow.entities import RunTag

        if run_id := self._runs[event["run"]]:
            self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in event["tags"].items()])

    def _end(self, event: Event) -> None:
        if run_id := self._runs[event["run"]]:
            self._client.set_terminated(run_id, event["status"], event["time"])
        self.ended += 1
        self._tell(self.ended)

    def _exists(self, experiment: str, tag: str, value: str) -> bool:
        """Whether a run of the experiment has a tag with that value; its runs are asked for once, not one by one."""
        if (experiment, tag) not in self._values:
            runs = _pages(self._client.search_runs, [experiment], f"tags.{tag} != ''")
            self._values[experiment, tag] = {run.data.tags[tag] for run in runs}
        return value in self._values[experiment, tag]

    def _experiment(self, name: str, title: str) -> str:
        """The experiment's id; made if it is missing, restored if it was deleted (MLflow keeps the name)."""
        if name not in self._experiments:
            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                tags = {"mlflow.note.content": title, "mlflow.experimentKind": KIND}
                try:
                    self._experiments[name] = self._client.create_experiment(name, tags=tags)
                    return self._experiments[name]
                except Exception:  # another process was first; anything else shows at the next line
                    experiment = self._client.get_experiment_by_name(name)
                    if experiment is None:
                        raise
            if experiment.lifecycle_stage == "deleted":
                self._client.restore_experiment(experiment.experiment_id)
            self._experiments[name] = experiment.experiment_id
            self._columns[name] = cell_run.columns_of(experiment.tags.get(cell_run.VIEW, ""))
        return self._experiments[name]


def _pages(search: Any, *arguments: Any) -> list[Any]:
    """All results of one of MLflow's searches, page by page."""
    results, token = [], None
    while True:
        page = search(*arguments, max_results=1000, page_token=token)
        results += page
        token = page.token
        if not token:
            return results


def _short(problem: Exception) -> str:
    text = str(problem).strip().partition("\n")[0] or type(problem).__name__
    if re.search("NewConnectionError|ConnectTimeout|NameResolutionError|Connection aborted", text):
        return "no server answers there"
    return shown(text[:300])


class _Arrivals:
    """Events that come as lines on stdin, read by a thread of its own: a stage never waits for a full pipe."""

    def __init__(self) -> None:
        self.pending: deque[Event] = deque()
        self._arrived: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            try:
                self._arrived.put(json.loads(line))
            except json.JSONDecodeError:  # the last line of a stage that was killed while it wrote
                break
        self._arrived.put(None)

    def collect(self) -> bool:
        """Move what comes within COLLECT_SECONDS of the first event to `pending`; True at the stage's end."""
        try:
            event = self._arrived.get(timeout=RETRY_SECONDS if self.pending else None)
            deadline = time.monotonic() + COLLECT_SECONDS
            while event is not None:
                self.pending.append(event)
                left = deadline - time.monotonic()
                if left < 0:
                    return False
                event = self._arrived.get(timeout=left)
        except queue.Empty:
            return False
        return True


def _quiet() -> None:
    """Nothing of MLflow's and no Ctrl-C comes through: the stage has yet to say that it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # a warm process may have imported it before the environment
    warnings.simplefilter("ignore")


def _record(uri: str, *, sync: bool) -> None:
    """Log the events that come as lines on stdin until it closes; print the outcome as JSON on stdout."""
    _quiet()
    answer = sys.stdout
    sys.stdout = sys.stderr  # what MLflow prints is not our answer
    arrivals = _Arrivals()

    def tell(ended: int) -> None:
        if sync:
            print(json.dumps({"ended": ended}), file=answer, flush=True)

    writer = Writer(uri, tell)
    error: str | None = None
    warned, closed, retry_at = False, False, 0.0
    while True:
        if closed or time.monotonic() >= retry_at:
            try:
                writer.write(arrivals.pending)
                error = None
            except Exception as problem:  # MLflow raises many kinds; none may reach the training
                error = _short(problem)
                retry_at = time.monotonic() + RETRY_SECONDS
                if not warned and not sync:
                    warn(uri, error)
                warned = True
        if closed:
            break
        closed = arrivals.collect()
        if len(arrivals.pending) > PENDING:
            arrivals.pending = deque(event for event in arrivals.pending if event["event"] != "metrics")
    print(
        json.dumps({"logged": writer.logged, "error": error}), file=answer, flush=True
    )  # a copy of a process ends without


def main(arguments: Sequence[str]) -> int:
    """Record what comes on stdin at MLFLOW_TRACKING_URI. arguments: `--sync` for `overgen sync`."""
    _record(os.environ["MLFLOW_TRACKING_URI"], sync="--sync" in arguments)
    return 0
