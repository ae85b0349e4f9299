"""The cells of a data set, as dvc.yaml's stages and matrices ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from overgen.run.pipeline import lists_of, read_stages
from overgen.run.results import Cell

Grid = dict[str, dict[str, Cell]]  # by stage, then by model


def read_grid(dataset: str, lists: Callable[[str], Sequence[str]], root: Path = Path()) -> Grid:
    """The cells of a data set by stage and model, in dvc.yaml's order; stages without one are left out.

    lists: the values of a top-level list of params.yaml, such as `attacked`. Folders are never listed: what lies there
    of models that were dropped from params.yaml does not count.
    Raises OvergenError naming the first missing cell and the command that makes it.
    """
    grid: Grid = {}
    for stage, entry in read_stages(root / "dvc.yaml").items():
        named = lists_of(entry)
        options = {
            name: lists(named[name]) if name in named else there for name, there in entry.get("matrix", {}).items()
        }
        if "model" in options and dataset in options["dataset"]:
            folder = root / "reports/cells" / dataset / stage
            grid[stage] = {model: Cell(dataset, stage, model, folder / model) for model in options["model"]}
    for models in grid.values():
        for cell in models.values():
            _ = cell.summary  # read and checked before anything is drawn
    return grid
