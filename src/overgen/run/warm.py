"""A process that has imported torch, Lightning and MLflow, and starts stages as copies of itself.

A stage on a small data set spends most of its time on imports (torch, Lightning, MLflow: 7 s of CPU). The process here
imports them once and then forks a copy for each stage that `overgen.run.reproduce` asks for. Nothing else changes: of
overgen itself nothing that a stage uses is imported before the fork, so an edited file is met as it is when its stage
starts, and a stage writes the same bytes, cold or warm.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from typing import Any

# What stages import of others, in the order in which the first of them needs it; MLflow only where runs are logged.
IMPORTS = ("numpy", "pandas", "pydantic", "yaml", "safetensors.torch", "torch", "scipy.stats", "lightning_fabric",
           "pytorch_lightning")  # fmt: skip
TRACKING_IMPORTS = ("mlflow.tracking.client", "mlflow.store.tracking.sqlalchemy_store")
DRIVER = "OVERGEN_DRIVER"  # in the environment of what `overgen reproduce` starts: that process
_ENDING = {signal.SIGINT, signal.SIGTERM}
_LENGTH = struct.Struct("!I")


class Warm:
    """The warm process, seen from the one that asks it for stages."""

    def __init__(self, imports: Sequence[str] | None = None) -> None:
        """imports: the modules that it imports before it serves, `IMPORTS` and what records runs unless given."""
        self._imports = _needed() if imports is None else imports
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def started(self) -> bool:
        """Whether it was let begin."""
        return self._process is not None

    def start(self) -> None:
        """Let it begin its imports, unless it has."""
        if self._process is None:
            self._socket, other = socket.socketpair()
            with other:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "overgen.run.warm", str(other.fileno()), *self._imports],
                    pass_fds=[other.fileno()],
                    stdin=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C is for who asks
                )

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        folder: str,
        environment: Mapping[str, str],
        output: Sequence[int],
    ) -> int:
        """Run a module as a program. Returns a file to read: a line with its process id, then one with its status.

        output: the files that become its standard output and error. The process leads a group of its own. The file
        ends without a status if the warm process ends first.
        """
        self.start()
        assert self._socket is not None
        request = {"module": module, "arguments": list(arguments), "folder": folder, "environment": dict(environment)}
        content = json.dumps(request).encode()
        reader, writer = os.pipe()
        try:
            socket.send_fds(self._socket, [_LENGTH.pack(len(content))], [writer, *output])
            self._socket.sendall(content)
        except OSError:  # it has ended: who reads finds neither line
            pass
        finally:
            os.close(writer)
        return reader

    def close(self) -> None:
        """End it, and what it runs."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()


def end_with_driver() -> None:
    """Let a process that `overgen reproduce` started end when that ends, even by SIGKILL. Linux can."""
    if os.environ.get(DRIVER) and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # PR_SET_PDEATHSIG: when its parent ends


def _needed() -> tuple[str, ...]:
    return IMPORTS + (TRACKING_IMPORTS if os.environ.get("OVERGEN_TRACKING", "on") == "on" else ())


def main() -> int:
    """Import the modules named in `sys.argv`; serve who holds the other end of its socket until that is closed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    running: dict[Any, tuple[Any, int]] = {}
    with socket.socket(fileno=int(sys.argv[1])) as asker:
        try:
            _import(sys.argv[2:])
            _serve(asker, running)
        finally:
            for process, _ in running.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
    return 0


def _import(names: Sequence[str]) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read on import; it would start a thread
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stage shows those that concern it
            importlib.import_module(name)


def _serve(asker: socket.socket, running: dict[Any, tuple[Any, int]]) -> None:
    """Fork a program for each request. running: the process and the file for its status, by the process's sentinel."""
    while True:
        for ready in connection.wait([asker, *running]):
            if ready is asker:
                header, handles, _, _ = socket.recv_fds(asker, _LENGTH.size, 3, socket.MSG_WAITALL)
                if not header:
                    return
                content = asker.recv(_LENGTH.unpack(header)[0], socket.MSG_WAITALL)
                writer = handles.pop(0)
                process = _fork(
                    json.loads(content), handles, [asker.fileno(), writer, *(w for _, w in running.values())]
                )
                running[process.sentinel] = process, writer
                _say(writer, process.pid or 0)
            else:
                process, writer = running.pop(ready)
                process.join()
                _say(writer, process.exitcode if process.exitcode >= 0 else 128 - process.exitcode)
                os.close(writer)


def _say(writer: int, number: int) -> None:
    with suppress(BrokenPipeError):
        os.write(writer, f"{number}\n".encode())


def _fork(request: dict[str, Any], output: Sequence[int], foreign: Sequence[int]) -> ForkProcess:
    """The process of a program, started. foreign: open files that are not the program's."""
    process = ForkProcess(target=_program, args=(request, output, foreign))
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # until the program has its own handlers
    try:
        with warnings.catch_warnings():  # numpy's BLAS has threads, and restarts them after a fork
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        assert process.pid is not None
        with suppress(OSError):  # the program does so too, whichever is first
            os.setpgid(process.pid, process.pid)
        return process
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        for handle in output:
            os.close(handle)


def _program(request: dict[str, Any], output: Sequence[int], foreign: Sequence[int]) -> None:
    """In the forked process: take over the output, folder, environment and arguments of who asked, and run."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    for handle in foreign:
        os.close(handle)
    for number, handle in enumerate(output, start=1):
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.exit(main())
