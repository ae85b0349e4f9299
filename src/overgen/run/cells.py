"""What is not up to date under a target, as DVC has it: for people, and for schedulers that are not overgen's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dvc.repo import Repo, lock_repo

from overgen.run.clusters import Estimates
from overgen.run.dvc_params import params_read_once
from overgen.run.order import order


def cells(targets: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The stages that must run, in DVC's order. targets: as of `dvc repro`; none stand for all of dvc.yaml.

    Each has `address`; `level`, the number of due stages that come one after another before it, so that those of one
    level can run side by side; `changed`, whether DVC says so, or else it waits for one that did and may turn out up
    to date; `cmd`, the plain commands; `after`, the due stages that it hangs on; `deps`, `outs`, paths; and `needs`,
    what it asks a scheduler for.
    Raises DVC's own exceptions for a target that there is not.
    """
    due: dict[Any, dict[str, Any]] = {}
    estimates = Estimates()
    with Repo() as repo, params_read_once(), lock_repo(repo):
        plan, before, _ = order(repo, targets)
        for stage in plan:
            after = [other for other in plan if other in due and other in before[stage]]
            if not stage.cmd or stage.frozen:
                continue
            # What is missing, and made by a stage before it or kept on a remote, changes nothing by itself.
            never = any(not out.hash_info for out in stage.outs)
            changed = never or bool(stage.changed(allow_missing=True))
            if changed or after or stage.changed():
                due[stage] = {
                    "address": stage.addressing,
                    "level": 1 + max((due[other]["level"] for other in after), default=-1),
                    "changed": changed,
                    "cmd": list(stage.cmd) if isinstance(stage.cmd, list) else stage.cmd.splitlines(),
                    "after": [other.addressing for other in after],
                    "deps": [str(dep) for dep in stage.deps],
                    "outs": [str(out) for out in stage.outs],
                    "needs": estimates.needs(stage)._asdict(),
                }
    return list(due.values())


def as_text(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `cells` for people: a line a stage, level by level."""
    if not rows:
        return "Data and pipelines are up to date."
    width = max(len(row["address"]) for row in rows)
    lines = []
    for row in sorted(rows, key=lambda row: row["level"]):
        needs = row["needs"]
        asks = f"{needs['cores']} cores, {needs['minutes']} min"
        asks += f", {needs['memory_gib']:g} GiB" if needs["memory_gib"] else ""
        asks += f", {needs['gpu']:.2g} GPU" if needs["gpu"] else ""
        waits = "" if row["changed"] else "  maybe: waits for what comes before"
        lines.append(f"{row['level']:2d}  {row['address']:{width}}  {asks}{waits}")
    return "\n".join(lines)
