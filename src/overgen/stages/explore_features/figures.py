"""Figures of what units and classes like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import GREY, PITCH, SHOWN, WIDTH, ImageGrid, colour, style
from overgen.stages.explore_features.summary import networks_of

WAY_NAMES = {
    "plain": "no regulariser",
    "decay": "decay",
    "blur": "blur and decay",
    "total_variation": "total variation",
    "jitter": "jitter",
    "fourier": "Fourier space",
    "all": "Fourier, jitter, variation",
    "projection": "autoencoder: r(x) after each step",
    "confidence": "autoencoder: ỹ rises",
}
RECOGNISED = "#029e73"


def way_name(way: str) -> str:
    """How a way is called in figures and tables."""
    return WAY_NAMES.get(way, way.replace("_", " "))


def kind_name(layer: str, kind: str) -> str:
    """How a kind of unit is called: "conv1, channels"."""
    return f"{layer}, {kind}s"


def unit_grid(shown: dict[str, np.ndarray], network: str, start: str) -> Figure | None:
    """A row a kind of unit: of each way the images of the same units, beside each other; None where there is none."""
    mine = (shown["unit_network"] == network) & (shown["unit_start"] == start)
    kinds = list(dict.fromkeys(zip(shown["unit_layer"][mine], shown["unit_kind"][mine], strict=True)))
    ways = list(dict.fromkeys(shown["unit_way"][mine].tolist()))
    if not kinds:
        return None
    many = max(int((mine & (shown["unit_layer"] == k[0]) & (shown["unit_kind"] == k[1])
                    & (shown["unit_way"] == ways[0])).sum()) for k in kinds)  # fmt: skip
    begins = many if start == "picture" else 0
    columns = begins + many * len(ways)
    grid = ImageGrid(len(kinds), columns, head=0.42, foot=0.06, side=WIDTH / (PITCH * columns - 0.1))
    for r, (layer, kind) in enumerate(kinds):
        own = mine & (shown["unit_layer"] == layer) & (shown["unit_kind"] == kind)
        heads = ["the picture"] * bool(begins) + [way_name(way) for way in ways]
        grid.label(r, f"{kind_name(layer, kind)}: {' | '.join(heads)}", "black")
        for w, way in enumerate(ways):
            for c, i in enumerate(np.flatnonzero(own & (shown["unit_way"] == way))):
                grid.image(r, begins + w * many + c, shown["unit_image"][i] / 255)
                if begins and w == 0:
                    grid.image(r, c, shown["unit_begin"][i] / 255)
    return grid.figure


def features_units(study: Study) -> Iterator[tuple[str, Figure]]:
    """What units of the classifier and of the autoencoder's encoder like, from noise and from test pictures."""
    cell = study.cell("explore_features")
    shown = cell.examples()
    prefix = "explore_features."
    with style():
        for role, start in (("network", "noise"), ("autoencoder", "noise"), ("network", "picture")):
            if figure := unit_grid(shown, study.settings[prefix + role], start):
                yield f"features_{role}_{start}", figure


def features_classes(study: Study) -> Figure:
    """An image of each class made in each way: a frame where every network that took no part recognises it."""
    cell = study.cell("explore_features")
    shown, table = cell.examples(), cell.table("classes")
    ways = shown["class_way"].tolist()
    asked = [way for way in ways if is_asked(study, way)]
    with style():
        count = min(SHOWN, shown["class_image"].shape[1])
        grid = ImageGrid(len(ways), count, head=0.42, foot=0.06)
        for r, way in enumerate(ways):
            grid.label(r, way_name(way), "black")
            own = table[table["way"] == way].sort_values("target")
            for c, line in enumerate(own.head(count).itertuples()):
                frame = RECOGNISED if way in asked and line.recognised else None
                grid.image(r, c, shown["class_image"][r, c] / 255, frame=frame)
        grid.titles([str(c) for c in range(count)])
        return grid.figure


def is_asked(study: Study, way: str) -> bool:
    """Whether any network that took no part was asked about the images of a way."""
    return any(row["n"] for row in study.select(experiment="classes", metric="recognised", way=way))


def features_recognised(study: Study) -> Figure:
    """How many classes of each way are the answer of each network."""
    cell = study.cell("explore_features")
    table = cell.table("classes")
    ways = list(dict.fromkeys(table["way"]))
    names = networks_of(table)
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(ways) + 0.8))
        for i, name in enumerate(names):
            shares = [100 * float((own[f"answer_{name}"] == own["target"]).mean())
                      for own in (table[table["way"] == way] for way in ways)]  # fmt: skip
            heights = np.arange(len(ways)) + 0.12 * (i - (len(names) - 1) / 2)
            axis.plot(shares, heights, "os^Dv"[i % 5], color=colour(name), ms=7, label=model_name(name), clip_on=False)
        ways_axis(axis, ways)
        axis.axvline(study.settings["explore_features.recognised"], color=GREY, lw=1, ls=":")
        axis.set_xlim(0, 100)
        axis.set_xlabel("classes that are the network's answer, %")
        figure.tight_layout()
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.03), ncols=4, columnspacing=1.2, handletextpad=0.2)
        return figure


def ways_axis(axis: Any, ways: list[str]) -> None:
    """A row a way."""
    axis.set_yticks(range(len(ways)), [way_name(way) for way in ways])
    axis.set_ylim(len(ways) - 0.5, -0.5)


def features_distance(study: Study) -> Figure:
    """How far images of classes are from the nearest training image, beside test images of the same class."""
    cell = study.cell("explore_features")
    table, usual = cell.table("classes"), cell.table("usual")
    limits = usual.groupby("label")["distance"].quantile(0.95)
    ways = list(dict.fromkeys(table["way"]))
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * (len(ways) + 1) + 0.8))
        of_tests = (usual["distance"] / usual["label"].map(limits)).to_numpy()
        axis.plot(of_tests, np.full(len(of_tests), len(ways)), "|", color="#1b1b1b", ms=9, alpha=0.25)
        for r, way in enumerate(ways):
            own = table[table["way"] == way]
            right = (own["nearest_label"] == own["target"]).to_numpy()
            for marks, fill in ((right, RECOGNISED), (~right, "white")):
                axis.plot(own["times"][marks], np.full(marks.sum(), r), "o", color=RECOGNISED, mfc=fill, ms=6)
        axis.axvline(1, color=GREY, lw=1, ls=":")
        axis.set_yticks(range(len(ways) + 1), [*map(way_name, ways), "test images"])
        axis.set_ylim(len(ways) + 0.5, -0.5)
        axis.set_xlim(left=0)
        axis.set_xlabel("distance from the nearest training image;\n1: 95 % of the class's test images are nearer")
        figure.tight_layout()
        return figure
