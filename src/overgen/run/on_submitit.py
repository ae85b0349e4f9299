"""Cells as jobs of submitit: on SLURM, or as processes of this machine.

Jobs that can run at the same time and ask for the same are one SLURM array. A job whose time is over, or that is
preempted, is queued again by submitit or by SLURM, and the cell goes on from its progress. A driver that is killed
leaves its SLURM jobs at work; the next one takes them over.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import submitit
from dvc.stage.serialize import to_single_stage_lockfile
from submitit.core.core import Job as SubmititJob
from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError
from submitit.helpers import DelayedSubmission
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

from overgen import OvergenError
from overgen.run.clusters import JOBS, Estimates, Needs
from overgen.run.commands import AWAY
from overgen.run.work import KILLS, Done, Killed, Work, work_of

TIMEOUTS = 20  # times that the time of a job may be over before it is given up
SECONDS_TO_ASK = 20  # between two questions to SLURM about jobs that have left no result
SECONDS_TO_END = 10  # for jobs of this machine; those of SLURM the next call waits for
DAYS = 30  # that a job's folder is kept: its log, and its result, which says that it has ended
SUBMITTED = JOBS / "slurm.json"  # the jobs at work, and what they work on


@dataclass
class Resumable:
    """Work that begins again, `KILLS` times, when it is killed, and as often as submitit likes when its job is stopped.

    killed: whether it was, since the job began. told: whether SLURM has told the job to end, as it does before it
    preempts or cancels it.
    """

    work: Work
    killed: bool = False
    told: bool = False

    def __call__(self) -> Done:
        """Run it. In a SLURM job what is killed goes back to the queue; elsewhere it begins again at once."""
        if os.environ.get("SLURM_JOB_ID"):
            return self._in_slurm()
        try:
            return self.work()
        except Killed:
            if self.work.kills == KILLS:
                raise
            return Resumable(self.work.again())()

    def _in_slurm(self) -> Done:
        if (result := submitit.JobEnvironment().paths.result_pickle).exists():
            # It was preempted after it had ended, and its driver may have begun another.
            outcome, found = pickle.loads(result.read_bytes())
            if outcome == "success":
                return cast(Done, found)
            raise RuntimeError(found)
        signal.signal(signal.SIGTERM, self._tell)
        try:
            done = self.work()
            self._leave_if_told()
            return done
        except Killed:
            self._leave_if_told()
            if self.work.kills == KILLS:
                raise
            self.killed = True
            os.kill(os.getpid(), submitit.JobEnvironment._usr_sig())  # as if preempted: submitit queues it again
            time.sleep(600)  # until the job is stopped
            raise

    def _tell(self, *_: object) -> None:
        self.told = True

    def _leave_if_told(self) -> None:
        """Wait for the job's end, if that is why the commands ended: they are told, too.

        They failed, or a shell went on where its command broke off, so there is no result. SLURM kills the job and,
        if it was preempted, begins it again.
        """
        time.sleep(0.2)  # the commands may have been told first
        while self.told:
            time.sleep(1)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit puts in the queue in its place."""
        return DelayedSubmission(Resumable(self.work.again() if self.killed else self.work))


