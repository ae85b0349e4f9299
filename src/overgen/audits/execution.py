"""Running the cells of an audit one after another, in this process, and not again those that are finished."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overgen.run import params, pipeline, progress, tracking
from overgen.run.files import directory_md5, read_json, write_json
from overgen.run.stage import fingerprint, opened

FINISHED = Path(".overgen/finished")
# How long the stages take beside each other, of a small network with default budgets; see benchmarks/audit.py. For the
# estimate alone.
SHARES = {"fool_fgn": 20, "fool_gradient": 15, "fool_evolution": 25, "fool_smallest": 20,
          "evaluate_unknowns": 10, "report": 7}  # fmt: skip
MEASURED = 0.25  # of the work, before which nothing is told: a start says little of the rest
FIXED = ("download", "adopt")  # what takes as long whatever the network


class Estimate:
    """How long the rest of the work may take, from what a good part of it took in this run."""

    def __init__(self, stages: Sequence[str]) -> None:
        self.weights = [0 if stage in FIXED else SHARES.get(stage, 5) for stage in stages]
        self.began = time.monotonic()
        self.skipped = 0.0
        self.board: progress.Board | None = None
        self.at = 0

    def start(self, stage: int) -> None:
        """Begin the stage of this number."""
        self.at = stage
        if not any(self.weights[:stage]):
            self.began = time.monotonic()

    def left(self) -> str:
        """In words; "" before anything can be told, and where hardly anything is left."""
        inner = self.board.share_of(1) if self.board else 0.0
        done = sum(self.weights[: self.at]) + inner * self.weights[self.at] - self.skipped
        total = sum(self.weights) - self.skipped
        if not self.weights[self.at] or done < MEASURED * total:
            return ""
        seconds = (time.monotonic() - self.began) * (total - done) / done
        if seconds < 5:
            return ""
        return f"about {round(seconds / 60)} min left" if seconds > 90 else f"about {10 * round(seconds / 10)} s left"


def run(cells: Sequence[tuple[str, Mapping[str, str]]]) -> None:
    """Run cells, (stage, item), in the current study folder. One that is finished with the same input is left out.

    Each says in a line what came out. Raises OvergenError as stages do.
    """
    estimate = Estimate([stage for stage, _ in cells])
    with progress.titled("audit") as board, progress.level("stage", len(cells)) as level:
        estimate.board = board
        level.more = lambda: f"{cells[level.done][0]}, {left}" if (left := estimate.left()) else cells[level.done][0]
        for i, (stage, item) in enumerate(cells):
            level.done = i
            estimate.start(i)
            key = input_of(stage, item)
            if is_finished(stage, item, key):
                estimate.skipped += estimate.weights[i]
                told(board, f"{stage}: was finished by an earlier run")
                continue
            began = time.monotonic()
            with opened(stage, **item) as cell:
                importlib.import_module(f"overgen.stages.{stage}.run").main(cell)
            record(stage, item, key)
            says = tracking.says(stage, **item)
            told(board, f"{stage}: {says or 'done'}; {time.monotonic() - began:.1f} s")


def input_of(stage: str, item: Mapping[str, str]) -> str:
    """A digest of all that a cell is made from, the user's own pictures among it, by name, size and time of change."""
    declared = params.declared(stage, **item)
    key = fingerprint(stage, dict(item), declared)
    path = declared.values().get(f"{stage}.{item['dataset']}.path")
    if not path:
        return key
    files = [Path(path)] if Path(path).is_file() else sorted(p for p in Path(path).rglob("*") if p.is_file())
    digest = hashlib.sha256(key.encode())
    for file in files:
        state = file.stat()
        digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def told(board: progress.Board, text: str) -> None:
    """Print a line on stdout, where the bar is taken away first."""
    board.clear()
    if not board.silent:
        print(text, flush=True)


def outs(stage: str, item: Mapping[str, str]) -> list[Path]:
    """The folders that a cell writes."""
    return [Path(out) for out in pipeline.stage_entry(stage, dict(item))["outs"]]


def record(stage: str, item: Mapping[str, str], key: str) -> None:
    """Write down that a cell is finished, and of which bytes its folders are."""
    written = {path.as_posix(): directory_md5(path) for path in outs(stage, item)}
    write_json(place(stage, item), {"input": key, "outs": written})


def is_finished(stage: str, item: Mapping[str, str], key: str) -> bool:
    """Whether a cell was made with the same parameters, code and input, and its folders are as it left them."""
    path = place(stage, item)
    if not path.is_file():
        return False
    known: dict[str, Any] = read_json(path)
    return known.get("input") == key and all(
        Path(out).is_dir() and directory_md5(Path(out)) == md5 for out, md5 in known.get("outs", {}).items()
    )


def place(stage: str, item: Mapping[str, str]) -> Path:
    return FINISHED / f"{'-'.join([stage, *item.values()])}.json"
