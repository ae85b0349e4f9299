"""Figures of what units and layers like."""

from __future__ import annotations

from matplotlib.figure import Figure

from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, WIDTH, ImageGrid, style


def units(study: Study) -> Figure:
    """A row a layer: the images that some of its units like best."""
    cell = study.cell("visualise_units")
    shown, layers = cell.examples(), study.settings["visualise_units.layers"]
    rows, columns = shown["unit"].shape
    with style():
        grid = ImageGrid(rows, columns, head=0.22, foot=0.2, side=WIDTH / (PITCH * columns - 0.1))
        for r, layer in enumerate(layers):
            grid.label(r, layer_name(layer), "black")
            for c in range(columns):
                grid.image(r, c, shown["image"][r, c] / 255, text=f"unit {shown['unit'][r, c]}", ink=GREY)
        return grid.figure


def dreams(study: Study) -> Figure:
    """A row a photograph: as it was, and what layers see in it."""
    cell = study.cell("visualise_units")
    shown, table = cell.examples(), cell.table("dreams")
    layers = study.settings["visualise_units.dream.layers"]
    names, columns = shown["photograph"].tolist(), 1 + len(layers)
    with style():
        grid = ImageGrid(len(names), columns, head=0.04, foot=0.2, side=WIDTH / (PITCH * columns - 0.1))
        for r, name in enumerate(names):
            own = table[table["photograph"] == name].reset_index()
            before = own.iloc[0]
            grid.image(r, 0, shown["start"][r] / 255, text=said(before["answer_before"], before["score_before"]))
            for c, line in enumerate(own.itertuples(), start=1):
                text = f"{layer_name(str(line.layer))}; {said(line.answer_after, line.score_after)}"
                grid.image(r, c, shown["dream"][r * len(layers) + c - 1] / 255, text=text)
        return grid.figure


def said(answer: object, score: object) -> str:
    return f"{answer}, y = {float(str(score)):.2f}"


def layer_name(layer: str) -> str:
    """How a layer is called in figures: "block 5" of "_blocks.4", any other as it is."""
    name = layer.rpartition("_blocks.")[2]
    return f"block {int(name) + 1}" if name.isdigit() else layer.strip("_").replace("_", " ")
