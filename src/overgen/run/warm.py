"""Run a command whose stages all start from one warm process: `python -m overgen.run.warm dvc repro report@digits`.

A stage on a small data set spends most of its time on imports (torch, Lightning, MLflow: 7 s of CPU and 5 more for its
recorder). This process imports them once and then forks a copy for each program that `overgen.run` asks for. Nothing
else changes: of overgen itself nothing is imported before the fork, so an edited file is met as it is when its stage
starts, and a stage writes the same bytes, cold or warm.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from multiprocessing import connection
from pathlib import Path
from typing import Any

from overgen.run.__main__ import ADDRESS

# What stages import of others, in the order in which the first of them needs it; MLflow only where runs are logged.
IMPORTS = ("numpy", "pandas", "pydantic", "yaml", "safetensors.torch", "torch", "scipy.stats", "lightning_fabric",
           "pytorch_lightning")  # fmt: skip
TRACKING_IMPORTS = ("mlflow.tracking.client", "mlflow.store.tracking.sqlalchemy_store")


def main() -> int:
    """Run the command in `sys.argv`, with the warm process's address in its environment. Returns its exit status."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m overgen.run.warm COMMAND [ARGUMENTS]")
    with tempfile.TemporaryDirectory(prefix="overgen-") as folder, socket.socket(socket.AF_UNIX) as listener:
        address = Path(folder, "warm")
        try:
            listener.bind(str(address))
        except OSError as error:  # such as a path longer than the system allows
            print(f"warning: {address}: {error}; every stage starts by itself", file=sys.stderr)
            return _status(subprocess.call(sys.argv[1:]))
        listener.listen()
        command = subprocess.Popen(sys.argv[1:], env=os.environ | {ADDRESS: str(address)})
        signal.signal(signal.SIGTERM, lambda *_: command.terminate())
        waiting: dict[Any, Any] = {}
        try:
            _import(command)
            signal.signal(signal.SIGINT, lambda *_: None)  # it reaches the command and its programs, which end by it
            _serve(listener, command, waiting)
        finally:
            listener.close()  # who comes now starts by itself, and who waits is told that it was in vain
            for _, client in waiting.values():
                client.close()
            status = command.wait()
    return _status(status)


def _status(status: int) -> int:
    return status if status >= 0 else 128 - status


def _import(command: subprocess.Popen[bytes]) -> None:
    """Import what stages need, unless the command ends before."""
    tracked = os.environ.get("OVERGEN_TRACKING", "on") == "on"
    if tracked:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read on import; it would start a thread
    for name in IMPORTS + (TRACKING_IMPORTS if tracked else ()):
        if command.poll() is not None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stage shows those that concern it
            importlib.import_module(name)


def _serve(listener: socket.socket, command: subprocess.Popen[bytes], running: dict[Any, Any]) -> None:
    """Fork a program for each connection, until the command has ended and its programs with it.

    running: filled with the process and the connection of each program, by the process's sentinel.
    """
    while running or command.poll() is None:
        clients = {client: process for process, client in running.values()}
        for ready in connection.wait([listener, *running, *clients], timeout=0.2):
            if ready is listener:
                client, _ = listener.accept()
                try:
                    process = _fork(client, [listener, client, *clients])
                except (OSError, ValueError) as error:  # it was killed before it had asked, or no fork was possible
                    print(f"warning: a program could not be started warm: {error}", file=sys.stderr)
                    client.close()
                else:
                    running[process.sentinel] = process, client
            elif ready in running:
                process, client = running.pop(ready)
                process.join()
                with client, suppress(BrokenPipeError):  # if who asked was killed meanwhile
                    client.sendall(f"{_status(process.exitcode)}\n".encode())
            elif ready in clients:  # nothing more is ever sent: who asked is gone
                clients[ready].terminate()


def _fork(client: socket.socket, connections: list[socket.socket]) -> Any:
    """The process of the program that a client asks for, started. connections: those that are not the program's."""
    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    try:
        with client.makefile("r", encoding="utf-8") as stream:
            request = json.loads(stream.readline())
        context = multiprocessing.get_context("fork")
        process = context.Process(target=_program, args=(request, streams, connections))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the program has its own handler
        with warnings.catch_warnings():  # numpy's BLAS has threads, and restarts them after a fork
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        return process
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for handle in streams:
            os.close(handle)


def _program(request: dict[str, Any], streams: list[int], connections: list[socket.socket]) -> None:
    """In the forked process: take over the streams, folder, environment and arguments of who asked, and run."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for mine in connections:
        mine.close()
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]
    from overgen.run.__main__ import program

    sys.exit(program(request["arguments"]))


if __name__ == "__main__":
    sys.exit(main())
