"""Latents, on the guided page of autoencoders."""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, column, measured, pivot
from overgen.stages.explore_latents import figures
from overgen.stages.explore_latents.names import SPACE_NAMES, drawn_name

PAGE = "autoencoder"
FIRST_SEED = True
SMALL = ("codes", "variational")  # of `train_codes`
EXPERIMENT = "latents"
HALF = "0.5"  # deviations of noise at which a claim is tested
COPIES = 5  # percent of copied test images that the dAE must recognise for a decoder to be judged by its draws
CHOICES = [
    (
        "Latents drawn blindly",
        "uniform between the smallest and largest value of each unit over {explore_latents.DATASET.fitted} training "
        "images, or standard normal; nothing is cut, so that units of a ReLU can be drawn below 0",
    ),
    (
        "Noise on a latent",
        "normal, of one deviation in all units, in the root mean square of the units' deviations over training images",
    ),
]


def classes_apart(study: Study) -> Claim | None:
    """In the plane that the scatter shows."""
    row = number(study, "purity", space="plane")
    if row is None:
        return None
    near = study.settings[f"explore_latents.{study.dataset}.neighbours"]
    return Claim(
        says="Drawn in the plane of their two first principal components, latents of a class lie together.",
        test=f"Of the {near} nearest other images in the plane, the share that is of the same class. Holds if the 95 % "
        "interval over classes lies above 50 %; contradicted if below.",
        verdict=verdict(row, above=50),
        number="{number}, mean over {n} classes",
        row=row,
        figure="latents_plane",
    )


def neighbours_stay(study: Study) -> Claim | None:
    """Noise of half a deviation in all units."""
    row = number(study, "kept", noise=HALF)
    if row is None:
        return None
    return Claim(
        says="The neighbours of a latent decode to images of the same class.",
        test="Under noise of half a deviation on every unit, the share of decoded images to which the CNN gives the "
        "answer that it gives without noise. Holds if the 95 % interval over classes lies above 90 %; contradicted if "
        "below.",
        verdict=verdict(row, above=90),
        number="{number}, mean over {n} classes",
        row=row,
        figure="latents_noise",
    )


def blind_latents(study: Study) -> Claim | None:
    """By the dAE, which knows what is unlike its training images."""
    row = number(study, "recognised_blind", judge="judge", of="network")
    if row is None:
        return None
    return Claim(
        says="Latents that are drawn blindly decode to images of nothing.",
        test=f"The share of such images that the dAE recognises (ỹ > {row['tau']}), the larger of uniform and "
        "standard normal latents. Holds if its 95 % interval lies below 5 %; contradicted if above.",
        verdict=verdict(row, below=5),
        number=f"{{number}} of {{n}} images, {model_name(study.settings[f'explore_latents.{study.dataset}.network'])}",
        row=row,
        figure="latents_drawn",
    )


def variational_cure(study: Study) -> Claim | None:
    """Against an autoencoder of the same size and images. None where either cannot even copy images."""
    row = number(study, "recognised_gain", judge="judge")
    if row is None or min(copied(study).values()) < COPIES:
        return None
    seeds = len(study.settings[f"explore_latents.{study.dataset}.variational"])
    return Claim(
        says="A variational autoencoder cures it: latents drawn from its prior decode to images of something.",
        test=f"The share of images that the dAE recognises (ỹ > {row['tau']}), from the prior of the VAE, minus the "
        "larger share of uniform and standard normal latents of the autoencoder with as many units. Holds if the 95 % "
        "interval lies above 0; contradicted if below.",
        verdict=verdict(row, above=0),
        number=f"{{number}} percentage points; {{n}} images from the prior of {seeds} VAEs",
        row=row,
        figure="latents_recognised",
    )


def copied(study: Study) -> dict[str, float]:
    """How many copies of test images the dAE recognises, in percent, of the small autoencoders and of the VAEs."""
    found = {group: number(study, "recognised", judge="judge", of=group, way="restored") for group in SMALL}
    return {group: float(row["reproduced"]) if row else 0.0 for group, row in found.items()}


def number(study: Study, metric: str, **keys: str) -> Row | None:
    """A number of this stage."""
    return study.first(experiment=EXPERIMENT, metric=metric, **keys)


def latents_spaces(study: Study) -> Table:
    """Purity and silhouette of the classes by space."""
    rows = study.rows(experiment=EXPERIMENT, metric="purity")
    columns = [column("neighbours of the class, %", "purity"), column("silhouette", "silhouette")]
    return of_cell(study, "latents_spaces", rows, ("space",), {"in": lambda row: SPACE_NAMES[row["space"]]}, columns)


def latents_sources(study: Study) -> Table:
    """What judges say of pictures, by source and way of drawing."""
    rows = study.rows(experiment=EXPERIMENT, metric="frechet")
    tau = next(iter(study.rows(experiment=EXPERIMENT, metric="recognised")["tau"]), "")
    columns = [
        column("CNN, %", "recognised", judge="classifier", tau=tau),
        column("dAE, %", "recognised", judge="judge", tau=tau),
        column("nearest image", "nearest"),
        column("Fréchet distance", "frechet"),
    ]
    labels = {"pictures": lambda row: drawn_name(row["of"], row["way"])}
    return of_cell(study, "latents_sources", rows, ("of", "way"), labels, columns)


def of_cell(study: Study, name: str, rows: Any, by: tuple[str, ...], labels: Any, columns: list[Any]) -> Table:
    return pivot(study, name, rows, by, labels, columns, of={"experiment": EXPERIMENT, "model": "networks"})


def context(study: Study) -> dict[str, Any]:
    """What the section names."""
    settings = study.section(f"explore_latents.{study.dataset}")
    restored = number(study, "recognised", judge="judge", of="network", way="restored")
    return {
        "settings": settings,
        "network": model_name(settings["network"]),
        "plane_share": measured(number(study, "variance", components="2")),
        "restored": measured(restored, "\u00a0%"),
        "small_blind": measured(number(study, "recognised_blind", judge="judge", of="codes"), "\u00a0%"),
        "copies": COPIES,
        "sizes": settings["codes"][0].split("_k")[1].partition("_")[0],
    }


CLAIMS = (classes_apart, neighbours_stay, blind_latents, variational_cure)
TABLES = (latents_spaces, latents_sources)
FIGURES = (
    figures.latents_plane, figures.latents_by_class, figures.latents_noise, figures.latents_neighbours,
    figures.latents_between, figures.latents_drawn, figures.latents_recognised,
)  # fmt: skip
