"""Seconds that each stage took when it ran last in this checkout: they order stages, and say what a cell asks for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from overgen import OvergenError

DURATIONS = Path(".overgen/durations.json")


def read_durations(path: str | Path = DURATIONS) -> dict[str, float]:
    """Seconds by stage; none where nothing ran. Raises OvergenError for a file that holds anything else."""
    path = Path(path)
    try:
        durations = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(seconds) for name, seconds in durations.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise OvergenError(f"{path}: no seconds by stage ({error}); delete it, the next runs write it") from error


def known_durations() -> dict[str, float]:
    """As `read_durations`, but none from a file that cannot be read: for an order, which may be any."""
    try:
        return read_durations()
    except OvergenError:
        return {}


def write_durations(durations: Mapping[str, float]) -> None:
    """Write seconds by stage, unless they stand there."""
    if durations != known_durations():
        DURATIONS.parent.mkdir(parents=True, exist_ok=True)
        temporary = DURATIONS.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(durations, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(temporary, DURATIONS)


def expected(name: str, durations: Mapping[str, float]) -> float:
    """How many seconds a stage will take: as when it ran last, else as others of its kind do, else as any."""
    if name in durations:
        return durations[name]
    kind = name.partition("@")[0]
    known = [value for other, value in durations.items() if other.partition("@")[0] == kind] or [*durations.values()]
    return sum(known) / len(known) if known else 1.0