class Submitit:
    """A `Cluster`."""

    def __init__(self, name: str, options: Mapping[str, Any], jobs: int) -> None:
        """name: local or slurm. options: of `submitit.AutoExecutor.update_parameters`; those of SLURM as `slurm_…`.

        Raises OvergenError where there is no SLURM, and for options that submitit does not know.
        """
        self.name = name
        self.jobs = jobs if name == "local" else None
        self._options = dict(options)
        for option in ("tasks_per_node", "nodes", "slurm_ntasks_per_node", "slurm_nodes"):
            if self._options.get(option, 1) != 1:
                raise OvergenError(
                    f"--on {name}: {option}={options[option]}: each task would make the whole cell; leave it"
                )
        _tidy()
        logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns at every question that sacct cannot answer
        try:
            self._executor().update_parameters(**self._options)
        except (RuntimeError, ValueError, TypeError, NameError, AssertionError) as error:
            raise OvergenError(f"--on {name}: submitit says: {error}") from error
        self._estimates = Estimates()
        self._gpus = True
        if name == "slurm":
            SlurmJob.watcher = Watcher()
            kinds = subprocess.run(["sinfo", "--noheader", "--format=%G"], capture_output=True, text=True)
            self._gpus = "gpu" in kinds.stdout

    def _executor(self) -> submitit.AutoExecutor:
        more = {"slurm_max_num_timeout": TIMEOUTS} if self.name == "slurm" else {}
        return submitit.AutoExecutor(JOBS.absolute() / "%j", cluster=self.name, **more)

    def adopt(self, stage: Any) -> _Running | None:
        """See `Cluster`. A job of this folder that works on something else is cancelled."""
        entry = _submitted().get(stage.addressing) if self.name == "slurm" else None
        if entry is None:
            return None
        job: Any = SlurmJob(JOBS.absolute() / "%j", entry["job"])
        if entry["state"] == _state(stage):
            if not job.done(force_check=True) or (job.paths.result_pickle.exists() and job.exception() is None):
                return _Running(stage, job)
        elif not job.done(force_check=True):
            why = (
                "works on what has changed since: cancelled" if entry["state"] else "is cancelled: waiting for its end"
            )
            print(f"{stage.addressing}: job {entry['job']} {why}", flush=True)
            job.cancel(check=False)
            while not job.done(force_check=True):
                time.sleep(1)
        return None

    def submit(self, stages: Sequence[Any]) -> list[_Running]:
        """See `Cluster`."""
        asked = sorted(
            ((self._estimates.needs(stage, gpus=self._gpus), stage) for stage in stages), key=lambda pair: str(pair[0])
        )
        running: list[_Running] = []
        try:
            for needs, pairs in groupby(asked, key=lambda pair: pair[0]):
                running += self._submit(needs, [stage for _, stage in pairs])
        except (FailedJobError, FailedSubmissionError, OSError, subprocess.SubprocessError) as error:
            for job in running:
                job.kill(signal.SIGINT)
            until = time.monotonic() + SECONDS_TO_END
            while self.name == "local" and not all(job.job.done() for job in running) and time.monotonic() < until:
                time.sleep(0.1)
            raise OvergenError(f"--on {self.name}: the jobs were not taken: {error}") from error
        return running

    def _submit(self, needs: Needs, stages: Sequence[Any]) -> list[_Running]:
        """Hand over stages that ask for the same."""
        executor = self._executor()  # a new one: parameters that one has been given it keeps
        executor.update_parameters(**self._parameters(needs, stages))
        work = [Resumable(self._work_of(stage)) for stage in stages]
        if self.name == "slurm":
            jobs = executor.submit_array(work)
            states = {stage.addressing: _entry(job, _state(stage)) for stage, job in zip(stages, jobs, strict=True)}
            try:
                _write_submitted(_submitted() | states)
            except OSError:
                for job in jobs:  # nobody would know of it
                    job.cancel(check=False)
                raise
        else:
            jobs = []
            for one in work:
                jobs.append(executor.submit(one))
                # Another process may have had its number, and left a result; it has not come to its own yet.
                jobs[-1].paths.result_pickle.unlink(missing_ok=True)
        return [_Running(stage, job) for stage, job in zip(stages, jobs, strict=True)]

    def _work_of(self, stage: Any) -> Work:
        """The stage's work. On this machine it ends with the driver, and sees the GPUs, of which submitit hides all."""
        work = work_of(stage)
        if self.name != "local":
            return work
        work = replace(work, driver=os.getpid())
        if "gpus_per_node" in self._options:
            return work
        name = "CUDA_VISIBLE_DEVICES"
        return replace(work, environment=(*work.environment, (name, os.environ.get(name))))

    def _parameters(self, needs: Needs, stages: Sequence[Any]) -> dict[str, Any]:
        """What is asked of submitit, under the options that the user gave."""
        asked: dict[str, Any] = {"name": stages[0].addressing if len(stages) == 1 else "overgen"}
        asked |= {"timeout_min": needs.minutes, "cpus_per_task": needs.cores, "stderr_to_stdout": True}
        asked |= {"mem_gb": needs.memory_gib} if needs.memory_gib else {}
        if self.name == "slurm" and needs.gpu and "slurm_gres" not in self._options:
            asked |= {"gpus_per_node": 1}
        return asked | self._options

    def left(self) -> str:
        """See `Cluster`."""
        if self.name == "local":
            return ""
        return "their jobs go on in SLURM; the same command takes them over"

    def close(self) -> None:
        """See `Cluster`."""


