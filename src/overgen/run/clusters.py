"""Where cells run when not as processes of `overgen reproduce`: a cluster's own scheduler, seen from the driver."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from overgen import OvergenError

JOBS = Path(".overgen/jobs")  # what schedulers leave of jobs: their logs, submissions and results
MARGIN = 3  # times the measured seconds that a job may take; it goes on after its time is over, see `on_submitit`
LEAST_MINUTES = 30
UNKNOWN_MINUTES = 12 * 60  # for a cell that nobody has measured


class Needs(NamedTuple):
    """What a job asks the scheduler for. gpu: a share of one, 0 for none; memory_gib: None for the scheduler's own."""

    cores: int
    minutes: int
    memory_gib: float | None
    gpu: float


class Job(Protocol):
    """A stage at work somewhere. status: None until it has ended, then as `Command`'s.

    failed: the command or event that ended it; seconds: what it took, without waiting; log: where it says what it does.
    """

    stage: Any
    status: int | None
    failed: str
    seconds: float

    @property
    def log(self) -> Path: ...

    def poll(self) -> None:
        """See whether it has ended."""

    def kill(self, number: int) -> None:
        """Let it end. number: the signal that the driver was sent."""


class Cluster(Protocol):
    """A scheduler. name: as `--on` calls it. jobs: how many it is handed at a time, None for all."""

    @property
    def name(self) -> str: ...

    @property
    def jobs(self) -> int | None: ...

    def adopt(self, stage: Any) -> Job | None:
        """The job of an earlier driver that is still at work on the same, or has done it meanwhile."""

    def submit(self, stages: Sequence[Any]) -> Sequence[Job]:
        """Hand over stages of DVC's, which can run at the same time. Raises OvergenError if they are not taken."""

    def left(self) -> str:
        """What a user is told of jobs when the driver is ended, other than by Ctrl-C, and jobs go on; "" if none do."""

    def close(self) -> None:
        """Leave it."""


def open_cluster(on: str, options: Mapping[str, Any], jobs: int) -> Cluster:
    """The scheduler that `--on` names.

    options: of the scheduler, by its own names, which replace what overgen asks for. jobs: at a time on this machine.
    Raises OvergenError for a name that is none and for a package that is not installed.
    """
    try:
        if on == "ray":
            from overgen.run.on_ray import Ray

            return Ray(options)
        if on in ("local", "slurm"):
            from overgen.run.on_submitit import Submitit

            return Submitit(on, options, jobs)
    except ModuleNotFoundError as error:
        package = {"ray": "ray"}.get(on, "submitit")
        raise OvergenError(f"--on {on} needs {package} ({error}): `pip install 'overgen[{package}]'`") from error
    raise OvergenError(f"--on {on}: none of local, slurm, ray")


def last_lines(log: Path, number: int = 8) -> list[str]:
    """The last lines of a job's log; none if there is no such file."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 100 * 1024))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = [line.rstrip().rpartition("\r")[2] for line in text.split("\n") if line.strip()]
    return [line for line in lines if not line.startswith("submitit INFO")][-number:]


def needs_of(stage: Any, *, gpus: bool = True) -> Needs:
    """What a stage asks for: as measured (`overgen.run.hints`), else the threads of its data set and half a day.

    gpus: whether there are any. What was measured on one says nothing of a machine without.
    """
    from overgen.run.hints import hint

    known = hint(stage.addressing)
    if known is None or (known.gpu and not gpus):
        return Needs(_threads(stage), UNKNOWN_MINUTES, None, 0)
    minutes = max(LEAST_MINUTES, 2 ** math.ceil(math.log2(max(1, MARGIN * known.seconds / 60))))
    return Needs(max(known.cores or 1, _threads(stage)), minutes, known.memory_gib, known.gpu or 0)


def _threads(stage: Any) -> int:
    """The threads that a stage may use: those of its data set in params.yaml, if it is about one."""
    from overgen.run.yaml_files import read_document

    engines = (read_document("params.yaml").values or {}).get("engine") or {}
    words = stage.cmd.split() if isinstance(stage.cmd, str) else []
    dataset = words[words.index("--dataset") + 1] if "--dataset" in words[:-1] else ""
    threads = (engines.get(dataset) or {}).get("threads") if isinstance(engines, dict) else None
    return threads if isinstance(threads, int) and threads > 0 else 1
