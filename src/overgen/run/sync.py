"""`overgen sync`: finished cells that have no MLflow run yet are logged once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from overgen import OvergenError
from overgen.run.cell_run import VIEW, Times, When, cell_event
from overgen.run.files import directory_md5, read_json
from overgen.run.pipeline import read_lock
from overgen.run.tracking import COMMIT, Event, Recorder, Run, enabled, ended, locked, log_cell, shown, uri


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
        for number, (cell, start) in enumerate(zip(cells, starts, strict=True)):
            with ended(Run(recorder.send, str(number), None, start.event, start.when.end)) as cell_run:
                log_cell(cell_run, cell, md5=start.md5, commit=start.commit, when=start.when.known)
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
    query = (
        "SELECT tags.value FROM tags JOIN runs USING (run_uuid) JOIN experiments USING (experiment_id) "
        "WHERE tags.key = 'cell_md5' AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'"
    )
    rows = _asked(address, query)
    return None if rows is None else {value for (value,) in rows}


def _asked(address: str, query: str, *values: str) -> list[Any] | None:
    """The rows that a SQLite database answers; None if the address is of none, or it is of an unknown form."""
    database = Path(address.removeprefix("sqlite:///"))
    if not address.startswith("sqlite:///") or not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return None


class Start(NamedTuple):
    """A cell that may have no run yet. event: the first of its run, which is dropped where there is one already."""

    event: Event
    md5: str
    when: When
    commit: str


def page(address: str) -> str:
    """Where MLflow's page shows the newest run of a SQLite database: the part of its address from the "#" on.

    "#/experiments" where that is not known.
    """
    query = (
        "SELECT experiment_id, (SELECT count(*) FROM experiment_tags AS tags WHERE tags.key = ? "
        "AND tags.experiment_id = runs.experiment_id) FROM runs JOIN experiments USING (experiment_id) "
        "WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active' ORDER BY start_time DESC"
    )
    rows = _asked(address, query, VIEW)
    if not rows:
        return "#/experiments"
    experiment, views = rows[0]
    view = f"&viewStateShareKey={VIEW.rpartition('.')[2]}" if views else ""
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning{view}"


def _starts(root: Path, cells: Sequence[Path]) -> list[Start]:
    times = Times(root)
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
        when, commit = times.of(cell, key[1])
        event["tags"] |= {"logged_by": "overgen sync"} | ({COMMIT: commit} if commit else {})
        starts.append(Start(event | {"unless": {"cell_md5": key[1]}, "time": when.start}, key[1], when, commit))
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