@dataclass(eq=False)
class _Running:
    """A `Job`: of submitit."""

    stage: Any
    job: Any
    status: int | None = None
    failed: str = ""
    seconds: float = 0.0
    _signal: int = 0  # that is to end it
    _waits: bool = False  # for the folder to be written again

    @property
    def log(self) -> Path:
        return Path(self.job.paths.stdout)

    def poll(self) -> None:
        """See `Job`."""
        if self.status is not None or not self.job.done():
            return
        if self._signal and not self.job.paths.result_pickle.exists():  # for which submitit would wait
            self.status = -self._signal
            return
        try:
            done = self.job.result()
            self.status, self.seconds, self.failed = done.status, done.seconds, done.failed
        except (FailedJobError, UncompletedJobError) as error:
            self.status, self.failed = 1, _said(error, self.job)
        except OSError as error:  # submitit touches the job's folder
            if error.errno in AWAY:
                self._wait_for(error)
                return
            self.status, self.failed = 1, str(error)
        with suppress(OSError):  # what stays there has ended, see `Submitit.adopt`
            _forget(self.stage)

    def _wait_for(self, error: OSError) -> None:
        """Say once that the job, which has ended, is asked again later."""
        if not self._waits:
            why = f"{self.stage.addressing}: {self.log.parent}: cannot be written ({error.strerror})"
            print(f"{why}: waiting until it can be", file=sys.stderr, flush=True)
        self._waits = True

    def kill(self, number: int) -> None:
        """See `Job`. A SLURM job goes on unless it was Ctrl-C that ended the driver."""
        if number in (signal.SIGSTOP, signal.SIGCONT):
            return
        self._signal = number
        on_slurm = isinstance(self.job, SlurmJob)
        if not on_slurm or number == signal.SIGINT:
            with suppress(Exception):
                self.job.cancel(check=False)
        if on_slurm:
            self.status = -number
            if number == signal.SIGINT:  # its processes may take a while, see KillWait of SLURM
                _write_submitted(_submitted() | {self.stage.addressing: _entry(self.job, "")})


def _tidy() -> None:
    """Remove the folders of jobs that ended long ago."""
    at_work = {entry["job"] for entry in _submitted().values()}
    for folder in JOBS.glob("[0-9]*/"):
        if folder.name not in at_work and time.time() - folder.stat().st_mtime > DAYS * 24 * 3600:
            shutil.rmtree(folder, ignore_errors=True)


def _said(error: Exception, job: SubmititJob[Any]) -> str:
    """Why there is no result: the last line of a job's traceback, or the state that the scheduler gives."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(("---", "You can"))]
    if not isinstance(error, FailedJobError):  # which is an UncompletedJobError, too
        return f"the job ended without a result (state {job.state})"
    return next((line for line in reversed(lines) if ": " in line and not line.startswith(" ")), lines[0])


class Watcher(SlurmInfoWatcher):
    """What SLURM says of jobs: by `sacct`, as submitit asks, or by `squeue` on a cluster that keeps no accounts."""

    def __init__(self) -> None:
        super().__init__(delay_s=SECONDS_TO_ASK)
        kept = subprocess.run(["sacct", "--noheader", "-j", "0"], capture_output=True)
        self._accounts = kept.returncode == 0

    def _make_command(self) -> list[str] | None:
        if self._accounts:
            return super()._make_command()
        if not self._registered - self._finished:
            return None
        return ["squeue", "--me", "--array", "--states=all", "--format=%i|%T|%N"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """The state of each job by its number. Jobs that `squeue` has forgotten have ended."""
        if self._accounts:
            return super().read_info(string)
        text = string.decode() if isinstance(string, bytes) else string
        rows = [line.split("|") for line in text.splitlines()[1:]]
        states = {row[0]: {"JobID": row[0], "State": row[1], "NodeList": row[2]} for row in rows}
        forgotten = (self._registered - self._finished) - set(states)
        return states | {job: {"JobID": job, "State": "FORGOTTEN", "NodeList": ""} for job in forgotten}


def _state(stage: Any) -> str:
    """What a job works on: the stage's command, dependencies and parameters, as dvc.lock has them."""
    lines = {key: value for key, value in to_single_stage_lockfile(stage).items() if key != "outs"}
    return hashlib.md5(json.dumps(lines, default=str, sort_keys=True).encode()).hexdigest()


def _entry(job: SubmititJob[Any], state: str) -> dict[str, str]:
    """What `SUBMITTED` holds of a job. state: what it works on; "" where it was cancelled."""
    return {"job": job.job_id, "state": state}


def _submitted() -> dict[str, dict[str, str]]:
    try:
        return dict(json.loads(SUBMITTED.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _write_submitted(jobs: Mapping[str, Mapping[str, str]]) -> None:
    temporary = SUBMITTED.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(jobs, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, SUBMITTED)


def _forget(stage: Any) -> None:
    jobs = _submitted()
    if jobs.pop(stage.addressing, None) is not None:
        _write_submitted(jobs)
