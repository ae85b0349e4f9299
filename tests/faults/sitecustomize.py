"""A folder that is read-only for a while, for every Python that finds this file first: its calls get EROFS.

In the environment OVERGEN_READ_ONLY_FOLDER names it, and OVERGEN_READ_ONLY_WHILE a file elsewhere: so long as that is
there. What is open already can be written; on a disk that fails it could not.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

FOLDER, SWITCH = (os.environ.get(f"OVERGEN_READ_ONLY_{name}", "") for name in ("FOLDER", "WHILE"))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What the system is asked for, and which of the arguments are paths, and the folder that they start from.
CALLS: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.utime": ((0, 3),),
}


def inside(path: Any, start: Any) -> bool:
    """Whether a path lies in the folder. start: an open folder, or -1 for the working directory."""
    if isinstance(path, int):
        return False
    whole = os.fsdecode(path)
    if isinstance(start, int) and start >= 0:
        whole = os.path.join(os.readlink(f"/proc/self/fd/{start}"), whole)
    return os.path.abspath(whole).startswith(f"{FOLDER}{os.sep}")


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        places = [(arguments[0], -1)] if arguments[2] & WRITES else []
    elif event in CALLS:
        places = [(arguments[i], -1 if start is None else arguments[start]) for i, start in CALLS[event]]
    else:
        return
    if any(inside(path, start) for path, start in places) and os.path.exists(SWITCH):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fsdecode(places[0][0]))


if FOLDER:
    sys.addaudithook(refuse)
