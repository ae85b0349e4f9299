"""Open-set scores with a defence, under attacks that know it: what does each buy, and at what price?

    python -m overgen.run defend_scores --dataset digits --model scores

The scores that `defend_scores.scores` names are attacked as they are and defended, on the same images and by the same
attacks, which follow the defended score itself (`score.Defended.objective`): smoothing, of each; an ensemble, and
further training on images that are moved (`overgen.training.adversarial`), of ỹ. In two directions: images of no class
are moved until they are accepted, and known test images until they are rejected, within balls; and in the whole cube
images are to be accepted as a target class. Smoothing has a certificate (`measures.smoothing`), and each certified
image is attacked within its own.

What is asked of the result, and by what test, was written down before: docs/questions.md, section 4.

Reads: data/<dataset>; models/<dataset>/networks/ (first seeds); test images of the data set that
`evaluate_scores.other_data` names. Writes the cell: trials.csv, a row a score and trial in the cube; radii.csv, a row a
score, direction and image; examples.npz, images that fooled in the cube.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen import data
from overgen.attacks import pictures
from overgen.measures.judge import Judge
from overgen.models import registry
from overgen.models.weights import round_weights
from overgen.run import results
from overgen.run.files import read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.attack_scores.attack import trials
from overgen.stages.defend_scores import summary
from overgen.stages.defend_scores.attack import Arrays, attacked
from overgen.stages.defend_scores.score import Scores, names
from overgen.training.adversarial import AdversarialTraining
from overgen.training.members import OF_TRAINING, curve_arrays, weight_arrays

BUDGET = ("fitted_images", "known_images", "threshold_images", "unknown_images", "restarts", "images", "judge_images")
TUNED = "further-training"


def main(stage: Stage) -> None:
    """Write the cell."""
    settings = stage.params(f"defend_scores.{stage.item['dataset']}")
    stage.members([TUNED], lambda i, run: trained_further(stage))
    weights = read_npz(stage.progress / f"{TUNED}.npz")  # on every rank
    scores = Scores(stage, partial(restored, stage, weights))
    defended = names(settings)
    found = stage.members([name.file for name in defended], lambda i, _: attacked(scores.score(defended[i])))
    if stage.rank == 0:
        write(scores, weights, dict(zip(defended, found, strict=True)))


def trained_further(stage: Stage) -> Arrays:
    """The network of `adversarial`, trained further: its weights, and its curves with a row an epoch."""
    dataset = data.load(stage.item["dataset"])
    settings = stage.params(f"defend_scores.{dataset.name}").adversarial
    network, _ = registry.trained(dataset.name, settings.model)
    network = network.requires_grad_(True).to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    labelled = (dataset.train_labels >= 0).nonzero()[:, 0]
    draws = generator(dataset.name, "defended scores", "further training")
    chosen = labelled[torch.randperm(len(labelled), generator=draws)[: settings.images + settings.held_out]]
    images, labels = (of[chosen].to(stage.device) for of in (dataset.train_images, dataset.train_labels))
    model, held = stage.params(f"models.{settings.model}"), settings.held_out
    module = AdversarialTraining(
        network, images[held:], labels[held:], held_out=(images[:held], labels[:held]),
        radius=settings.radius, steps=settings.steps, key=(dataset.name, "defended scores", settings.model),
        batch_size=settings.batch_size, learning_rate=settings.learning_rate, l2=0,
        **{name: getattr(model, name) for name in OF_TRAINING},
    )  # fmt: skip
    began = module.tested()["right_when_moved"]
    stage.trainer(epochs=settings.epochs, reload_dataloaders_every_n_epochs=1).fit(module)
    share, state = module.best
    network.load_state_dict(state)
    round_weights(network)
    return weight_arrays(network) | curve_arrays(pd.DataFrame(module.curves)) | {
        "began": np.array(began), "best": np.array(share),
    }  # fmt: skip


def restored(stage: Stage, weights: Arrays) -> nn.Module:
    """The network that was trained further, float32, in evaluation mode, frozen."""
    dataset = stage.item["dataset"]
    network, _ = registry.trained(dataset, stage.params(f"defend_scores.{dataset}").adversarial.model)
    names = [name for name in weights if name.startswith("weight.")]
    network.load_state_dict({name.removeprefix("weight."): torch.from_numpy(weights[name]).float() for name in names})
    network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def write(scores: Scores, weights: Arrays, found: dict[Any, Arrays]) -> None:
    """Write the cell from what `attacked` found, by name of the score."""
    stage = scores.stage
    study = scores.network(next(iter(found)).model)
    settings, dataset = study.settings, study.dataset
    table = summary.trial_table(trials(study), [attempt.attack for attempt in settings.attempts], found)
    hits = np.flatnonzero(table["fooled"])
    images = np.concatenate([arrays["image"] for arrays in found.values()])[hits]
    verdict = Judge(dataset, most=settings.judge_images).verdict(images, table.loc[hits, "target"].to_numpy())
    table["not_of_class"] = False
    table.loc[hits, "not_of_class"] = verdict.not_of_class
    radii = {norm: getattr(settings, norm) for norm in summary.NORMS}
    of_radii = summary.radius_table(found, radii)
    rows = summary.rows(table, found, radii, settings.certified)
    rows += summary.training_rows(settings.adversarial.model, weights, settings.adversarial.held_out)
    key = f"defend_scores.{dataset.name}"
    budget = {f"{key}.{name}": getattr(settings, name) for name in BUDGET}
    for name in ("attempts", "ball_attempts"):
        budget[f"{key}.{name}"] = sum(attempt.updates for attempt in getattr(settings, name))
    for name in ("draws", "attack_draws", "certificate_draws"):
        budget[f"{key}.smoothing.{name}"] = getattr(settings.smoothing, name)
    for name in ("images", "held_out", "epochs", "steps"):
        budget[f"{key}.adversarial.{name}"] = getattr(settings.adversarial, name)
    budget[f"{key}.ensemble"] = len(settings.ensemble)
    results.write(
        stage.cell, budget=upstream(dataset.name, [*settings.scores, *settings.ensemble]) | budget, metrics=rows,
        tables={"trials": table, "radii": of_radii}, examples=examples(study, table.loc[hits], images),
    )  # fmt: skip


def upstream(dataset: str, models: list[str]) -> dict[str, int]:
    """What was spent on the networks, all together."""
    spent: dict[str, int] = {}
    for model in dict.fromkeys(models):
        spent |= registry.trained(dataset, model)[1]["budget"]
    return spent


def examples(study: Any, hits: pd.DataFrame, images: np.ndarray) -> Arrays:
    """Images that fooled in the cube, `summary.SHOWN` of each score. hits: a row for each of the images (K, D)."""
    hits = hits.reset_index(drop=True)
    chosen = hits.groupby([*summary.SCORE], sort=False).head(summary.SHOWN).index.to_numpy()
    return {"image": pictures.rounded(images[chosen], study.dataset.shape)} | {
        name: hits.loc[chosen, name].to_numpy(str if name in summary.SCORE else int)
        for name in (*summary.SCORE, "target", "not_of_class")
    }
