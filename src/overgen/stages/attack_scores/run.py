"""Open-set scores under attack: does any keep what it rejects, when the attack goes for the score itself?

    python -m overgen.run attack_scores --dataset digits --model cnn

Every method of `evaluate_scores` on the published network, which knows all classes. A method's threshold keeps a share
of training images that it was not fitted on. Attacks follow the gradient of the score down to the pixels, and a black
box attack tries the rest (`overgen.attacks`), in two directions: images that begin as noise or as pictures of other
data are to be accepted as a target class, and known test images are to be rejected; anywhere in the cube, and within
balls. Then every image that was made against one method is shown to all the others. What an attack claims is checked by
the score as it is used, not by the form of it that the attack followed. A judge that took no part (`measures.judge`)
says whether an image that fooled is simply one of the class.

What is asked of the result, and by what test, was written down before: docs/questions.md.

Reads: data/<dataset>; models/<dataset>/networks/<model>/ (the first seed); test images of the data set that
`evaluate_scores.other_data` names. Writes the cell: trials.csv, a row a method and trial; radii.csv, a row a method,
direction, norm and image; examples.npz, images that fooled.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from overgen import data
from overgen.attacks import pictures
from overgen.measures.judge import Judge
from overgen.models import registry
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.attack_scores import summary
from overgen.stages.attack_scores.attack import Arrays, attacked, transferred, trials
from overgen.stages.attack_scores.score import Study, method_names

BUDGET = ("fitted_images", "known_images", "restarts", "images", "judge_images")


def main(stage: Stage) -> None:
    """Write the cell."""
    study = Study(stage)
    names = method_names(stage)
    files = {name: name.replace(":", "-").replace("/", "-") for name in names}
    stage.members(list(files.values()), lambda i, _: attacked(study, names[i]))
    found = {name: read_npz(stage.progress / f"{file}.npz") for name, file in files.items()}  # on every rank
    made = {name: arrays["image"] for name, arrays in found.items() if "image" in arrays}
    shown_to = list(made)
    parts = stage.members(
        [f"{files[name]}.transfer" for name in shown_to], lambda i, _: transferred(study, shown_to[i], made)
    )
    if stage.rank == 0:
        write(study, found, dict(zip(shown_to, parts, strict=True)))


def write(study: Study, found: dict[str, Arrays], judged: dict[str, Arrays]) -> None:
    """Write the cell from what `attacked` and `transferred` found, by method."""
    settings, dataset, stage = study.settings, study.dataset, study.stage
    attempts = [attempt.attack for attempt in settings.attempts]
    table = summary.trial_table(trials(study), attempts, found, judged)
    hits = np.flatnonzero(table["fooled"])
    size = int(np.prod(dataset.shape))
    images = np.array([found[by]["image"][trial] for by, trial in table.loc[hits, ["by", "trial"]].to_numpy()])
    images = images.reshape(-1, size)
    table = judged_by(study, table, hits, images)
    radii = {norm: getattr(settings, norm) for norm in summary.NORMS}
    of_radii = summary.radius_table(found, radii)
    rows = summary.rows(table, of_radii, found, radii)
    _, metadata = registry.trained(dataset.name, stage.item["model"])
    key = f"attack_scores.{dataset.name}"
    budget = {f"{key}.{name}": getattr(settings, name) for name in BUDGET}
    for name in ("attempts", "ball_attempts"):
        budget[f"{key}.{name}"] = sum(attempt.updates for attempt in getattr(settings, name))
    results.write(
        stage.cell, budget=metadata["budget"] | budget, metrics=rows, tables={"trials": table, "radii": of_radii},
        examples=examples(study, table.loc[hits], images),
    )  # fmt: skip


def judged_by(study: Study, table: pd.DataFrame, hits: np.ndarray, images: np.ndarray) -> pd.DataFrame:
    """The table with what the judge says of the images (K, D) that fooled, rows `hits` of it."""
    judge = Judge(study.dataset, most=study.settings.judge_images)
    verdict = judge.verdict(images, table.loc[hits, "target"].to_numpy())
    columns = {"distance": np.nan, "beyond": False, "seen": -1, "seen_is_target": False, "not_of_class": False}
    for name, otherwise in columns.items():
        values = np.full(len(table), otherwise)
        values[hits] = getattr(verdict, name)
        table[name] = values
    return table


def examples(study: Study, hits: pd.DataFrame, images: np.ndarray) -> Arrays:
    """Images that fooled: some of each method, `shown`; and as many of all together as a person shall judge, `sheet`,
    with as many test images.

    hits: a row for each of the images (K, D).
    """
    name, shape, test = study.dataset.name, study.dataset.shape, study.dataset.test_images
    hits = hits.reset_index(drop=True)
    of_methods = summary.some_of_each(hits, study.settings.shown, generator(name, "attacked scores", "shown"))
    order = torch.randperm(len(hits), generator=generator(name, "attacked scores", "sheet"))
    of_sheet = order[: study.settings.labelled].numpy()
    real = torch.randperm(len(test), generator=generator(name, "attacked scores", "real"))[: study.settings.labelled]
    chosen = {"shown": of_methods, "sheet": of_sheet}
    arrays = {f"{kind}_image": pictures.rounded(images[rows], shape) for kind, rows in chosen.items()}
    arrays |= {
        f"{kind}_{column}": hits.loc[rows, column].to_numpy(str if column == "method" else int)
        for kind, rows in chosen.items()
        for column in ("method", "target", "not_of_class")
    }
    return arrays | {
        "real_image": data.pictures(test[real]),
        "real_label": study.dataset.test_labels[real].numpy(),
    }
