"""Run a module of overgen as a program: `python -m overgen.run stages.fool_fgn --dataset digits --model cnn`.

The same as `python -m overgen.stages.fool_fgn …`, except where `overgen.warm` runs: there the program starts in a copy
of a process that has imported torch, Lightning and MLflow already. This process then only passes on its arguments,
folder, environment and streams, waits, and ends as the program ended.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys

ADDRESS = "OVERGEN_WARM"  # in the environment: the socket of the warm process, set by it for the command that it runs


def main() -> int:
    """Run `sys.argv[1]` with the arguments after it, warm if possible. Returns its exit status."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m overgen.run MODULE [ARGUMENTS]; MODULE is one of overgen's, such as stages.report")
    module = f"overgen.{sys.argv[1]}"
    address = os.environ.get(ADDRESS)
    if address:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(address)
            except OSError as error:
                print(f"warning: {ADDRESS}={address}: {error}; {module} starts by itself", file=sys.stderr)
            else:
                return _warm(connection, module)
    sys.argv[1:] = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _warm(connection: socket.socket, module: str) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program too, which ends as it sees fit
    request = {"module": module, "arguments": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    with connection.makefile("rw", encoding="utf-8") as stream:
        stream.write(json.dumps(request) + "\n")
        stream.flush()
        answer = stream.readline()
    if not answer:
        sys.exit(f"error: {module}: the warm process at {os.environ[ADDRESS]} has ended; run this again")
    return int(answer)


if __name__ == "__main__":
    sys.exit(main())
