"""Where cells run when not as processes of `overgen reproduce`: a cluster's own scheduler, seen from the driver."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from overgen import OvergenError
from overgen.run.hints import Hints
from overgen.run.yaml_files import read_document

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
    """A scheduler. jobs: how many it is handed at a time, None for all."""

    @property
    def jobs(self) -> int | None: ...

    def adopt(self, stage: Any) -> Job | None:
        """The job of an earlier driver that is still at work on the same, or has done it meanwhile."""

    def submit(self, stages: Sequence[Any]) -> Sequence[Job]:
        """Hand over stages of DVC's, which can run at the same time.

        Raises OvergenError if one is not taken; of those that were, no job goes on.
        """

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
        package = "ray" if on == "ray" else "submitit"
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


def what_failed(
    plan: Sequence[Any], failed: Sequence[Any], jobs: Mapping[Any, Job], waiting: Sequence[Any], refused: str
) -> str:
    """What a user reads at the end, when hours may have passed: which stages failed and how, and what was not run.

    plan, failed, waiting: stages of DVC's: all, those that failed, and those that were not looked at. jobs: of failed
    ones that began. refused: why the scheduler took no more, or "".
    """
    lines = [f"{len(failed)} of {len(plan)} stages failed:"]
    for stage in failed:
        job = jobs.get(stage)
        lines.append(f"  {stage.addressing}" + (f": {job.failed} (exit status {job.status})" if job else ""))
        if job is not None:
            lines.append(f"    {job.log} ends with")
            lines += [f"    | {line}" for line in last_lines(job.log)]
    if refused:
        lines.append(f"error: {refused}")
    if waiting:
        lines.append(f"not run, since they hang on these: {', '.join(stage.addressing for stage in waiting)}")
    return "\n".join([*lines, "the same command goes on from here"])


class Estimates:
    """What stages ask for, from files that are read once."""

    def __init__(self) -> None:
        """Raises OvergenError for a file of `overgen.run.hints`, or a params.yaml, that cannot be read."""
        engines = (read_document("params.yaml").values or {}).get("engine")
        self._engines: dict[str, Any] = engines if isinstance(engines, dict) else {}
        self._hints = Hints()

    def needs(self, stage: Any, *, gpus: bool = True) -> Needs:
        """What a stage asks for: as measured, else the threads of its data set and half a day.

        gpus: whether there are any. What was measured on one says nothing of a machine without.
        """
        known = self._hints.of(stage.addressing)
        if known is None or (known.gpu and not gpus):
            return Needs(self._threads(stage), UNKNOWN_MINUTES, None, 0)
        minutes = max(LEAST_MINUTES, 2 ** math.ceil(math.log2(max(1, MARGIN * known.seconds / 60))))
        return Needs(max(known.cores or 1, self._threads(stage)), minutes, known.memory_gib, known.gpu or 0)

    def _threads(self, stage: Any) -> int:
        """The threads that a stage may use: those of its data set in params.yaml, if it is about one."""
        words = stage.cmd.split() if isinstance(stage.cmd, str) else []
        dataset = words[words.index("--dataset") + 1] if "--dataset" in words[:-1] else ""
        threads = (self._engines.get(dataset) or {}).get("threads")
        return threads if isinstance(threads, int) and threads > 0 else 1
