"""dvc.lock, one stage at a time: the bytes that DVC would write, in a hundredth of the time.

DVC reads and writes the whole file in pure Python after each stage. Here the stage's own lines, made by DVC, replace
its former ones. Where the file holds more than DVC's plain form (comments, anchors), DVC writes it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml, modify_yaml

HEAD = "schema: '2.0'\nstages:\n"
# The head and then stages, each of a name and of lines further in, without comments, anchors and aliases.
PLAIN = re.compile(r"schema: '2\.0'\nstages:\n(?:  (?![\s#])[^\n]*:\n(?:    (?! *#)(?![^\n]*[:-] [&*])[^\n]*\n)+)*")


def lines_of(stage: Any) -> str:
    """The lines of a stage of DVC's in dvc.lock, as DVC writes them."""
    return dumps_yaml({"stages": to_lockfile(stage)}).partition("\n")[2]


class LockFile:
    """The lock of one dvc.yaml during a run of stages."""

    def __init__(self, dvcfile: Any, order: Sequence[str]) -> None:
        """dvcfile: DVC's ProjectFile. order: the names of the stages as DVC would run them.

        Stages that the file does not have yet are added in this order, whichever ends first.
        """
        self._dvcfile = dvcfile
        self._path = Path(os.path.realpath(Path(dvcfile.path).with_suffix(".lock")))
        self._order = {name: i for i, name in enumerate(order)}
        self._added: dict[str, int] = {}  # names of new stages, with their places in that order

    def put(self, stage: Any) -> None:
        """Record a stage of DVC's that has been saved."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = HEAD
        block = lines_of(stage)
        heads = re.findall(r"(?m)^  \S.*$", text)
        head = block.partition("\n")[0]
        later: list[str] = []  # new stages that belong below this one
        if head not in heads:
            place = self._order.get(stage.name, len(self._order))
            later = [name for name, other in sorted(self._added.items(), key=itemgetter(1)) if other > place]
            self._added[stage.name] = place
        if PLAIN.fullmatch(text) and PLAIN.fullmatch(HEAD + block):
            self._put(text, heads, block, later)
        else:
            self._dvcfile.dump_stages([stage], update_pipeline=False)
            if later:
                with modify_yaml(self._path) as data:
                    for name in later:
                        data["stages"][name] = data["stages"].pop(name)

    def _put(self, text: str, heads: list[str], block: str, later: list[str]) -> None:
        """Put the lines of a stage in the place of its former ones, or else above those of the stages `later`."""
        blocks = re.split(r"(?m)^(?=  \S)", text)[1:]
        head = block.partition("\n")[0]
        if head in heads:
            blocks[heads.index(head)] = block
        else:
            below = {f"  {name}:" for name in later}
            blocks.insert(next((i for i, other in enumerate(heads) if other in below), len(blocks)), block)
        if (new := HEAD + "".join(blocks)) != text:
            _replace(self._path, new)
            self._dvcfile.repo.scm_context.track_file(self._dvcfile._lockfile.relpath)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
