"""Figures of synthesised classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, WIDTH, ImageGrid, score_text, style

COLUMNS = 4
LETTERS = 14
WAY_NAMES = {
    "plain": "no regulariser",
    "decay": "decay",
    "blur": "blur and decay",
    "total_variation": "total variation",
    "jitter": "jitter",
    "fourier": "Fourier space",
    "fourier_all": "Fourier, jitter, TV",
}


def way_name(way: str) -> str:
    """How a way is called in figures and tables."""
    return WAY_NAMES.get(way, way.replace("_", " "))


def synthesised_cat(study: Study) -> Figure:
    """The cat in every way, with what a network of another size says of it."""
    cell = study.cell("synthesise_classes")
    shown, table = cell.examples(), cell.table("images")
    witness = study.settings["imagenet.witnesses"][0]
    cat = table[table["target"] == study.settings["synthesise_classes.cat"]].drop_duplicates("way").set_index("way")
    with style():
        rows = -(-len(cat) // COLUMNS)
        grid = ImageGrid(rows, COLUMNS, head=0.06, foot=0.34, side=WIDTH / (PITCH * COLUMNS - 0.1))
        for place, (way, line) in enumerate(cat.iterrows()):
            image = shown["image"][(shown["way"] == way) & (shown["class"] == line["class"])][0]
            text = (
                f"{way_name(str(way))}\n{model_name(witness)[-5:]}: y = {score_text(float(line[f'score_{witness}']))}"
            )
            grid.image(place // COLUMNS, place % COLUMNS, image / 255, text=text)
        return grid.figure


def synthesised_classes(study: Study) -> Figure:
    """All classes in the ways that are shown: a frame where every other network recognises the class."""
    cell = study.cell("synthesise_classes")
    shown, table = cell.examples(), cell.table("images").drop_duplicates(["way", "target"])
    ways, witnesses = study.settings["synthesise_classes.shown"], study.settings["imagenet.witnesses"]
    across = 6
    with style():
        count = table["target"].nunique()
        rows = -(-count // across)
        grid = ImageGrid(rows * len(ways), across, head=0.24, foot=0.3, side=WIDTH / (PITCH * across - 0.1))
        for w, way in enumerate(ways):
            grid.label(w * rows, way_name(way), "black")
            for place, line in enumerate(table[table["way"] == way].to_dict("records")):
                image = shown["image"][(shown["way"] == way) & (shown["class"] == line["class"])][0]
                every = recognised(pd.DataFrame([line]), witnesses)[0]
                grid.image(w * rows + place // across, place % across, image / 255,
                           frame="#029e73" if every else None, text=f"{short(line['class'])} {'✓' if every else '–'}",
                           ink="black" if every else GREY)  # fmt: skip
        return grid.figure


def short(name: str) -> str:
    """A class's name that fits under its image."""
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def recognised(table: pd.DataFrame, witnesses: list[str]) -> np.ndarray:
    """Which images every other network takes for their class: (I,) bool."""
    return np.logical_and.reduce([table[f"answer_{name}"] == table["target"] for name in witnesses])


def recognition(study: Study) -> Figure:
    """How many classes of each way are recognised by the network itself and by those of other sizes."""
    import matplotlib.pyplot as plt

    cell = study.cell("synthesise_classes")
    table, witnesses = cell.table("images"), study.settings["imagenet.witnesses"]
    ways = list(dict.fromkeys(table["way"]))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(ways) + 0.8))
        for name, ink, mark in (
            ("network", "#3b3b3b", "s"),
            *zip(witnesses, ("#0173b2", "#d55e00"), "o^", strict=False),
        ):
            label = "itself" if name == "network" else model_name(name)
            shares = [100 * float((own[f"answer_{name}"] == own["target"]).mean())
                      for own in (table[table["way"] == way] for way in ways)]  # fmt: skip
            axis.plot(shares, range(len(ways)), mark, color=ink, ms=7, label=label, clip_on=False, alpha=0.85)
        axis.axvline(study.settings["synthesise_classes.recognised"], color=GREY, lw=1, ls=":")
        axis.set_yticks(range(len(ways)), [way_name(way) for way in ways])
        axis.set_ylim(len(ways) - 0.5, -0.5)
        axis.set_xlim(0, 100)
        axis.set_xlabel("classes that are the network's answer, %")
        figure.tight_layout()
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.03), ncols=3)
        return figure
