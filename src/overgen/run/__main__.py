"""Run one cell of a stage: `python -m overgen.run fool_fgn --dataset digits --model cnn`.

Where `overgen.run.warm` runs, the cell starts in a copy of a process that has imported torch, Lightning and MLflow
already. This process then only passes on its arguments, folder, environment and streams, waits, and ends as the
cell ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence

ADDRESS = "OVERGEN_WARM"  # in the environment: the socket of the warm process, set by it for the command that it runs


def main() -> int:
    """Run `sys.argv[1:]`, warm if possible. Returns its exit status."""
    address = os.environ.get(ADDRESS)
    if address:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(address)
            except OSError as error:
                print(f"warning: {ADDRESS}={address}: {error}; {sys.argv[1:]} starts by itself", file=sys.stderr)
            else:
                return _warm(connection)
    return program(sys.argv[1:])


def program(arguments: Sequence[str]) -> int:
    """Run a cell, or `recorder` (see overgen.run.tracking), in this process. Returns the exit status."""
    if arguments[:1] == ["recorder"]:
        from overgen.run import recorder

        return recorder.main(arguments[1:])
    from overgen.run.stage import command

    return command(arguments)


def _warm(connection: socket.socket) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program too, which ends as it sees fit
    request = {"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    with connection.makefile("rw", encoding="utf-8") as stream:
        stream.write(json.dumps(request) + "\n")
        stream.flush()
        answer = stream.readline()
    if not answer:
        sys.exit(f"error: the warm process at {os.environ[ADDRESS]} has ended; run this again")
    return int(answer)


if __name__ == "__main__":
    sys.exit(main())
