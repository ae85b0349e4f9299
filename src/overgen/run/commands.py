"""The command of a stage, at work: a group of processes of its own, its output shown line by line."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, BaseSelector
from typing import Any

from dvc.stage.run import _make_cmd, get_executable, prepare_kwargs

from overgen import OvergenError
from overgen.run import progress
from overgen.run.warm import DRIVER, Warm

LOCK = Path(".overgen/reproduce.lock")
STAGE_MODULE = "overgen.run"  # `python -m overgen.run STAGE …`: what the warm process can start
# Why a folder cannot be written for a while: its server or its disk.
AWAY = {errno.EROFS, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOSPC, errno.EDQUOT}


def warm_arguments(command: str) -> list[str] | None:
    """The arguments of a command that starts a stage and needs no shell; None for any other command."""
    if not re.fullmatch(r"[\w@%+=:,./ -]+", command):
        return None
    words = shlex.split(command)
    return words[3:] if words[:3] == ["python", "-m", STAGE_MODULE] else None


@contextmanager
def alone() -> Iterator[int]:
    """Wait until no other `overgen reproduce` is at work in this folder, nor a stage that a killed one left behind.

    Yields the open lock file: a process that inherits it holds the lock as long as it lives.
    """
    import fcntl

    try:
        LOCK.parent.mkdir(parents=True, exist_ok=True)
        opened = open(LOCK, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise OvergenError(f"{LOCK}: cannot be written ({error.strerror}); nothing was run") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            print(f"another `overgen reproduce` (process {holder}), or a stage that it left, is at work here: waiting "
                  "for its end", file=sys.stderr, flush=True)  # fmt: skip
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield file.fileno()
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # for those that inherited it, too: what a stage leaves is not waited for


def lock_again(repo: Any, stopped: Callable[[], bool]) -> None:
    """Take the lock of DVC's Repo. Where its folder cannot be written, wait until it can: what has ended is recorded.

    stopped: whether that is to end, too. Then there is no lock, and DVC is not asked to open it.
    """
    said = False
    while True:
        try:
            return repo.lock.lock()
        except OSError as error:
            repo.lock._lock_failed = True
            if error.errno not in AWAY:
                raise
            if stopped():
                return None
            if not said:
                why = f"{repo.tmp_dir}: cannot be written ({error.strerror})"
                print(f"{why}: waiting until it can be; what runs goes on", file=sys.stderr, flush=True)
            said = True
            time.sleep(1)


@dataclass(eq=False)
class Command:
    """What a stage of DVC's runs: its lines one after another, until one fails.

    warm: starts lines that it can start; None: every line starts by itself. beside: others run at the same time, so
    each line of output has the stage's name in front. lock: an open file that what starts by itself inherits. status:
    None while it runs, then the exit status, negative for a signal. failed: the line that ended with it. seconds: what
    it took.
    """

    stage: Any
    selector: BaseSelector
    warm: Warm | None
    beside: bool
    lock: int | None = None
    status: int | None = None
    failed: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        cmd = self.stage.cmd
        self._lines = list(cmd) if isinstance(cmd, list) else cmd.splitlines()
        self._options = prepare_kwargs(self.stage)
        environment = self._options["env"]  # `python` is the one that runs this, also where no environment is active
        environment["PATH"] = f"{os.path.dirname(sys.executable)}{os.pathsep}{environment.get('PATH', '')}"
        environment[DRIVER] = str(os.getpid())
        self._process: subprocess.Popen[bytes] | None = None
        self._group = 0
        self._signal = 0  # that is to end it
        self._left: int | None = None  # the status, once the line has ended, while its processes end
        self._received = b""  # by the warm process of what it started
        self._rest = b""  # of the output: a line that has not ended
        self._reader, self._output = -1, [1, 2]
        if self.beside:
            environment.setdefault("PYTHONUNBUFFERED", "1")
            environment.setdefault(progress.SWITCH, "bare")  # this puts the stage's name in front
            self._reader, writer = os.pipe()
            os.set_blocking(self._reader, False)
            self._output = [writer, writer]
            self.selector.register(self._reader, EVENT_READ, self._show)
        self._next()

    def _next(self) -> None:
        line = self._lines.pop(0)
        print(f"> {line}" if not self.beside else f"{self._name} > {line}", flush=True)
        self.failed = line
        self._process = None
        arguments = warm_arguments(line)
        if self.warm is not None and arguments is not None:
            reader = self.warm.run(STAGE_MODULE, arguments, folder=self._options["cwd"],
                                   environment=self._options["env"], output=self._output)  # fmt: skip
            self._received = b""
            self.selector.register(reader, EVENT_READ, lambda: self._listen(reader))
            return
        # A shell in between would be told that this has ended, and leave the stage to itself.
        alone = line if arguments is None else f"exec {line}"
        self._process = subprocess.Popen(
            _make_cmd(get_executable(), alone), stdin=subprocess.DEVNULL, stdout=self._output[0],
            stderr=self._output[1], process_group=0, pass_fds=[self.lock] if self.lock is not None else [],
            **self._options,
        )  # fmt: skip
        self._group = self._process.pid

    @property
    def _name(self) -> str:
        return str(self.stage.addressing)

    def poll(self) -> None:
        """See whether a line that started by itself has ended, or all that a stopped one has left behind."""
        if self.status is not None:
            return
        if self._left is not None:
            if not self._group_lives():
                self._close(self._left)
        elif self._process is not None and self._process.poll() is not None:
            self._ended(self._process.returncode)

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._group, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def _listen(self, reader: int) -> None:
        """Take what the warm process says: the process's id, then its status."""
        chunk = os.read(reader, 64)
        self._received += chunk
        numbers = [int(number) for number in self._received.split(b"\n")[:-1]]
        if numbers and not self._group:
            self._group = numbers[0]
            if self._signal:  # it came before there was a process
                self.kill(self._signal)
        if chunk and len(numbers) < 2:
            return
        self.selector.unregister(reader)
        os.close(reader)
        if len(numbers) < 2:
            print("error: the warm process, which starts stages, has ended", file=sys.stderr)
        self._ended(numbers[1] if len(numbers) == 2 else 1)

    def _ended(self, status: int) -> None:
        if self._signal:
            status = -self._signal if status == 0 and self._lines else status
            if self._signal != signal.SIGKILL and self._group and self._group_lives():
                # A shell that is stopped leaves its background processes, which ignore SIGINT, behind.
                self._left = status
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._group, signal.SIGTERM)
                return
        elif status == 0 and self._lines:
            self._group = 0
            self._next()
            return
        self._close(status)

    def _close(self, status: int) -> None:
        self._group = 0
        if self.beside:
            self._show()
            self._print(self._rest)
            self.selector.unregister(self._reader)
            for handle in (self._reader, self._output[0]):
                os.close(handle)
            self._reader = -1
        self.seconds = time.monotonic() - self._began
        self.status = status

    def _show(self) -> None:
        """Print what lines of the output are there."""
        if self._reader < 0:  # it has ended while the selector was being read
            return
        with suppress(BlockingIOError):
            while chunk := os.read(self._reader, 1 << 16):
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._print(line)

    def _print(self, line: bytes) -> None:
        if text := line.decode(errors="replace").rstrip().rpartition("\r")[2]:
            encoding = sys.stdout.encoding or "utf-8"
            print(f"{self._name} | {text.encode(encoding, 'replace').decode(encoding)}", flush=True)

    def kill(self, number: int) -> None:
        """Send a signal to all its processes; one that ends them also if they are still to come."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self._signal = number
        if self._group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)
        if number == signal.SIGKILL and self._left is not None and self.status is None:
            self._close(self._left)
