"""From trainings, their held-out errors and the smallest changes of test images to the cell: numbers and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overgen.data import Dataset
from overgen.measures.outputs import part
from overgen.measures.pairs import over_seeds_row
from overgen.run.results import metric, rate_row
from overgen.stages.fool_lbfgs.summary import distortion

EXPERIMENT, MODEL = "adversarial_training", "fc100_100_10"  # as reported.csv has them
RMS = "rms pixel in [0,1]"
Arrays = Mapping[str, np.ndarray]
Outcomes = Mapping[tuple[str, int], Arrays]  # by training and seed, as the stage's `train` or `attack` gives them


def best(errors: Mapping[tuple[str, int], int]) -> dict[str, int]:
    """Of each training the number of its setting with the fewest errors, the first of equal ones.

    errors: by training and number of the setting.
    """
    names = dict.fromkeys(name for name, _ in errors)
    return {name: min((i for of, i in errors if of == name), key=lambda i: (errors[name, i], i)) for name in names}


def model_of(settings: Any) -> str:
    """The network's name: that of the papers' one for its units, fc<units>_<units>_10 else."""
    return "_".join(["fc" + str(settings.hidden[0]), *map(str, settings.hidden[1:]), "10"])


def rows(
    errors: Mapping[tuple[str, int], int],
    chosen: Mapping[str, int],
    trainings: Outcomes,
    trials: pd.DataFrame,
    settings: Any,
) -> list[dict[str, Any]]:
    """The numbers of the cell."""
    model, rows = model_of(settings), []

    def each(name: str, what: str) -> list[np.ndarray]:
        return [trainings[name, seed][what] for seed in settings.seeds]

    for name in settings.trainings:
        text = metric("held_out_error", training=name)
        count = errors[name, chosen[name]]
        rows.append(rate_row(EXPERIMENT, text, [count], settings.held_out, of="held-out images", model=model))
        for split in ("test", "train"):
            wrong = each(name, f"wrong_{split}")
            of = "training images" if split == "train" else "test images"
            text = metric(f"{split}_error", training=name)
            rows.append(rate_row(EXPERIMENT, text, [int(w.sum()) for w in wrong], len(wrong[0]), of=of, model=model))
        own = trials[trials["training"] == name]
        found = [int(count) for count in own.groupby("seed")["found"].sum()[settings.seeds]]
        rms = [own.loc[(own["seed"] == s) & own["found"], "distortion"].to_numpy() for s in settings.seeds]
        text = metric("fooling_rate", training=name)
        rows.append(rate_row(EXPERIMENT, text, found, settings.images, of="images", model=model))
        text = metric("mean_distortion", training=name)
        rows.append(over_seeds_row(EXPERIMENT, text, rms, unit=RMS, of="images", model=model))
    for i, name in enumerate(settings.trainings):
        for than in list(settings.trainings)[:i]:
            less = [
                100.0 * (a.astype(float) - b)
                for a, b in zip(each(name, "wrong_test"), each(than, "wrong_test"), strict=True)
            ]
            text = metric("error_difference", training=name, than=than)
            rows.append(over_seeds_row(EXPERIMENT, text, less, unit="percentage points", of="pairs", model=model))
            text = metric("distortion_difference", training=name, than=than)
            farther = pairs(trials, name, than, settings.seeds)
            rows.append(over_seeds_row(EXPERIMENT, text, farther, unit=RMS, of="pairs", model=model))
    return rows


def pairs(trials: pd.DataFrame, name: str, than: str, seeds: list[int]) -> list[np.ndarray]:
    """By seed the distortions of one training minus those of another on the same images, where both were found."""
    differences = []
    for seed in seeds:
        both = [
            trials[(trials["training"] == each) & (trials["seed"] == seed)].set_index("index")["distortion"]
            for each in (name, than)
        ]
        differences.append((both[0] - both[1]).dropna().to_numpy())
    return differences


def settings_table(errors: Mapping[tuple[str, int], int], chosen: Mapping[str, int], settings: Any) -> pd.DataFrame:
    """A row a setting: training, setting, its options as text, held-out images, wrong, and whether it is taken."""
    table = [
        [
            name,
            i,
            settings.trainings[name][i].model_dump_json(exclude_defaults=True),
            settings.held_out,
            wrong,
            chosen[name] == i,
        ]
        for (name, i), wrong in errors.items()
    ]
    return pd.DataFrame(table, columns=["training", "setting", "options", "held_out", "wrong", "taken"])


def curves(trainings: Outcomes) -> pd.DataFrame:
    """A row a training, seed and epoch; `found` and `distortion` of its pool's renewal where it has one."""
    parts = [pd.DataFrame(part(arrays, "curve")).assign(training=name, seed=seed)
             for (name, seed), arrays in trainings.items()]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    first = ["training", "seed", "epoch", "loss", "accuracy"]
    return table[[*first, *(name for name in ("found", "distortion") if name in table)]].astype({"epoch": int})


def errors_table(trainings: Outcomes) -> pd.DataFrame:
    """A row a training and seed: how many test and training images are labelled wrong."""
    table = [
        [
            name,
            seed,
            *(
                count
                for split in ("test", "train")
                for count in (int(arrays[f"wrong_{split}"].sum()), len(arrays[f"wrong_{split}"]))
            ),
        ]
        for (name, seed), arrays in trainings.items()
    ]
    return pd.DataFrame(table, columns=["training", "seed", "test_wrong", "test_images", "train_wrong", "train_images"])


def trials(outcomes: Outcomes, source: Dataset) -> pd.DataFrame:
    """A row an image attacked: training, seed, index, label, target, found, distortion, c and score."""
    parts = [
        pd.DataFrame(
            {
                "training": name,
                "seed": seed,
                "index": arrays["index"],
                "label": source.test_labels.numpy()[arrays["index"]],
                "target": arrays["target"],
                "found": arrays["fooled"],
                "distortion": distortion(arrays, source),
                "c": arrays["c"],
                "score": arrays["score"],
            }
        )
        for (name, seed), arrays in outcomes.items()
    ]
    return pd.concat(parts, ignore_index=True)
