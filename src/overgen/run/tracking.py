"""Runs in MLflow: experiment = stage, run = cell "<dataset>/<model>", nested runs = members.

MLflow is a window on the work and never part of it: a stage writes the same bytes with tracking on, off
(`OVERGEN_TRACKING=off`) or broken. So a stage does not import MLflow (2 s of CPU). `run` starts a recorder,
`python -m overgen.run recorder`, and sends it one line of JSON per event through a pipe (20 µs); the recorder
imports MLflow while the stage imports torch, collects events for a second and logs them in batches. A server
that does not answer delays the recorder, not the training.

The address is `MLFLOW_TRACKING_URI`, or `sqlite:///mlflow.db` in the repository root. The recorder creates
and upgrades a SQLite database itself, under a lock: those that start together crash in MLflow's migration.
A run ends FINISHED, FAILED (an exception) or KILLED (Ctrl-C); that of a stage that was killed stays RUNNING.

What is not logged, because DVC took the cell from its cache or because the server was away, is logged by
`overgen sync`: it logs each finished cell once, known by the tag `cell_md5`, the checksum in `dvc.lock`.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from overgen import OvergenError
from overgen.run import cell_run, headline
from overgen.run.files import directory_md5, read_json

if TYPE_CHECKING:
    from pytorch_lightning.loggers.logger import Logger


Event = dict[str, Any]
COMMIT = "mlflow.source.git.commit"  # MLflow's own tag for it
CLOSE_SECONDS = 180.0  # the longest that a finished stage waits for its recorder; a dead server takes 2 to 40
# The recorder repeats what failed itself, so MLflow's own retries (four minutes) are cut short;
# a study does not report its use to anyone; and "creating tables" is nothing a user can act on.
RECORDER_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def enabled() -> bool:
    """Whether runs are logged. OvergenError if `OVERGEN_TRACKING` is set to anything but "on" and "off"."""
    value = os.environ.get("OVERGEN_TRACKING", "on")
    if value not in ("on", "off"):
        raise OvergenError(f'OVERGEN_TRACKING={value!r} in the environment: must be "on" or "off"')
    return value == "on"


def uri(root: str | Path = ".") -> str:
    """Where runs are logged: `MLFLOW_TRACKING_URI`, or the SQLite database mlflow.db in `root`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(Path(root) / 'mlflow.db').as_posix()}"


def shown(text: str) -> str:
    """The text with the user and password of any address in it hidden."""
    return re.sub(r"//[^/@\s]+@", "//***@", text)


