"""A mirror of archives: files in MNIST's format, folders of them, and servers that may cut what they send."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

NOWHERE = "http://127.0.0.1:9/"  # the discard port: refused at once
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def raw(mirror: Path, file: str = FILES[0]) -> Path:
    return mirror / "MNIST" / "raw" / file


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def contents(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what is named in `cut` is announced whole and sent without its end."""

    asked: list[str]
    cut: set[str]

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        content = source.read()
        name = self.path.rsplit("/", 1)[-1]
        self.asked.append(name)
        # torchvision asks once for the address only, and hangs up
        with suppress(BrokenPipeError, ConnectionResetError):
            outputfile.write(content[:-100] if name in self.cut else content)

    def log_message(self, *_) -> None:  # type: ignore[no-untyped-def]
        pass


@contextmanager
def served(folder: Path, cut: frozenset[str] = frozenset()) -> Iterator[tuple[str, list[str]]]:
    """The URL of a loopback server of a folder, and the list of files it was asked for."""
    asked: list[str] = []
    handler = type("Here", (Handler,), {"asked": asked, "cut": set(cut)})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


# digits

DIGITS_MD5 = [  # images and labels of train, then of test
    "87a29734824d5e244c861a03901533a2",
    "a08ebd1c138192d6b1d7f7f113374101",
    "a4380a6faabeb187ea11fb095550a8f2",
    "ef97ce645a0b9183a39b5766e20b1b92",
]
