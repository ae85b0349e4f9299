"""`overgen sync`: finished cells that have no MLflow run yet are logged once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from overgen import OvergenError
from overgen.run.files import directory_md5, read_json
from overgen.run.pipeline import read_lock
from overgen.run.tracking import Event, Recorder, Run, cell_event, enabled, ended, locked, log_cell, shown, uri


def sync(
    root: str | Path = ".", *, datasets: Sequence[str] = (), report: Callable[[int, int], None] | None = None
) -> tuple[int, int]:
    """Log every finished cell under reports/cells that has no run yet; returns (cells, cells logged now).

    Params are those that `dvc.lock` records for the cell; of a cell that is not in it, metrics.json's budget.
    datasets: only their cells; none: all. report(done, cells) is called as cells are done.
    Raises OvergenError if a cell is broken or MLflow cannot be written (what was logged is not logged again).
    """
    if not enabled():
        return 0, 0
    cells = sorted(path.parent for path in Path(root).glob("reports/cells/*/*/*/metrics.json"))
    cells = [cell for cell in cells if not datasets or cell.parts[-3] in datasets]
    if not cells:
        return 0, 0
    logged = _logged_in(uri(root))
    if logged is not None and all(directory_md5(cell) in logged for cell in cells):
        return len(cells), 0
    starts = _starts(Path(root), cells)
    (Path(root) / ".overgen").mkdir(exist_ok=True)
    with locked(Path(root) / ".overgen" / "sync.lock"):  # two at once would both find a cell missing
        recorder = Recorder(uri(root), sync=True)
        for number, (cell, event) in enumerate(zip(cells, starts, strict=True)):
            with ended(Run(recorder.send, str(number), None, event)) as cell_run:
                log_cell(cell_run, cell)
        outcome = recorder.close(report=(lambda done: report(done, len(cells))) if report else None)
    if outcome["error"]:
        raise OvergenError(
            f"MLflow at {shown(uri(root))} cannot be written ({outcome['error']}). {outcome['logged']} cells "
            "were logged. Start that server or set MLFLOW_TRACKING_URI, then run `overgen sync` again."
        )
    return len(cells), outcome["logged"]


def _logged_in(address: str) -> set[str] | None:
    """The checksums of the cells that have a run in a SQLite database; None if it is none, or of an unknown form.

    MLflow knows too, but takes 4 s of CPU to be imported, at the end of each `make reproduce`.
    """
    database = Path(address.removeprefix("sqlite:///"))
    if not address.startswith("sqlite:///") or not database.is_file():
        return None
    query = (
        "SELECT tags.value FROM tags JOIN runs USING (run_uuid) JOIN experiments USING (experiment_id) "
        "WHERE tags.key = 'cell_md5' AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'"
    )
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
            return {value for (value,) in connection.execute(query)}
    except sqlite3.Error:
        return None


def _starts(root: Path, cells: Sequence[Path]) -> list[Event]:
    """The first event of each cell's run, which is dropped where the cell has a run already."""
    made = made_of_lock(root / "dvc.lock")
    joints = {path for path, _ in made}
    starts = []
    for cell in cells:
        metrics = read_json(cell / "metrics.json")
        try:
            key = cell.relative_to(root).as_posix(), directory_md5(cell)
            joint = key[0].rpartition("/")[0]  # the output of a stage that makes the cells of all models
            place = (joint, directory_md5(cell.parent)) if joint in joints else key
            name, params = made.get(place, ("", metrics["budget"]))
            event = cell_event(metrics["stage"], metrics["dataset"], metrics["model"], params)
            event["tags"]["dvc.stage"] = name or event["tags"]["dvc.stage"]
        except KeyError as error:
            problem = f"{cell / 'metrics.json'}: lacks {error}; delete the folder and run `dvc repro`"
            raise OvergenError(problem) from error
        event["tags"]["logged_by"] = "overgen sync"
        starts.append(event | {"unless": {"cell_md5": key[1]}})
    return starts


def prepare(root: str | Path = ".") -> None:
    """Create or upgrade the SQLite database, if runs go there. OvergenError if MLflow cannot use it."""
    outcome = Recorder(uri(root), sync=True).close()
    if outcome["error"]:
        raise OvergenError(f"MLflow at {shown(uri(root))} cannot be used: {outcome['error']}")


def made_of_lock(lock: Path) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    """The stage and the params that dvc.lock records, by (path, md5) of the output they gave."""
    return {
        (out["path"], out["md5"]): (name, stage["params"].get("params.yaml", {}))
        for name, stage in read_lock(lock).items()
        for out in stage.get("outs", [])
        if "params" in stage and "md5" in out
    }
