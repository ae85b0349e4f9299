"""Does a label outlive noise on n pixels with probability (1 − ε)ⁿ? The law fitted to what `fool_lbfgs` counted.

    python -m overgen.run explore_stability --dataset mnist --model perceptrons

Reads the perceptrons, whose images it shows the same noise as `fool_lbfgs` does, to learn of each image when it first
loses its label; and that stage's cell, with whose counts these must agree. Writes the cell: numbers of each network,
and stability.csv, what was counted and fitted, a row a network and number of pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overgen import OvergenError, data
from overgen.models import registry
from overgen.run import results
from overgen.run.results import Cell
from overgen.run.stage import Stage
from overgen.stages.explore_stability import summary
from overgen.stages.fool_lbfgs.labels import kept, labelled_right


def main(stage: Stage) -> None:
    """Write the cell."""
    dataset = stage.item["dataset"]
    names = list(stage.params("perceptrons"))
    settings = stage.params(key := f"fool_lbfgs.{dataset}")
    pixels = sorted(settings.pixels)

    def count(i: int, _: Any) -> dict[str, np.ndarray]:
        source = data.load(dataset)
        network = registry.perceptron(dataset, names[i])[0].to(stage.device)
        right = labelled_right(network, source)[: settings.stability_images]
        return {"kept": kept(network, source, right, pixels).numpy()}

    found = stage.members(names, count)
    if stage.rank != 0:
        return
    counted = {name: arrays["kept"] for name, arrays in zip(names, found, strict=True)}
    cell = Cell(dataset, "fool_lbfgs", stage.item["model"], stage.cell.parents[1] / "fool_lbfgs" / stage.item["model"])
    agree(cell, counted, pixels)
    rows, tables = summary.cell(counted, pixels, stage.params("explore_stability.resamples"))
    budget = cell.budget | {f"{key}.stability_images": settings.stability_images}
    results.write(stage.cell, budget=budget, metrics=rows, tables=tables)


def agree(cell: Cell, counted: dict[str, np.ndarray], pixels: list[int]) -> None:
    """Raises OvergenError unless the cell of `fool_lbfgs` counted as many labels that are kept."""
    table = cell.table("stability").set_index(["network", "pixels"])["kept"]
    for name, kept_ in counted.items():
        for n, count in zip(pixels, kept_.sum(0).tolist(), strict=True):
            stands = table.get((name, n))
            if stands != count:
                raise OvergenError(
                    f"{cell.path}/stability.csv: {stands} labels of {name} are kept under noise on {n} pixels, but "
                    f"{count} are now; run `{cell.command}` again"
                )
