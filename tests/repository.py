"""The tiny study as a user has it: a Git repository in which `overgen reproduce` ran."""

from __future__ import annotations

import shutil
from pathlib import Path

from processes import git, run_dvc, run_overgen
from workspace import ROOT, write_code


def make_repository(path: Path, workspace: Path) -> None:
    """A Git repository with the parameters and the data of a workspace, `overgen reproduce report@digits` run, all
    committed."""
    path.mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(workspace / name, path)
    for name in ("data", "src/own"):
        shutil.copytree(workspace / name, path / name)
    for name in ("src/overgen", "budgets"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    ignored = (ROOT / ".gitignore").read_text().splitlines()  # the repository's own, but digits are committed here
    (path / ".gitignore").write_text("\n".join(line for line in ignored if "digits" not in line) + "\n")
    git(path, "init", "-q")
    run_dvc(path, "init", "-q")
    shutil.copy(ROOT / ".dvcignore", path)  # else compiled modules would be code
    write_code(path, known=workspace)
    run_dvc(path, "commit", "-q", "-f", "download@digits")  # which has fewer images than the stage would make
    run_overgen(path, "reproduce", "report@digits")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "study")
