"""How many dimensions images have: of each class, of all together, of known manifolds, and of views of one object.

    python -m overgen.run explore_dimension --dataset digits --model images

Reads: data/<dataset>. Writes the cell: dimensions.csv, a row a cloud of points; local.csv, quantiles of the dimension
around each image by class; examples.npz, the images in whose surroundings it is lowest and highest, and some views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from overgen import OvergenError, data
from overgen.data import manifolds, scene
from overgen.measures.dimension import ESTIMATORS, Dimension, dimension
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.explore_dimension import summary

Arrays = dict[str, np.ndarray]
Line = dict[str, float]
WIDTH = scene.SIDE**2  # columns of the known manifolds, as of the views
REPEATED = 10  # one row of so many stands twice, in the manifold that has repeated rows
Cloud = Callable[[np.random.Generator, int], np.ndarray]
MANIFOLDS: dict[str, tuple[int, Cloud]] = {
    "plane": (2, lambda draw, n: manifolds.cube(draw, n, 2, WIDTH)),
    "swiss_roll": (2, lambda draw, n: manifolds.swiss_roll(draw, n, WIDTH)),
    "sphere": (5, lambda draw, n: manifolds.sphere(draw, n, 5, WIDTH)),
    "cube_5": (5, lambda draw, n: manifolds.cube(draw, n, 5, WIDTH)),
    "cube_5_repeated": (5, lambda draw, n: with_repeats(manifolds.cube(draw, n, 5, WIDTH))),
    "cube_7": (7, lambda draw, n: manifolds.cube(draw, n, 7, WIDTH)),
    "cube_20": (20, lambda draw, n: manifolds.cube(draw, n, 20, WIDTH)),
}
VARIED = {  # what of the object's seven degrees of freedom varies
    "shift": ("shift_x", "shift_y"),
    "lamp": ("lamp_x", "lamp_y"),
    "turn": ("turn_x", "turn_y", "turn_z"),
    "all": tuple(scene.PARAMETERS),
}
VIEWS_SHOWN = 10


def main(stage: Stage) -> None:
    """Write the cell."""
    settings = stage.params(f"explore_dimension.{stage.item['dataset']}")
    dataset = data.load(stage.item["dataset"])
    images = {name: dataset.train_images[dataset.train_labels == c] for c, name in enumerate(dataset.classes)}
    check(stage.item["dataset"], images, settings)
    whole = dataset.train_images[dataset.train_labels >= 0]
    work: dict[str, Callable[[], Arrays]] = {
        f"class{c}": lambda name=name: of_class(name, images[name], settings)  # type: ignore[misc]
        for c, name in enumerate(images)
    }
    work["mixed"] = lambda: stacked(in_parts("mixed", whole, settings.mixed, settings))
    work |= {
        f"manifold-{name}": lambda name=name: of_manifold(name, settings)  # type: ignore[misc]
        for name in MANIFOLDS
    }
    work |= {f"views-{name}": lambda name=name: of_views(name, settings) for name in VARIED}  # type: ignore[misc]
    made = dict(zip(work, stage.members(list(work), lambda i, run: list(work.values())[i]()), strict=False))
    if stage.rank != 0:
        return
    classes = {name: made[f"class{c}"] for c, name in enumerate(images)}
    table = summary.table(
        classes,
        made["mixed"],
        {name: (true, made[f"manifold-{name}"]) for name, (true, _) in MANIFOLDS.items()},
        {name: (len(varied), made[f"views-{name}"]) for name, varied in VARIED.items()},
    )
    results.write(
        stage.cell,
        budget={f"explore_dimension.{stage.item['dataset']}.points": settings.points},
        metrics=summary.rows(table, pixels=int(np.prod(dataset.shape)), parts=settings.parts),
        tables={"dimensions": table, "local": summary.quantiles(classes)},
        examples=summary.shown(classes, made["views-all"]["view"]),
    )


def check(dataset: str, images: dict[str, Any], settings: Any) -> None:
    """Raise OvergenError for a class with too few images for the sizes that are asked for."""
    for sizes, count, what in (
        *((settings.sizes, len(own), f"class {name}") for name, own in images.items()),
        (settings.mixed, sum(map(len, images.values())), "all classes together"),
    ):
        if count < (most := settings.parts * sizes[0]):
            key = "mixed" if what.startswith("all") else "sizes"
            raise OvergenError(
                f"params.yaml, explore_dimension.{dataset}.{key}: {settings.parts} parts of {sizes[0]} need {most} "
                f"images, and {what} has {count} in data/{dataset}; give smaller sizes or fewer parts"
            )


def numpy_generator(*key: object) -> np.random.Generator:
    """As `streams.generator`, of numpy."""
    return np.random.default_rng(generator("explore_dimension", *key).initial_seed())


def points_of(images: Any) -> np.ndarray:
    """Images as points, (N, D) float32 in [0, 1]."""
    return data.floats(images).flatten(1).numpy()


def of_class(name: str, images: Any, settings: Any) -> Arrays:
    """`in_parts` of a class with a last line of the whole class, and what is found around each of its images.

    local: (n,) of the distinct images; image, image_local: (2, S, ...) uint8 and (2, S), of the lowest and of the
    highest, rising.
    """
    whole = dimension(points_of(images), neighbours=settings.neighbours)
    order = np.argsort(whole.local)
    ends = np.stack([order[: settings.shown], order[-settings.shown :]])
    return stacked([*in_parts(name, images, settings.sizes, settings), line(len(images), 0, whole)]) | {
        "local": whole.local,
        "image": data.pictures(images)[whole.places[ends]],
        "image_local": whole.local[ends],
    }


def in_parts(name: str, images: Any, sizes: list[int], settings: Any) -> list[Line]:
    """The dimensions of disjoint random parts of some images, of each size as many as there are, at most `parts`."""
    lines = []
    for size in sizes:
        order = numpy_generator(name, size).permutation(len(images))
        for part in range(min(settings.parts, len(images) // size)):
            points = points_of(images[order[part * size : (part + 1) * size]])
            lines.append(line(size, part, dimension(points, neighbours=settings.neighbours)))
    return lines


def of_manifold(name: str, settings: Any) -> Arrays:
    """The dimensions of some draws of a known manifold."""
    draws = [numpy_generator(name, part) for part in range(settings.parts)]
    clouds = [MANIFOLDS[name][1](draw, settings.points) for draw in draws]
    found = [dimension(points, neighbours=settings.neighbours) for points in clouds]
    return stacked([line(settings.points, part, each) for part, each in enumerate(found)])


def of_views(name: str, settings: Any) -> Arrays:
    """The dimensions of some draws of views of the object; where all varies also of all draws together.

    view: (V, 28, 28) uint8, some of them.
    """
    drawn = [
        scene.views(scene.drawn(numpy_generator("views", name, part), settings.points, VARIED[name]))
        for part in range(settings.parts)
    ]
    clouds = [part.reshape(len(part), -1) for part in drawn]
    found = [dimension(points, neighbours=settings.neighbours) for points in clouds]
    lines = [line(settings.points, part, each) for part, each in enumerate(found)]
    if name == "all":
        together = np.concatenate(clouds)
        lines.append(line(len(together), 0, dimension(together, neighbours=settings.neighbours)))
    return stacked(lines) | {"view": np.rint(255 * drawn[0][:VIEWS_SHOWN]).astype(np.uint8)}


def with_repeats(x: np.ndarray) -> np.ndarray:
    """Points of which some stand twice."""
    return np.concatenate([x, x[: len(x) // REPEATED]])


def line(size: int, part: int, found: Dimension) -> Line:
    """A row of dimensions.csv, without what it is of."""
    about = {"size": size, "part": part, "points": len(found.places), "repeated": found.repeated}
    return about | {estimator: getattr(found, estimator) for estimator in ESTIMATORS}


def stacked(lines: list[Line]) -> Arrays:
    return {key: np.array([line[key] for line in lines]) for key in lines[0]}
