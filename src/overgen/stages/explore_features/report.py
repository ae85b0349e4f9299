"""What units and classes like, on a guided page of their own.

The claims' tests and limits were written before any number of MNIST or Fashion-MNIST was seen; rates and steps were
chosen on digits.
"""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, at_tau, measured, table
from overgen.stages.explore_features import figures

PAGE = "features"
FIRST_SEED = True
PREFIX = "explore_features."
MAXIMISED = "log-odds of the class in {explore_features.network}, whose gradient does not vanish where y is 1"
CHOICES = [
    ("What is maximised for a class", MAXIMISED),
    (
        "Where an image begins",
        "a flat ground as bright as the training images on average, with Gaussian noise of deviation 0.1 (of a "
        "spectrum: 0.01); decay pulls to that ground",
    ),
]


def of(study: Study, experiment: str, metric: str, *, model: str = "network", **keys: str) -> Row | None:
    """A number of the network, or of the autoencoder."""
    return study.find(experiment=experiment, model=study.settings[PREFIX + model], metric=metric, **keys)


def of_way(study: Study, metric: str, way: str, **keys: str) -> Row | None:
    """A number of the classes made in a way, whose model is the network that was maximised."""
    return study.first(experiment="classes", metric=metric, way=way, network=keys.get("network", ""))


def ways(study: Study) -> list[str]:
    """The ways of params.yaml with the priors, in its order."""
    names = [key.split(".")[2] for kind in ("ways", "priors") for key in study.settings
             if key.startswith(f"{PREFIX}{kind}.")]  # fmt: skip
    return list(dict.fromkeys(names))


def recognised_below(study: Study, way: str, says: str, how: str) -> Claim | None:
    """A claim that images made in one way are not recognised."""
    row = of_way(study, "recognised", way)
    if row is None:
        return None
    limit = study.settings[f"{PREFIX}recognised"]
    return Claim(
        says=says,
        test=f"An image of each class, made {how}. Recognised is what every network that took no part calls its class. "
        f"Holds if the 95 % interval of the recognised share lies below {limit:g} %; contradicted if above.",
        verdict=verdict(row, below=limit),
        number="{number} of {n} classes are recognised",
        row=row,
        figure="features_recognised",
    )


def no_class_is_synthesised(study: Study) -> Claim | None:
    """Without a regulariser."""
    return recognised_below(
        study, "plain", "No class can be synthesised from a classifier.", "by gradient ascent from noise alone"
    )


def regularisers_do_not_help(study: Study) -> Claim | None:
    """With several regularisers at once."""
    return recognised_below(
        study, "all", "Nor with regularisers that smooth the image.",
        "in Fourier space with jitter and total variation",
    )  # fmt: skip


def far_from_the_data(study: Study) -> Claim | None:
    """By the distance from the nearest training image."""
    row = of_way(study, "far_from_data", "plain")
    if row is None:
        return None
    return Claim(
        says="What a class likes best is nowhere near the data.",
        test="Of the images made without a regulariser, how many are further from the nearest training image than 95 % "
        "of the class's own test images are. Holds if the 95 % interval lies above 50 %; contradicted if below.",
        verdict=verdict(row, above=50),
        number="{number} of {n} images are further away",
        row=row,
        figure="features_distance",
    )


def the_autoencoder_rejects_them(study: Study) -> Claim | None:
    """By ỹ of the denoising autoencoder."""
    row = study.first(experiment="classes", metric="accepted", way="plain")
    if row is None:
        return None
    return Claim(
        says="The denoising autoencoder rejects what was synthesised from another network.",
        test=f"Of the images made without a regulariser, how many have ỹ of their class above the threshold, "
        f"{at_tau(row['tau'])}. Holds if the 95 % interval lies below 50 %; contradicted if above.",
        verdict=verdict(row, below=50),
        number="{number} of {n} images are accepted",
        row=row,
        figure="features_recognised",
    )


def a_prior_helps(study: Study) -> Claim | None:
    """With a projection by the autoencoder between steps."""
    row = of_way(study, "recognised", "projection")
    if row is None:
        return None
    return Claim(
        says="With an autoencoder as a prior, classes can be synthesised.",
        test="As before, but after each step the image is replaced by its reconstruction. Holds if the 95 % interval "
        "of the share that every network that took no part recognises lies above 50 %; contradicted if below.",
        verdict=verdict(row, above=50),
        number="{number} of {n} classes are recognised",
        row=row,
        figure="features_classes",
    )


