"""`overgen reproduce`: what `dvc repro` does, with stages side by side and torch imported once.

`dvc repro` runs one stage after another and rewrites dvc.lock, in pure Python, after each. Here DVC decides what must
run, removes, hashes, stores and records; only the order is that of `overgen.run.driver`. What is left behind is what
`dvc repro` leaves: dvc.lock to the byte.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import closing

from dvc.exceptions import DvcException
from dvc.repo import Repo

from overgen.run.clusters import Cluster
from overgen.run.commands import alone
from overgen.run.driver import Driver
from overgen.run.dvc_params import params_read_once
from overgen.run.warm import Warm

logger = logging.getLogger("dvc.overgen")  # DVC's handlers show it, in DVC's manner


def reproduce(
    targets: Sequence[str] = (),
    *,
    jobs: int = 1,
    force: bool = False,
    check: Callable[[], bool] = lambda: False,
    width: Callable[[str], int] = lambda stage: 1,
    cluster: Cluster | None = None,
) -> int:
    """Bring stages up to date, as `dvc repro` does. Returns the exit status: 0, 1 or 128 + the signal that ended it.

    targets: as of `dvc repro`; none stands for all of dvc.yaml. jobs: stages that run at the same time; with 1 their
    output is shown as it comes, with more line by line under their names. force: run stages that are up to date too.
    check: called before anything else, to refuse what must not begin. Where it says that stages are sure to run, the
    warm process starts at once, beside DVC's own reading. width: the number of jobs that a stage counts for, by its
    name, such as its threads. cluster: where stages run, if not as processes of this one. There a stage that fails
    leaves the others at work: all that do not hang on it run.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that spins beside another cell stops both, almost
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2^4 cycles: the same for NumPy's and SciPy's threads
    warm = Warm()
    try:
        sure = check()
        with alone() as lock, closing(warm):
            if sure and cluster is None:
                warm.start()
            with Repo() as repo, params_read_once():
                driver = Driver(repo, warm, jobs=jobs, force=force, width=width, lock=lock, cluster=cluster)
                return driver.run(targets)
    except DvcException:
        logger.exception("")
        return 1
