"""The driver of a run: which stages are looked at, begun and recorded, and when.

A stage is looked at when all that it depends on is done, and those that must run do so side by side, as processes of
this machine or as jobs of a cluster. `_begin` and `_finish` are the two halves of DVC's `Stage.run`, before and after
the command; a test says when DVC's own has changed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from dvc.dependency.db import AbstractDependency
from dvc.dependency.repo import RepoDependency
from dvc.exceptions import DvcException, ReproductionError
from dvc.repo import lock_repo
from dvc.rwlock import rwlock
from dvc.stage import PipelineStage
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.exceptions import StageCmdFailedError

from overgen import OvergenError
from overgen.run.clusters import Cluster, Job, what_failed
from overgen.run.commands import Command, lock_again, warm_arguments
from overgen.run.durations import DURATIONS, expected, known_durations, write_durations
from overgen.run.lockfile import LockFile
from overgen.run.order import is_cell, order
from overgen.run.warm import Warm

logger = logging.getLogger("dvc.overgen")  # DVC's handlers show it, in DVC's manner
PATIENCE = 10  # seconds that a stage has to end after Ctrl-C


class Driver:
    """One run. A stage is first waiting for others, then due or up to date, then running, then done."""

    def __init__(
        self,
        repo: Any,
        warm: Warm,
        *,
        jobs: int,
        force: bool,
        width: Callable[[str], int],
        lock: int | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        """lock: an open file that stages are to inherit."""
        self.repo = repo
        self.jobs = jobs
        self.force = force
        self.width = width
        self.plan: list[Any] = []  # DVC's stages in DVC's order
        self.place: dict[Any, int] = {}  # of each in it
        self.needs: dict[Any, set[Any]] = {}  # of stages not looked at yet: those not done that come before them
        self.rank: dict[Any, float] = {}  # seconds from the start of a stage to the end of all that hangs on it
        self.due: list[Any] = []
        self.running: dict[Command | Job, ExitStack] = {}
        self.ran: list[Any] = []
        self.failed: list[Any] = []
        self.interrupted: list[Any] = []
        self.signal = 0  # that asked to stop
        self.patience = 0.0  # until then
        self.locks: dict[str, LockFile] = {}
        self.seconds = known_durations()
        self.selector = DefaultSelector()
        self.warm = warm
        self.lock = lock
        self.cluster = cluster
        self.lost: dict[Any, Job] = {}  # jobs of a cluster that failed
        self.refused = ""  # why the cluster took no more jobs
        self.cells = 0  # of those in the plan that were begun or are up to date

    def run(self, targets: Sequence[str]) -> int:
        """Run what must run. Returns the exit status."""
        self.repo.lock._wait = True  # another DVC may hold it, now or between two stages: no reason to give up
        with self._signals(), lock_repo(self.repo), self.repo.scm_context():
            self._order(targets)
            try:
                self._start_ready()
                while self.running:
                    self._wait()
                    for command in [command for command in self.running if command.status is not None]:
                        self._end(command)
                    self._start_ready()
            finally:
                for command, paths in self.running.items():  # none, unless by an error of this driver
                    command.kill(signal.SIGKILL)
                    with suppress(OSError, DvcException):  # DVC takes no heed of locks of a process that has ended
                        paths.close()
                try:
                    write_durations(self.seconds)
                except OSError as error:
                    print(f"warning: {DURATIONS} could not be written ({error})", file=sys.stderr)
        return self._report()

    def _report(self) -> int:
        if self.signal:
            names = ", ".join(repr(stage.addressing) for stage in self.interrupted)
            what = f"{names} did not finish" if names else "nothing was running"
            name = signal.Signals(self.signal).name
            left = self.cluster.left() if self.cluster and names and self.signal != signal.SIGINT else ""
            how = left or "the same command goes on from here"
            print(f"interrupted ({name}): {what}; {how}", file=sys.stderr)
            return 128 + self.signal
        if self.failed:
            if self.cluster is not None:
                waiting = [stage for stage in self.plan if stage in self.needs]
                print(what_failed(self.plan, self.failed, self.lost, waiting, self.refused), file=sys.stderr)
            return 1
        print(f"{len(self.ran)} stages ran." if self.ran else "Data and pipelines are up to date.")
        return 0

    # What there is to do, and in which order.

    def _order(self, targets: Sequence[str]) -> None:
        self.plan, before, below = order(self.repo, targets)
        self.place = {stage: i for i, stage in enumerate(self.plan)}
        self.needs = {stage: set(others) for stage, others in before.items()}
        for stage in reversed(self.plan):
            rest = max((self.rank[other] for other in below[stage]), default=0.0)
            self.rank[stage] = expected(stage.addressing, self.seconds) + rest
        for stage in self.plan:
            if isinstance(stage, PipelineStage) and stage.path not in self.locks:
                names = [other.name for other in self.plan if other.path == stage.path]
                self.locks[stage.path] = LockFile(stage.dvcfile, names)

    # From waiting to running.

    @property
    def _stopped(self) -> bool:
        """Whether no other stage is to begin."""
        return bool(self.signal or self.refused or (self.failed and self.cluster is None))

    def _start_ready(self) -> None:
        """Look at the stages that wait for no other, and start due ones while there is room."""
        together: dict[Any, ExitStack] = {}  # what a cluster is handed at once, with the locks on its paths
        while not self._stopped:
            self._look()
            if not self.due:
                break
            # Of equal ones the first in DVC's order, which one job follows anyway.
            stage = max(self.due, key=lambda stage: self.rank[stage] if self.jobs > 1 else 0)
            used = sum(map(self._width, [*(command.stage for command in self.running), *together]))
            if used and used + self._width(stage) > self.jobs:
                break
            self.due.remove(stage)
            with self._failures(stage):
                if self._begin(stage):
                    together[stage] = self._locked(stage)
        if together:
            self._submit(together)

    def _submit(self, stages: dict[Any, ExitStack]) -> None:
        """Hand stages to the cluster. One that does not take them ends the run, when what is at work has ended."""
        assert self.cluster is not None
        try:
            jobs = () if self.signal else self.cluster.submit(list(stages))
            self.running |= {job: stages.pop(job.stage) for job in jobs}
        except OvergenError as error:
            self.refused = str(error)
            self.failed += stages
        finally:
            for paths in stages.values():
                paths.close()

    def _width(self, stage: Any) -> int:
        return min(self.jobs, self.width(stage.addressing))

    def _look(self) -> None:
        """Ask DVC of each stage that waits for no other whether it must run, and so on with those below it."""
        while ready := [stage for stage in self.plan if not self.needs.get(stage, True)]:
            for stage in ready:
                if self._stopped:
                    return
                del self.needs[stage]
                with self._failures(stage):
                    if not stage.cmd or stage.frozen:
                        self._verify(stage)
                    elif self.force or stage.changed():
                        insort(self.due, stage, key=self.place.__getitem__)
                    else:
                        self.cells += is_cell(stage)
                        logger.info("Stage '%s' didn't change, skipping", stage.addressing)
                        self._done(stage)

    def _verify(self, stage: Any) -> None:
        """What has no command to run: frozen stages, data and imports."""
        if stage.frozen and not stage.is_import:
            logger.warning("%s is frozen. Its dependencies are not going to be reproduced.", stage)
        if stage.reproduce(force=self.force):
            self._record(stage)
        self._done(stage)

    def _begin(self, stage: Any) -> bool:
        """The first half of DVC's `Stage.run`: make room for the outputs, and take them from the run cache or start.

        Returns whether the stage is to be handed to the cluster.
        """
        if is_cell(stage):
            self.cells += 1
            print(f"cell {self.cells} of {sum(map(is_cell, self.plan))}: {stage.addressing}", flush=True)
        if self.cluster is not None:
            stage.save_deps()
            if (job := self.cluster.adopt(stage)) is not None:
                print(f"{stage.addressing}: its job is at work already", flush=True)
                self.running[job] = self._locked(stage)
                return False
        stage.remove_outs(ignore_remove=False, force=False)
        if not self.force:
            try:
                self.repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                stage.save_deps()
            else:
                self._finish(stage)
                return False
        if self.cluster is not None:
            return True
        if self.jobs == 1:
            logger.info("Running stage '%s':", stage.addressing)
        with self._locked(stage) as paths:
            command = Command(stage, self.selector, self._warm_for(stage), beside=self.jobs > 1, lock=self.lock)
            self.running[command] = paths.pop_all()
        return False

    def _warm_for(self, stage: Any) -> Warm | None:
        """The warm process, unless it had to start for the last stage alone: its imports take longer than a stage's."""
        left = [other for other in [*self.needs, *self.due] if other is not stage and _starts_warm(other)]
        if not (self.warm.started or left or any(_starts_warm(command.stage) for command in self.running)):
            return None
        self.warm.start()
        return self.warm

    def _locked(self, stage: Any) -> ExitStack:
        """DVC's lock on what a stage reads and writes, in the name of this stage alone, held until it is closed."""

        def paths(items: Iterable[Any]) -> list[str]:
            return [item.fs_path for item in items if not isinstance(item, RepoDependency | AbstractDependency)]

        holder = f"{' '.join(sys.argv)} ({stage.addressing})"
        hardlink = self.repo.config["core"].get("hardlink_lock", False)
        held = ExitStack()
        held.enter_context(
            rwlock(self.repo.tmp_dir, self.repo.fs, holder, paths(stage.deps), paths(stage.outs), hardlink)
        )
        return held

    # From running to done.

    def _wait(self) -> None:
        """Until a stage ends. DVC's lock is open meanwhile, as when DVC runs a command."""
        self.repo.lock.unlock()
        self.repo._reset()
        try:
            while all(command.status is None for command in self.running):
                for key, _ in self.selector.select(0.1 if self.signal else 1 if self.cluster else None):
                    key.data()
                for command in self.running:
                    command.poll()
                    if self.signal and time.monotonic() > self.patience:
                        command.kill(signal.SIGKILL)
        finally:
            lock_again(self.repo, lambda: bool(self.signal))

    def _end(self, command: Command | Job) -> None:
        paths, stage = self.running.pop(command), command.stage
        with self._failures(stage):
            paths.close()
            if command.status == 0:
                self._finish(stage)
                self.seconds[stage.addressing] = round(command.seconds, 2)
                done = len(self.plan) - len(self.needs) - len(self.due) - len(self.running)
                print(
                    f"Stage '{stage.addressing}' took {command.seconds:.1f} s ({done} of {len(self.plan)})", flush=True
                )
            elif self.signal:
                self.interrupted.append(stage)
            else:
                if not isinstance(command, Command):
                    self.lost[stage] = command
                raise StageCmdFailedError(command.failed, command.status)

    def _finish(self, stage: Any) -> None:
        """The second half of DVC's `Stage.run`: hash what it read and wrote, store it, record it."""
        uncached = any(not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot))
        stage.save(run_cache=not uncached)
        stage.commit()
        self._record(stage)
        self._done(stage)

    def _record(self, stage: Any) -> None:
        self.ran.append(stage)
        if isinstance(stage, PipelineStage):
            self.locks[stage.path].put(stage)
        else:
            stage.dump(update_pipeline=False)

    def _done(self, stage: Any) -> None:
        for needed in self.needs.values():
            needed.discard(stage)

    @contextmanager
    def _failures(self, stage: Any) -> Iterator[None]:
        """An error is of this stage: those that run go on to their end, and none is started."""
        try:
            yield
        except Exception as error:
            self.failed.append(stage)
            try:
                raise ReproductionError(f"failed to reproduce '{stage.addressing}'") from error
            except ReproductionError:
                logger.exception("")
            if self.running and self.cluster is None:
                names = ", ".join(repr(command.stage.addressing) for command in self.running)
                logger.warning("%s will end; no other stage is started", names)

    # Signals and durations.

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and the like end what runs, and the end of a process wakes `_wait`."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        self.selector.register(reader, EVENT_READ, lambda: os.read(reader, 4096))
        handlers: dict[int, Any] = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), self._stop)
        handlers |= {signal.SIGTSTP: self._pause, signal.SIGCHLD: lambda *_: None}
        former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        former_writer = signal.set_wakeup_fd(writer)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former_writer)
            for number, handler in former.items():
                signal.signal(number, handler)
            self.selector.close()
            os.close(reader)
            os.close(writer)

    def _stop(self, number: int, _: Any) -> None:
        again = bool(self.signal)
        self.signal = number
        self.patience = time.monotonic() + PATIENCE
        for command in self.running:
            command.kill(signal.SIGKILL if again else number)
        if again and not self.running:
            raise KeyboardInterrupt

    def _pause(self, *_: Any) -> None:
        for command in self.running:
            command.kill(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        for command in self.running:
            command.kill(signal.SIGCONT)


def _starts_warm(stage: Any) -> bool:
    lines = stage.cmd if isinstance(stage.cmd, list) else (stage.cmd or "").splitlines()
    return any(warm_arguments(line) is not None for line in lines)
