"""Files are whole or absent, and what was there stays until its successor is whole."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from overgen import OvergenError
from overgen.run import files
from overgen.run.files import TEMPORARY, directory_md5, read_npz, replace_directory, replace_file, write_npz

from processes import environment
from workspace import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("exchange", [True, False])
def test_a_directory_is_replaced_as_a_whole(monkeypatch: pytest.MonkeyPatch, exchange: bool) -> None:
    if not exchange:  # a system that cannot swap two paths
        monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    for name in ("first", "second"):
        with replace_directory("cells/cnn") as new:
            (new / name).write_text(name)
    assert [path.name for path in Path("cells/cnn").iterdir()] == ["second"]
    assert [path.name for path in Path("cells").iterdir()] == ["cnn"]


def test_what_was_there_stays_when_writing_fails() -> None:
    with replace_directory("a/b") as new:
        (new / "kept").write_text("kept")
    with pytest.raises(ZeroDivisionError), replace_directory("a/b"):
        raise ZeroDivisionError
    assert Path("a/b/kept").read_text() == "kept"
    with replace_file("a/c") as new:
        new.write_text("kept")
    with pytest.raises(ZeroDivisionError), replace_file("a/c") as new:
        raise ZeroDivisionError(new.write_text("half"))
    assert Path("a/c").read_text() == "kept"
    assert sorted(path.name for path in Path("a").iterdir()) == ["b", "c"]


def test_the_old_directory_is_never_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux one system call swaps the two: a process that dies anywhere leaves the old or the new one."""
    with replace_directory("a") as new:
        (new / "x").write_text("old")
    renames = []
    monkeypatch.setattr(os, "replace", lambda *names: renames.append(names))
    with replace_directory("a") as new:
        (new / "x").write_text("new")
    assert Path("a/x").read_text() == "new"
    assert renames == []


def test_temporaries_lie_beside_their_target(tmp_path: Path) -> None:
    """A target's folder may be on another disk than the project, to which nothing can be renamed."""
    (tmp_path / "elsewhere").mkdir()
    Path("reports").symlink_to(tmp_path / "elsewhere")
    with replace_directory("reports/cells") as new:
        assert new.parent.resolve() == tmp_path / "elsewhere"
    with replace_file("reports/file") as new:
        assert new.parent.resolve() == tmp_path / "elsewhere"
        assert new.name.startswith(TEMPORARY)
    assert not Path(".overgen").exists()


def test_what_a_killed_process_left_counts_for_nothing_and_goes_after_a_day() -> None:
    with replace_directory("a/b") as new:
        (new / "x").write_text("1")
    before = directory_md5("a")
    left = [Path(f"a/{TEMPORARY}b-1"), Path(f"a/{TEMPORARY}b-2")]
    for path in left:
        path.mkdir()
        (path / "half").write_text("half")
    assert directory_md5("a") == before
    os.utime(left[0], (0, 0))
    with replace_directory("a/b") as new:
        (new / "x").write_text("1")
    assert [path.exists() for path in left] == [False, True]


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    said = r"a/b: could not be written \(No space left .* What was there is as it was"
    with pytest.raises(OvergenError, match=said), replace_file("a/b"):
        pass


def test_a_disk_that_fills_up_leaves_the_earlier_result(tmp_path: Path) -> None:
    """A file size limit stands for a full disk: the kernel refuses the write in the middle."""
    script = """
import resource, signal, sys, numpy as np, torch
from pathlib import Path
from overgen import OvergenError
from overgen.models.weights import save_weights
from overgen.run.files import write_npz, write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
write_text("result.json", "before")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).random(200_000)
for attempt in (lambda: write_npz("result.npz", a=noise), lambda: write_text("result.json", "x" * 200_000),
                lambda: save_weights("w.safetensors", {"w": torch.from_numpy(noise)}, {})):
    try:
        attempt()
    except OvergenError as error:
        assert "could not be written" in str(error) and "MiB free" in str(error), error
    else:
        sys.exit("no error")
assert Path("result.json").read_text() == "before"
assert [path.name for path in Path().iterdir()] == ["result.json"]
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


ARRAYS = {
    "labels": np.arange(1_000) % 10,
    "log_y": np.random.default_rng(0).normal(size=(3, 500, 10)).astype(np.float32),
    "image": np.asfortranarray(np.random.default_rng(1).integers(0, 256, (4, 28, 28), np.uint8)),
    "empty": np.zeros((0, 7), bool),
    "options": np.array("alpha: 10"),
}


@pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="an older zipfile has other headers")
def test_an_npz_file_is_what_numpy_writes() -> None:
    write_npz("ours.npz", **ARRAYS)
    np.savez_compressed("numpys.npz", **ARRAYS)  # type: ignore[arg-type]
    assert Path("ours.npz").read_bytes() == Path("numpys.npz").read_bytes()
    for name, array in read_npz("ours.npz").items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_an_npz_file_has_the_same_bytes_with_every_python(monkeypatch: pytest.MonkeyPatch) -> None:
    write_npz("now.npz", **ARRAYS)

    def before_3_11_4(self: zipfile.ZipInfo, zip64: bool | None = None) -> bytes:
        """Sizes of less than 2 GiB stand in the header and in its extra field."""
        name, extra = self.filename.encode(), struct.pack("<HHQQ", 1, 16, self.file_size, self.compress_size)
        sizes = (self.CRC, self.compress_size, self.file_size, len(name), len(extra))
        return struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, self.compress_type, 0, 33, *sizes) + name + extra

    monkeypatch.setattr(zipfile.ZipInfo, "FileHeader", before_3_11_4)
    write_npz("then.npz", **ARRAYS)
    np.savez_compressed("numpys.npz", **ARRAYS)  # type: ignore[arg-type]
    assert Path("then.npz").read_bytes() == Path("now.npz").read_bytes() != Path("numpys.npz").read_bytes()


@pytest.mark.parametrize("cell", ["collect_fooling/attacked", "fool_smallest/cnn", "evaluate_unknowns/dae_sym"])
def test_published_arrays_written_again_are_the_same_bytes(cell: str) -> None:
    published = next((ROOT / "reports/cells/mnist" / cell).glob("*.npz"))
    write_npz("again.npz", **read_npz(published))
    assert Path("again.npz").read_bytes() == published.read_bytes()


def test_an_object_is_no_array() -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npz("a.npz", a=np.array([{}], object))
    assert list(Path().iterdir()) == []
