"""Files that stages read and write: whole or absent, and the same bytes for the same content.

Everything is written beside its target under a temporary name (`TEMPORARY`, which Git and DVC ignore) and renamed, so
a killed process or a full disk leaves the earlier file as it was, and a target on another disk is as good as one on
this. Nothing written here carries a time or an absolute path.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import struct
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overgen import OvergenError

if TYPE_CHECKING:
    import pandas as pd


TEMPORARY = ".overgen-tmp-"  # how temporary names begin; see .gitignore and .dvcignore
LEFT_OUT = "left_out.txt"  # all that a cell's folder holds whose model is for other data sets
DAY = 86_400  # seconds, after which what a killed process left is removed
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def _unwritable(path: Path, error: OSError) -> Exception:
    """What to raise for an OSError met while writing: OvergenError if the disk is the cause, else the error itself."""
    if error.errno not in DISK_ERRORS:
        return error
    folder = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free / 2**20
    return OvergenError(
        f"{path}: could not be written ({error.strerror or error}; {free:.0f} MiB free on its disk). "
        "What was there is as it was. Mend that and run the same command again."
    )


def _exchange(first: Path, second: Path) -> bool:
    """Swap two paths in one step, so that neither is ever missing; False where the system cannot (Linux can)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    cwd, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename(cwd, os.fsencode(first), cwd, os.fsencode(second), swap) == 0


def _prepare(path: Path) -> None:
    """Make the folder of a target, and remove what processes that were killed long ago left of this target there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{TEMPORARY}{path.name}-*"):
        if time.time() - left.lstat().st_mtime > DAY:
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


@contextmanager
def replace_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; on success it becomes `path`, on failure it is removed and `path` stays as it was.

    Raises OvergenError when the disk is full or the place cannot be written.
    """
    path = Path(path)
    try:
        _prepare(path)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=path.suffix, prefix=f"{TEMPORARY}{path.name}-")
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp makes it private; a result is not
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_directory(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary directory; on success it replaces the directory `path` as a whole.

    Raises OvergenError when the disk is full or the place cannot be written; `path` then stays as it was.
    """
    path = Path(path)
    try:
        _prepare(path)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{TEMPORARY}{path.name}-"))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield temporary
        os.chmod(temporary, 0o755)
        if path.exists() and _exchange(temporary, path):
            pass  # the old one goes with the temporary name
        elif path.exists():  # a directory cannot be renamed onto a full one: move the old one aside first
            aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{TEMPORARY}{path.name}-old-"))
            os.replace(path, aside / path.name)
            try:
                os.replace(temporary, path)
            except OSError:
                os.replace(aside / path.name, path)
                raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def files_of(directory: Path) -> list[Path]:
    """The files below a directory, sorted by path, without temporary ones."""
    return sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and not any(part.startswith(TEMPORARY) for part in path.relative_to(directory).parts)
    )


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON; NaN and infinities are refused (ValueError), because they are not JSON and hide failures."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON; OvergenError when the file is missing or is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; `dvc repro` makes it") from error
    except json.JSONDecodeError as error:
        raise OvergenError(f"{path}: not JSON ({error}); delete it and run `dvc repro`") from error


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table; floats as their shortest exact decimal form."""
    with replace_file(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


class _Member(zipfile.ZipInfo):
    """An array's place in an npz file, with the same bytes from every Python: zipfile's own differ before 3.11.4."""

    def __init__(self, name: str) -> None:
        super().__init__(name, date_time=(1980, 1, 1, 0, 0, 0))
        self.compress_type = zipfile.ZIP_DEFLATED
        self.create_system = 3  # Unix
        self.create_version = self.extract_version = 45  # the first that knows sizes of 64 bits

    def FileHeader(self, zip64: bool | None = None) -> bytes:
        """The header before the data, their sizes in the extra field of ZIP64 (PKWARE's APPNOTE, 4.3.7 and 4.5.3).

        zipfile asks for it twice: before the data, and over that once their sizes are known.
        """
        name, date = self.filename.encode("ascii"), 1 << 5 | 1  # 1 January of the year 0, 1980
        fixed = (self.extract_version, 0, self.compress_type, 0, date)  # flags and the time of day are 0
        of_data = (self.CRC, 0xFFFFFFFF, 0xFFFFFFFF, len(name), 20)
        header = struct.pack("<4s5H3I2H", b"PK\3\4", *fixed, *of_data)
        return header + name + struct.pack("<2H2Q", 1, 16, self.file_size, self.compress_size)


def write_npz(path: str | Path, **arrays: np.ndarray) -> None:
    """Write a compressed npz, as numpy does; its members have a fixed date, so equal arrays give equal bytes."""
    with replace_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(_Member(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file; OvergenError when it is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; `dvc repro` makes it, `dvc pull` fetches it") from error
    except Exception as error:  # numpy and zipfile raise many kinds for a cut file
        raise OvergenError(f"{path}: not a readable npz file ({error}); delete it and run `dvc repro`") from error


def directory_md5(path: str | Path) -> str:
    """The checksum that DVC records in `dvc.lock` for a directory: MD5 over its sorted (md5, relative path) list."""
    path = Path(path)
    entries = [
        {"md5": hashlib.md5(file.read_bytes()).hexdigest(), "relpath": file.relative_to(path).as_posix()}
        for file in files_of(path)
    ]
    entries.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"
