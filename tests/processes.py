"""Programs that tests start."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**extra: str) -> dict[str, str]:
    """The environment of a program in a test: this interpreter's programs first, no tracking."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "OVERGEN_TRACKING": "off"} | extra


def stage_command(stage: str, *, dataset: str = "digits", model: str = "") -> list[str]:
    command = [sys.executable, "-m", "overgen.run", stage, "--dataset", dataset]
    return [*command, "--model", model] if model else command


def run_program(
    workspace: Path, stage: str, *, dataset: str = "digits", model: str = "", check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run a cell in a process of its own, as DVC does. extra: of its environment."""
    command = stage_command(stage, dataset=dataset, model=model)
    done = subprocess.run(command, cwd=workspace, env=environment(**extra), capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done


@contextmanager
def logged(said: io.StringIO) -> Iterator[None]:
    """What DVC logs goes to `said`, too: its own handlers keep the stdout of the moment when it was first imported."""
    logger, handler = logging.getLogger("dvc"), logging.StreamHandler(said)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def run_dvc(folder: Path, *arguments: str) -> set[str]:
    """Do a command of DVC in a folder. Returns the stages that ran, or would run; not `code`, which no clone has."""
    import dvc.cli

    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), warnings.catch_warnings(), logged(said):
        warnings.filterwarnings("ignore", "_NoneStep.value", DeprecationWarning)  # DVC's use of pygtrie
        for name, value in environment(PYTHONPATH=str(folder / "src")).items():
            patch.setenv(name, value)
        patch.chdir(folder)
        assert dvc.cli.main(list(arguments)) == 0, said.getvalue()
    return set(re.findall(r"Running stage '([^']+)'", said.getvalue())) - {"code"}


def run_overgen(folder: Path, *arguments: str) -> str:
    """Do a command of overgen in a folder, with the code that is there. Returns what it printed."""
    command = [sys.executable, "-m", "overgen.cli", *arguments]
    given = environment(PYTHONPATH=str(folder / "src"))
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def git(folder: Path, *arguments: str) -> str:
    """Do a command of Git in a folder, as somebody. Returns what it printed."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def hears_ctrl_c() -> None:
    """For `preexec_fn`: SIGINT as at a terminal. Whoever runs the tests in the background may have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