def units_like_no_picture(study: Study) -> Claim | None:
    """Images of the classifier's units, by ỹ of the autoencoder."""
    row = study.first(
        experiment="units", model=study.settings[f"{PREFIX}network"], metric="accepted", start="noise", way=""
    )
    if row is None:
        return None
    return Claim(
        says="What a single unit likes best is a picture of nothing.",
        test=f"Of the images made from noise for units of the classifier, in all ways, how many the denoising "
        f"autoencoder accepts as any class, {at_tau(row['tau'])}. Holds if the 95 % interval lies below 5 %; "
        "contradicted if above.",
        verdict=verdict(row, below=5),
        number=f"{{number}} of {{n}} images of {unit_count(study)} units are accepted",
        row=row,
        figure="features_network_noise",
    )


def unit_count(study: Study) -> int:
    """How many units of the classifier have images."""
    (cell,) = study.cells("explore_features").values()
    table = cell.table("units")
    own = table[table["network"] == study.settings[f"{PREFIX}network"]]
    return len(own[["layer", "kind", "unit"]].drop_duplicates())


def synthesised(study: Study) -> Table:
    """Of each way who recognises its classes, and how near its images are to the data."""
    networks = list(dict.fromkeys(
        row["network"] for row in study.select(experiment="classes", metric="answers_class")
    ))  # fmt: skip
    lines, used = [], []
    for way in ways(study):
        rows = [of_way(study, "recognised", way)]
        rows += [of_way(study, "answers_class", way, network=name) for name in networks]
        rows += [of_way(study, name, way) for name in ("nearest_is_class", "far_from_data", "times_as_far", "accepted")]
        if rows[0] is None:
            continue
        used += [row["place"] for row in rows if row]
        lines.append([figures.way_name(way), *map(measured, rows)])
    header = ["way", "all others %", *(f"{model_name(name)} %" for name in networks),
              "nearest training image is of the class %", "further than 95 % of test images %",
              "times as far", "ỹ accepts %"]  # fmt: skip
    return table("synthesised", lines, header, study.frame.iloc[used])


def liked(study: Study) -> Table:
    """Of units, by network, way and where the image began; every way has its rows in the cell."""
    lines, used = [], []
    listed = ["", *study.settings[f"{PREFIX}from_pictures"]]
    for row in study.select(experiment="units", metric="likes_its_image_best", way=listed):
        if row["start"] == "picture" and not row["way"]:
            continue
        of_row = {"experiment": "units", "model": row["model"], "start": row["start"], "way": row["way"]}
        rows = [row, *(study.first(metric=metric, **of_row) for metric in ("accepted", "answer_changed"))]
        used += [each["place"] for each in rows if each]
        way = figures.way_name(row["way"]) if row["way"] else "all ways"
        lines.append([model_name(row["model"]), f"a {row['start']}" if row["start"] == "picture" else "noise", way,
                      *map(measured, rows)])  # fmt: skip
    header = ["units of", "from", "way", "liked better than every test picture %", "ỹ accepts as any class %",
              "answer changes %"]  # fmt: skip
    return table("liked", lines, header, study.frame.iloc[used])


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    settings, sizes = study.section("explore_features"), study.section(f"explore_features.sizes.{study.dataset}")
    names = study.cell("explore_features").examples()["class_name"]
    named = [f"{c} {name}" for c, name in enumerate(names) if name != str(c)]
    changed = of(study, "units", "answer_changed", start="picture")
    best = of(study, "units", "likes_its_image_best", start="noise")
    return {"settings": settings, "sizes": sizes, "changed": measured(changed), "best": measured(best),
            "units": unit_count(study), "named": ", ".join(named)}  # fmt: skip


TABLES = (synthesised, liked)
FIGURES = (figures.features_units, figures.features_classes, figures.features_recognised, figures.features_distance)
CLAIMS = (
    units_like_no_picture, no_class_is_synthesised, regularisers_do_not_help, far_from_the_data,
    the_autoencoder_rejects_them, a_prior_helps,
)  # fmt: skip
