"""Cells as tasks of Ray, on this machine or on the cluster that `RAY_ADDRESS` names.

Ray starts a task again, elsewhere, when its worker or node dies, and packs tasks by the share of a GPU that they ask
for. Tasks end with their driver.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray._private.utils import read_ray_address
from ray.exceptions import RayError

from overgen import OvergenError
from overgen.run.clusters import JOBS, Estimates
from overgen.run.work import KILLS, Done, Killed, Work, work_of

GIB = 1 << 30


def _run(work: Work) -> Done:
    return work()


class Ray:
    """A `Cluster`."""

    jobs = None

    def __init__(self, options: Mapping[str, Any]) -> None:
        """options: of `ray.remote`, for every task. Raises OvergenError if there is no such cluster or option."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._options = dict(options)
        self._estimates = Estimates()
        on_cluster = "RAY_ADDRESS" in os.environ and "RAY_AUTH_MODE" not in os.environ
        try:
            ray.init(_address(), log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
            self._task = ray.remote(_run)
            self._task.options(**self._options)
        except (ConnectionError, RuntimeError, ValueError, TypeError) as error:
            ray.shutdown()
            token = "; a cluster of `ray start` may ask for its token: RAY_AUTH_MODE=token" if on_cluster else ""
            raise OvergenError(f"--on ray: Ray says: {error}{token}") from error
        self._gpus = ray.cluster_resources().get("GPU", 0) > 0
        (JOBS / "ray").mkdir(parents=True, exist_ok=True)

    def adopt(self, stage: Any) -> None:
        """See `Cluster`: tasks end with their driver."""

    def submit(self, stages: Sequence[Any]) -> list[_Running]:
        """See `Cluster`."""
        running: list[_Running] = []
        try:
            for stage in stages:
                running.append(self._submit(stage))
        except (RayError, ValueError, TypeError, OSError) as error:
            for job in running:
                job.kill(signal.SIGINT)
            raise OvergenError(f"--on ray: the tasks were not taken: {error}") from error
        return running

    def _submit(self, stage: Any) -> _Running:
        needs = self._estimates.needs(stage, gpus=self._gpus)
        name = re.sub(r"[^\w@.-]", "_", stage.addressing)
        log = (JOBS / "ray" / f"{name}.log").absolute()
        log.unlink(missing_ok=True)
        work = replace(work_of(stage), log=str(log))
        asked: dict[str, Any] = {"num_cpus": needs.cores, "num_gpus": needs.gpu, "name": stage.addressing}
        asked |= {"memory": int(needs.memory_gib * GIB)} if needs.memory_gib else {}
        asked |= {"max_retries": KILLS, "retry_exceptions": [Killed]}
        if "PYTHONPATH" in os.environ:  # alike for all tasks: Ray starts a worker for each other environment
            asked |= {"runtime_env": {"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}}}
        return _Running(stage, self._task.options(**asked | self._options).remote(work), log)

    def left(self) -> str:
        """See `Cluster`."""
        return ""

    def close(self) -> None:
        """See `Cluster`."""
        ray.shutdown()


@dataclass(eq=False)
class _Running:
    """A `Job`: a task of Ray's."""

    stage: Any
    task: Any
    log: Path
    status: int | None = None
    failed: str = ""
    seconds: float = 0.0

    def poll(self) -> None:
        """See `Job`."""
        if self.status is not None or not ray.wait([self.task], timeout=0)[0]:
            return
        try:
            done = ray.get(self.task)
            self.status, self.seconds, self.failed = done.status, done.seconds, done.failed
        except RayError as error:
            self.status, self.failed = 1, _said(error)

    def kill(self, number: int) -> None:
        """See `Job`."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            with suppress(RayError):
                ray.cancel(self.task, force=True)


def _address() -> str | None:
    """None for the cluster that Ray finds, or a new one; "local", which is a new one, where the one it finds is gone.

    Ray 2.60 keeps the address of the last cluster of this machine in a file, and waits for it without end.
    """
    found = read_ray_address() if "RAY_ADDRESS" not in os.environ else None
    if not found:
        return None
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except (OSError, ValueError):
        return "local"
    return None


def _said(error: RayError) -> str:
    """The cause, in a line."""
    cause = getattr(error, "cause", None)
    lines = [line for line in str(cause or error).splitlines() if line.strip()]
    return f"{type(cause or error).__name__}: {lines[-1] if lines else ''}"