class Run:
    """One MLflow run. With tracking off, `send` drops the events and everything else stays the same."""

    def __init__(
        self, send: Callable[[Event], None], key: str, parent: str | None, event: Event, ended: int | None = None
    ) -> None:
        """ended: when the work ended, in milliseconds, of one that is logged afterwards."""
        self._send = send
        self._key = key
        self._event: Event = {"event": "start", "run": key, "parent": parent, "time": now()} | event
        self._ended = ended
        self._members = 0
        send(self._event)

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log values by name, such as {"train/loss": 0.3}, at one step (update, epoch or generation).

        An infinite one becomes a tag: MLflow would store it as 1.8e308 and draw it so.
        """
        time_ms = now() if self._ended is None else self._ended
        infinite = {f"infinite.{name}": f"at step {step}" for name, value in values.items() if math.isinf(value)}
        points = [(name, float(value), time_ms, int(step)) for name, value in values.items() if not math.isinf(value)]
        if infinite:
            self.set_tags(infinite)
        self._send({"event": "metrics", "run": self._key, "points": points})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._send({"event": "tags", "run": self._key, "tags": dict(tags)})

    def show(self, cell: str | Path, columns: Sequence[str], *, commit: str = "", when: str = "") -> None:
        """What a finished cell has to show: its curves, its description, and as files metrics.json and its images.

        columns: the metrics that a table of such runs shows; commit, when: of `cell_run.description`.
        """
        folder = Path(cell)
        time_ms = now() if self._ended is None else self._ended
        points = [(name, value, time_ms, step) for name, value, step in cell_run.curves(folder)]
        if points:
            self._send({"event": "metrics", "run": self._key, "points": points})
        note = cell_run.description(folder, self._event["tags"]["dvc.stage"], commit=commit, when=when)
        self._send({"event": "cell", "run": self._key, "experiment": self._event["experiment"], "note": note,
                    "folder": str(folder.resolve()), "columns": columns})  # fmt: skip

    @property
    def commit(self) -> str:
        """The commit that the run is of; "" where there is none."""
        return str(self._event["tags"].get(COMMIT, ""))

    @contextmanager
    def member(self, name: str, *, params: Mapping[str, Any] | None = None) -> Iterator[Run]:
        """A nested run for one member (a seed, a class subset). Several may be open at once."""
        self._members += 1
        tags = {key: self._event["tags"][key] for key in ("dvc.stage", "dataset", "model")}
        name = cell_run.member_name(self._event["name"], name)
        event = {"experiment": self._event["experiment"], "name": name, "tags": tags}
        event["params"] = cell_run.texts_of(cell_run.flatten(params or {}))
        with ended(Run(self._send, f"{self._key}.{self._members}", self._key, event)) as member:
            yield member

    def _end(self, status: str) -> None:
        self._send({"event": "end", "run": self._key, "status": status, "time": self._ended or now()})


@contextmanager
def run(
    stage: str,
    dataset: str,
    model: str,
    *,
    params: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
    root: str | Path = ".",
) -> Iterator[Run]:
    """The MLflow run of a cell: `with tracking.run("fool_fgn", "mnist", "cnn", params=...) as run: ...`.

    params: exactly those the stage declares, nested or with dotted keys. Enter it before the heavy imports:
    the recorder starts while they run. Of several processes of one training, only rank 0 logs.
    A server that does not answer is warned about once, on stderr; nothing is raised.
    Raises OvergenError if `OVERGEN_TRACKING` is neither "on" nor "off".
    """
    event = cell_run.cell_event(stage, dataset, model, params)
    if not enabled() or rank() > 0:
        yield Run(lambda event: None, "0", None, event)
        return
    event["tags"] |= {**_git_commit(root), **(tags or {})}
    recorder = Recorder(uri(root), sync=False)
    try:
        with ended(Run(recorder.send, "0", None, event)) as started:
            yield started
    finally:
        recorder.close()


def log_cell(run: Run, cell: str | Path, *, md5: str = "", commit: str | None = None, when: str = "") -> None:
    """Log a finished cell: its headline's numbers, what it has to show, and whose run this is (tag `cell_md5`).

    md5: of its folder, if that is known; commit, when: of `cell_run.description`.
    A number that does not exist (no trial fooled, so no mean) is left out. OvergenError without metrics.json.
    """
    summary = read_json(Path(cell) / "metrics.json")
    values = cell_run.metrics(summary["stage"], summary["metrics"])
    run.log_metrics(values)
    run.show(cell, list(values), commit=run.commit if commit is None else commit, when=when)
    run.set_tags({"cell_md5": md5 or directory_md5(cell)})


def finish(run: Run, cell: Path, began: int) -> None:
    """Keep when a cell was computed, and log it. began: in milliseconds."""
    md5 = directory_md5(cell)
    cell_run.note_time(md5, began, now())
    if enabled():
        log_cell(run, cell, md5=md5)


def says(stage: str, dataset: str, model: str = "") -> str:
    """What came out of a stage's cell, in a few words; "" for a stage that writes none."""
    if not model:
        return ""
    rows = read_json(Path("reports/cells", dataset, stage, model, "metrics.json"))["metrics"]
    return headline.line(stage, rows)


def lightning_logger(run: Run) -> Logger:
    """What Lightning's Trainer takes as `logger`: `self.log("train/loss", ...)` goes to this run.

    Hyperparameters are not logged: a run's params are those that its stage declares. The Trainer does not end
    the run.
    """
    from pytorch_lightning.loggers.logger import Logger

    class CellLogger(Logger):
        @property
        def name(self) -> str:
            return "overgen"

        @property
        def version(self) -> str:
            return ""

        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            run.log_metrics(metrics, step or 0)

        def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
            pass

    return CellLogger()


def now() -> int:
    """The time in milliseconds since 1970, as MLflow counts it."""
    return time.time_ns() // 1_000_000


def rank() -> int:
    """The rank among the processes of one training, as torchrun, Lightning and SLURM tell it; 0 alone writes."""
    for name in ("RANK", "SLURM_PROCID"):
        if name in os.environ:
            return int(os.environ[name])
    # Lightning's own launcher: the first process of every node has LOCAL_RANK 0 or, before the launch, none
    return int(os.environ.get("NODE_RANK", "0")) + int(os.environ.get("LOCAL_RANK", "0"))


