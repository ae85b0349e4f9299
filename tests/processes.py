"""Programs that tests start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


def hears_ctrl_c() -> None:
    """For `preexec_fn`: SIGINT as at a terminal. Whoever runs the tests in the background may have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
