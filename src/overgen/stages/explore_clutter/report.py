"""Clutter, in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.study import Row, Study
from overgen.report.tables import MODEL, Labels, Table, broken, column, measured, pivot
from overgen.stages.explore_clutter import figures, summary
from overgen.stages.explore_clutter.names import OF_CANVASES, WAYS

PAGE = "manifold"
FIRST_SEED = True
CHOICES = [
    (
        "The learned attention mask of the supplementary slides",
        "a soft mask a by gradient descent on mean a²·(r(a·x) − x)² + {explore_clutter.DATASET.attention.weight} · "
        "mean (1 − a) + {explore_clutter.DATASET.attention.smoothness} · mean |∇a|",
    ),
]
EXPERIMENT = summary.EXPERIMENT
NETWORK = "dae_sym"
HALF = 50  # percent; set before the run
SEEN = "The share of digits over the strongest ground, seen {how}, that the denoising autoencoder labels right"
TEST = "{seen}. Holds if its 95 % interval over classes lies {where} {limit} %; contradicted if it lies {other}."
ABOVE = {"where": "above", "other": "below", "limit": HALF}
BELOW = {"where": "below", "other": "above", "limit": HALF}


def clutter(study: Study) -> Table:
    """A row a network, way and strength: how many pictures are right, and right and accepted at each τ."""
    rows = study.rows(experiment=EXPERIMENT, metric="right")
    taus = study.taus(EXPERIMENT, "accepted_right")
    labels: Labels = MODEL | {"seen": lambda row: WAYS[row["view"]], "strength": lambda row: row["strength"]}
    columns = [
        column("right, %", "right", show=broken, tau=""),
        *(column(f"right and ỹ > {tau}, %", "accepted_right", show=broken, tau=tau) for tau in taus),
    ]
    by = ("model", "view", "strength")
    return pivot(study, "clutter", rows, by, labels, columns, once=2, of={"experiment": EXPERIMENT})


def clutter_found(study: Study) -> Table:
    """A row a network and way: how many objects are found, by their number."""
    rows = study.rows(experiment=EXPERIMENT, metric="objects_found")
    labels: Labels = MODEL | {"seen": lambda row: OF_CANVASES[row["view"]]}
    columns = [
        column(f"{count} object{'s' if count != '1' else ''}, %", "objects_found", show=broken, objects=count)
        for count in dict.fromkeys(rows["objects"])
    ]
    return pivot(study, "clutter_found", rows, ("model", "view"), labels, columns, of={"experiment": EXPERIMENT})


def strongest(study: Study, metric: str, way: str, tau: str = "") -> Row | None:
    """A number of the denoising autoencoder over the strongest ground."""
    rows = study.select(experiment=EXPERIMENT, metric=metric, model=NETWORK, view=way, tau=tau)
    return max(rows, key=lambda row: float(row["strength"]), default=None)


def clutter_hides_objects(study: Study) -> Claim | None:
    row = strongest(study, "accepted_right", "whole", "0.9")
    if row is None:
        return None
    says = "A digit over a photograph is far from all digits: it is not accepted as one."
    seen = SEEN.format(how="whole") + " with ỹ above 0.9"
    return Claim(says, TEST.format(seen=seen, **BELOW), verdict(row, below=HALF), "{number} of {n} pictures", row,
                 "clutter_strength")  # fmt: skip


def a_true_mask_shows_them(study: Study) -> Claim | None:
    row = strongest(study, "accepted_right", "true", "0.9")
    if row is None:
        return None
    says = "Within the mask of the object it is accepted."
    seen = SEEN.format(how="within the true mask") + " with ỹ above 0.9"
    return Claim(says, TEST.format(seen=seen, **ABOVE), verdict(row, above=HALF), "{number} of {n} pictures", row,
                 "clutter_strength")  # fmt: skip


def a_mask_can_be_found(study: Study) -> Claim | None:
    row = strongest(study, "right", "found")
    if row is None:
        return None
    says = "Attention to what can be copied finds the object."
    seen = SEEN.format(how="within the mask that is found")
    whole = measured(strongest(study, "right", "whole"), "\u00a0%")  # the test, as it was set, does not ask for it
    number = f"{{number}} of {{n}} pictures; of the same pictures seen whole {whole}"
    return Claim(says, TEST.format(seen=seen, **ABOVE), verdict(row, above=HALF), number, row, "clutter_pictures")


def a_sum_finds_several(study: Study) -> Claim | None:
    rows = study.select(experiment=EXPERIMENT, metric="objects_found", model=NETWORK, view="true")
    row = max(rows, key=lambda row: int(row["objects"]), default=None)
    if row is None:
        return None
    says = "The sum over objects finds several in one picture."
    seen = f"The share of {row['objects']} digits on a canvas that are among the best classes of the sum of ỹ over "
    seen += "places, within true masks"
    return Claim(says, TEST.format(seen=seen, **ABOVE), verdict(row, above=HALF), "{number} of {n} digits", row,
                 "clutter_objects")  # fmt: skip


def context(study: Study) -> dict[str, Any]:
    """The settings of the section."""
    one = study.find(experiment=EXPERIMENT, metric="objects_found", model=NETWORK, view="true", objects="1")
    anything = strongest(study, "accepted", "whole", "0.9")
    return {
        "settings": study.section(f"explore_clutter.{study.dataset}"),
        "one": measured(one, "\u00a0%") if one else "",
        "anything": measured(anything, "\u00a0%"),
    }


TABLES = (clutter, clutter_found)
FIGURES = (figures.clutter_pictures, figures.clutter_strength, figures.clutter_objects)
CLAIMS = (clutter_hides_objects, a_true_mask_shows_them, a_mask_can_be_found, a_sum_finds_several)
