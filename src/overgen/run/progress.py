"""How far a work is: a bar in a terminal, a line now and then elsewhere, on stderr. It can change no result.

    for update in progress.steps(range(1000), "update"):   # "update 312 of 1000"

Steps inside steps are told together ("member 2 of 5, update 312 of 1000"). Nothing is told of work that ends within six
seconds, on ranks but 0, and with `OVERGEN_PROGRESS=off`.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from overgen import OvergenError
from overgen.run.tracking import rank

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pytorch_lightning import Callback

Item = TypeVar("Item")
PATIENCE = 6.0  # seconds without a word
BETWEEN_LINES, BETWEEN_BARS = 10.0, 0.2  # seconds
WIDTH = 20  # of the bar, characters
SWITCH = "OVERGEN_PROGRESS"


class Level:
    """Steps that are being done. done: those before the one at work; more: what else there is to say, now."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0
        self.more: Callable[[], str] = str

    def __str__(self) -> str:
        more = self.more()
        step = f"{self.label} {min(self.done + 1, self.total)} of {self.total}"
        return f"{step}, {more}" if more else step


class Board:
    """What is told of this process's work. title: of the whole, in front of every line."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.levels: list[Level] = []
        self.began = time.monotonic()
        switch = os.environ.get(SWITCH, "on")
        if switch not in ("on", "off", "bare"):
            raise OvergenError(
                f'{SWITCH}={switch!r} in the environment: must be "on", "off" or "bare" (without titles)'
            )
        self.silent = switch == "off" or rank() > 0
        self.terminal = sys.stderr.isatty()
        self._prefix = f"{title}: " if title and switch != "bare" else ""
        self._next = self.began + PATIENCE
        self._bar = False

    def tell(self) -> None:
        """Say how far the work is, if it is time."""
        now = time.monotonic()
        if now < self._next or self.silent or not self.levels:
            return
        self._next = now + (BETWEEN_BARS if self.terminal else BETWEEN_LINES)
        told = [level for level in self.levels if level.total > 1] or self.levels  # "part 1 of 1" says nothing
        text = f"{self._prefix}{', '.join(map(str, told))}; {now - self.began:.0f} s"
        if self.terminal:
            full = round(WIDTH * self.share())
            text = f"[{'#' * full}{'.' * (WIDTH - full)}] {text}"[: shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
            self._bar = True
        else:
            print(text, file=sys.stderr, flush=True)

    def share(self) -> float:
        """How much of the work is done, from 0 to 1, if all steps of a level take equally long."""
        return self.share_of(0)

    def share_of(self, first: int) -> float:
        """The same of the step at work, at a level and those inside it."""
        share = 0.0
        for level in reversed(self.levels[first:]):
            share = (min(level.done, level.total) + share) / max(level.total, 1)
        return min(share, 1.0)

    def clear(self) -> None:
        """Take the bar away."""
        if self._bar:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        self._bar = False


_boards: list[Board] = []


def _board() -> Board:
    if not _boards:
        _boards.append(Board())
    return _boards[-1]


@contextmanager
def titled(title: str) -> Iterator[Board]:
    """Tell of the work inside under a title. Raises OvergenError for a value of the switch that means nothing."""
    board = Board(title)
    _boards.append(board)
    try:
        yield board
    finally:
        board.clear()
        _boards.remove(board)


@contextmanager
def level(label: str, total: int) -> Iterator[Level]:
    """A level of steps, whose `done` the work inside sets."""
    board, made = _board(), Level(label, total)
    board.levels.append(made)
    try:
        yield made
    finally:
        board.levels.remove(made)
        if not board.levels:
            board.clear()


def steps(items: Sequence[Item], label: str, more: Callable[[], str] = str) -> Iterable[Item]:
    """The items one after another, told as steps. more: what else there is to say of the step at work, when asked."""
    with level(label, len(items)) as made:
        made.more = more
        for made.done, item in enumerate(items):
            _board().tell()
            yield item


def follow(parts: Sequence[Future[Any]], label: str) -> None:
    """Wait for work that goes on elsewhere, told as steps; what went wrong in a part is for who asks for its result."""
    from concurrent.futures import FIRST_COMPLETED, wait

    with level(label, len(parts)) as made:
        while made.done < len(parts):
            wait([part for part in parts if not part.done()], BETWEEN_BARS, FIRST_COMPLETED)
            made.done = sum(part.done() for part in parts)
            _board().tell()


def tell() -> None:
    """Say how far the work is, if it is time."""
    _board().tell()


def ended(title: str, says: str, seconds: float) -> None:
    """Say in a line what a work came to, on stdout."""
    if os.environ.get(SWITCH, "on") != "off" and rank() == 0:
        print(f"{title}: {says}; {seconds:.1f} s" if says else f"{title}: done in {seconds:.1f} s", flush=True)


def callback() -> Callback:
    """What tells of a Lightning training: epochs or, in a single epoch, its steps.

    A module may have `step_name` ("update" otherwise) and `told`, a function of no arguments that says more.
    """
    from pytorch_lightning import Callback

    class Told(Callback):
        context: Any = None

        def on_train_start(self, trainer: Any, module: Any) -> None:
            self.epochs = trainer.max_epochs or 1
            name = "epoch" if self.epochs > 1 else getattr(module, "step_name", "update")
            batches = trainer.num_training_batches
            total = self.epochs if self.epochs > 1 else int(batches) if math.isfinite(batches) else 0
            self.context = level(name, total)
            self.level = self.context.__enter__()
            self.level.more = getattr(module, "told", str)

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.level.done = trainer.current_epoch if self.epochs > 1 else batch_idx
            tell()

        def teardown(self, trainer: Any, module: Any, stage: str) -> None:
            if self.context:
                self.context.__exit__(None, None, None)
            self.context = None

        def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
            self.teardown(trainer, module, "fit")

    return Told()
