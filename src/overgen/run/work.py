"""The commands of a stage as work for another process, maybe on another machine: what submitit and Ray carry there.

The folder is shared: the job finds the study where it was handed over, writes its outputs there, and an interrupted
one goes on from the progress that lies there. It imports nothing but Python's own library.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

KILLS = 3  # of a cell, before it is given up
PASSED_ON = ("OVERGEN_", "MLFLOW_", "DVC_", "OMP_", "OPENBLAS_", "MKL_", "PYTHONPATH")  # of the environment, if set
DRIVER = "OVERGEN_DRIVER"  # as in overgen.run.warm: the stage ends with that process


class Done(NamedTuple):
    """How it ended. status: of the command that was last, negative for a signal; seconds: what all took."""

    status: int
    seconds: float
    failed: str


class Killed(RuntimeError):
    """A command was ended by SIGKILL: as by a person, or for want of memory."""


@dataclass(frozen=True)
class Work:
    """lines: commands, each with the program that runs it, one after another until one fails.

    folder: where they run. programs: a folder of programs that are found first, as `python`. environment: what of it
    they are given beside that of the job; what is None they lose. log: a file for what they say, or "" for the job's
    own output. kills: how many times they were killed before. driver: a process of this machine that they end with; 0
    for none.
    """

    address: str
    lines: tuple[tuple[str, ...], ...]
    folder: str
    programs: str
    environment: tuple[tuple[str, str | None], ...]
    log: str = ""
    kills: int = 0
    driver: int = 0

    def __call__(self) -> Done:
        """Run them.

        Raises Killed if one was killed, FileNotFoundError where the folder is not shared, RuntimeError when the driver
        has ended.
        """
        if not Path(self.folder, "dvc.yaml").is_file():
            raise FileNotFoundError(
                f"{self.folder}: not on {socket.gethostname()}; jobs need a folder that all machines share"
            )
        if self.driver:  # whose terminal, when it goes, sends this process the signal, too
            signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
        began = time.monotonic()
        given = os.environ | dict(self.environment) | {DRIVER: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        environment = {name: value for name, value in given.items() if value is not None}
        environment["PATH"] = f"{self.programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
        status = 0
        line: tuple[str, ...] = ("",)
        for line in self.lines:
            status = self._run(line, environment)
            if status:
                break
        return Done(status, time.monotonic() - began, line[-1] if status else "")

    def _run(self, line: tuple[str, ...], environment: dict[str, str]) -> int:
        """Run one. It leads a session of its own: signals that schedulers send to a job are for the job."""
        sys.stdout.flush()
        with open(self.log or os.devnull, "a") as log:
            output = log if self.log else None
            process = subprocess.Popen(
                line, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                status = self._wait(process)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # what a shell has started would write on beside the next job
                process.wait()
                raise
        if status in (-signal.SIGKILL, 128 + signal.SIGKILL):
            raise Killed(f"{self.address}: killed, by a person or for want of memory: {line[-1]}")
        return status

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        while True:
            try:
                return process.wait(1 if self.driver else None)
            except subprocess.TimeoutExpired:
                if has_ended(self.driver):
                    raise RuntimeError(f"{self.address}: the driver, process {self.driver}, has ended") from None

    def again(self) -> Work:
        """The same, after it was killed once more."""
        return replace(self, kills=self.kills + 1)


def has_ended(pid: int) -> bool:
    """Whether a process of this machine is no more, or is a zombie."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
    except PermissionError:
        return False


def passed_on(environment: dict[str, str]) -> tuple[tuple[str, str | None], ...]:
    """What of a stage's environment a job is given: the rest is of its own machine."""
    names = [name for name in environment if name.startswith(PASSED_ON) and name != DRIVER]
    return tuple((name, environment[name]) for name in sorted(names))


def work_of(stage: Any) -> Work:
    """The work of a stage of DVC's, as DVC would run it here."""
    from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

    from overgen.run.commands import warm_arguments

    options = prepare_kwargs(stage)
    lines = list(stage.cmd) if isinstance(stage.cmd, list) else stage.cmd.splitlines()
    # A shell in between would be told that the job has ended, and leave the stage to itself.
    lines = [line if warm_arguments(line) is None else f"exec {line}" for line in lines]
    commands = tuple(tuple(_make_cmd(get_executable(), line)) for line in lines)
    programs = os.path.dirname(sys.executable)
    return Work(stage.addressing, commands, options["cwd"], programs, passed_on(options["env"]))