def _git_commit(root: str | Path) -> dict[str, str]:
    """The commit as MLflow's own tag for it; nothing where there is no Git or no commit."""
    command = ["git", "rev-parse", "--verify", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {COMMIT: answer.stdout.strip()}


@contextmanager
def ended(run: Run) -> Iterator[Run]:
    try:
        yield run
    except KeyboardInterrupt:
        run._end("KILLED")
        raise
    except BaseException:
        run._end("FAILED")
        raise
    run._end("FINISHED")


@contextmanager
def locked(path: Path) -> Iterator[IO[str]]:
    """Hold an exclusive lock on a file, at its start; it ends with the process, however that ends."""
    import fcntl

    with open(path, "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


class Copy:
    """A recorder as a copy of this process, which has imported MLflow already. Used as `subprocess.Popen` is."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        events, to_events = os.pipe()
        from_answer, answer = os.pipe()
        with warnings.catch_warnings():  # numpy's BLAS has threads, and restarts them after a fork
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            for number, handle in ((0, events), (1, answer)):
                os.dup2(handle, number)
            for handle in (events, to_events, from_answer, answer):
                os.close(handle)
            _as_recorder(arguments, environment)
        os.close(events)
        os.close(answer)
        self.stdin, self.stdout = os.fdopen(to_events, "wb"), os.fdopen(from_answer, "rb")
        self.returncode: int | None = None

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def _as_recorder(arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """What the copy does, whose standard input and output are the pipes."""
    status = 1
    try:
        from overgen.run import recorder

        os.environ.update(environment)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        status = recorder.main(arguments)
        sys.stdout.flush()
    finally:
        os._exit(status)


class Recorder:
    """The stage's end of the pipe to the process that logs."""

    def __init__(self, uri: str, *, sync: bool) -> None:
        package = str(Path(__file__).resolve().parents[2])
        search = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        # The address goes through the environment, where a password in it is not shown to other users.
        given = {"PYTHONPATH": search, "MLFLOW_TRACKING_URI": uri}
        arguments = ["--sync"] if sync else []
        environment = RECORDER_ENVIRONMENT | os.environ | given
        self._process: subprocess.Popen[bytes] | Copy
        if "mlflow.tracking.client" in sys.modules:  # a copy of the warm process
            self._process = Copy(arguments, environment)
        else:
            command = [sys.executable, "-P", "-W", "ignore", "-m", "overgen.run", "recorder", *arguments]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        self._uri = uri
        self._gone = False
        self._patience = None if sync else CLOSE_SECONDS  # a training does not wait for a slow server

    def send(self, event: Event) -> None:
        if self._gone:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(event).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._gone = True
            warn(self._uri, "its recorder ended")

    def close(self, *, report: Callable[[int], None] | None = None) -> Event:
        """Wait until everything is logged or given up; returns {"logged": runs, "error": text or None}.

        report(runs) is called as runs end.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        outcome: Event = {}
        alarm = None if self._patience is None else threading.Timer(self._patience, self._process.kill)
        if alarm:
            alarm.start()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with self._process.stdout as answers:  # runs that ended, then the outcome
            for line in answers:
                with suppress(json.JSONDecodeError):
                    outcome = json.loads(line)
                    if report and "ended" in outcome:
                        report(outcome["ended"])
        status = self._process.wait()
        if alarm:
            alarm.cancel()
        if "logged" in outcome:
            return outcome  # a server's failure was warned about when it happened
        late = status == -signal.SIGKILL and alarm is not None
        problem = f"it took more than {self._patience:g} s" if late else f"the recorder ended with status {status}"
        if not self._gone and self._patience is not None:
            warn(self._uri, problem)
        return {"logged": 0, "error": problem}


def warn(uri: str, problem: str) -> None:
    print(
        f"warning: MLflow at {shown(uri)} cannot be written ({problem}). The work goes on and nothing is "
        "lost: start that server, or set MLFLOW_TRACKING_URI, and run `overgen sync` afterwards. "
        "OVERGEN_TRACKING=off turns logging off.",
        file=sys.stderr,
        flush=True,
    )
