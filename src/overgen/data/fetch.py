"""Archives of data sets: fetched from a mirror or the network, verified, kept."""

from __future__ import annotations

import errno
import hashlib
import shutil
import socket
import sys
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from overgen import OvergenError
from overgen.run.files import replace_file

ARCHIVES = Path(".overgen/archives")  # outside the output, which DVC deletes before it runs a stage
PATIENCE = 60.0  # seconds of silence from a server; torchvision itself would wait for ever


def say(message: str) -> None:
    """Tell the user of something that went on despite a fault."""
    print(message, file=sys.stderr)


def fetch_archive(target: Path, md5: str, places: Sequence[str], layout: str) -> None:
    """Bring an archive to a file, unless it is there already.

    target: the file; md5: its checksum, in hex; places: folders or URLs, each ending in "/", tried in order.
    layout: what a mirror must hold, for the error.
    Raises OvergenError, with what went wrong at each place, if none has the archive with this MD5.
    """
    if target.exists():
        actual = md5_of(target)
        if actual == md5:
            return
        say(f"{target}: broken ({target.stat().st_size} bytes, MD5 {actual}, not {md5}); fetching it again")
    problems: list[str] = []
    with replace_file(target) as temporary:
        for place in places:
            problem = copy_archive(place + target.name, temporary, md5)
            if problem is None:
                break
            problems.append(f"  {place}{target.name}: {problem}")
        else:
            raise OvergenError(
                f"{target.name} could not be had with MD5 {md5}. Tried:\n"
                + "\n".join(problems)
                + "\nSet OVERGEN_MIRROR to a directory or URL that holds "
                + f"{layout}, and run the same command again. What was fetched so far is kept."
            )
    if problems:
        say(f"{target.name}: taken from {place} after\n" + "\n".join(problems))


def copy_archive(origin: str, target: Path, md5: str) -> str | None:
    """Copy a file or download a URL onto `target`: None, or what went wrong. OSError if the disk is full."""
    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        if origin.startswith("file://"):
            shutil.copyfile(url2pathname(urlsplit(origin).path), target)
        elif "://" in origin:
            from torchvision.datasets.utils import download_url

            download_url(origin, str(target.parent), target.name, md5)
        else:
            shutil.copyfile(origin, target)
    except RecursionError as error:  # torchvision: too many redirects
        return str(error)
    except RuntimeError:  # torchvision: not the MD5, which is told below in more words
        pass
    except (OSError, HTTPException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    finally:
        socket.setdefaulttimeout(usual)
    actual = md5_of(target)
    return None if actual == md5 else f"refused: {target.stat().st_size} bytes with MD5 {actual}, not {md5}"


def md5_of(path: Path) -> str:
    """The MD5 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
