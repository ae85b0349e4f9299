"""The report of a small made-up study: its cells are drawn here, from a seeded generator, and are nobody's results."""

import re
import shutil
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from overgen import OvergenError
from overgen.measures.intervals import mean_interval, wilson
from overgen.report import assumptions, budgets, compare, grid, names, readme, reported, tables
from overgen.report.budgets import budget_text
from overgen.report.build import build_report
from overgen.report.html import embedded, html
from overgen.run.files import directory_md5, read_json, write_csv, write_json, write_npz
from overgen.stages.evaluate_fooling import report as evaluate_fooling_report
from overgen.stages.evaluate_oneclass import report as evaluate_oneclass_report
from overgen.stages.evaluate_openset import report as evaluate_openset_report
from overgen.stages.fool_evolution import report as fool_evolution_report
from overgen.stages.fool_fgn import report as fool_fgn_report
from overgen.stages.fool_gradient import report as fool_gradient_report
from overgen.stages.fool_lbfgs import report as fool_lbfgs_report
from overgen.stages.report import tables as report_tables
from overgen.stages.search_choices import report as search_choices_report

ROOT = Path(__file__).parents[1]
MODELS: dict[str, Any] = {
    "classifiers": ["cnn", "cool"],
    "autoencoders": ["autoencoder", "dae_sym"],
    "attacked": ["cnn", "cool", "dae_sym"],
    "evolved": ["cnn", "cool", "dae_sym"],
    "retrained": ["cnn"],
    "openset_models": ["cnn", "dae_sym"],
    "perceptrons": ["perceptrons"],
    "scored": ["cnn", "dae_sym"],
    "oneclass_models": ["cool", "dae_sym", "ocsvm"],
}
FOOLED = {"cnn": 40, "cool": 12, "dae_sym": 0}  # of 40 trials, attack on y
SETTINGS = {"training.mnist.batch_size": 37, "confidence.mnist.thresholds": [{"tau": 0.9, "alpha": 20.0}]}


def row(experiment: str, metric: str, value: float | None, unit: str, n: int, **more: Any) -> dict[str, Any]:
    empty = {"tau": None, "low": None, "high": None, "interval": "none", "note": ""}
    return {"experiment": experiment, "metric": metric, "unit": unit, "reproduced": value, "n": n} | empty | more


def rate(experiment: str, metric: str, k: int, n: int, **more: Any) -> dict[str, Any]:
    low, high = wilson(k, n)
    interval = {"low": 100 * low, "high": 100 * high, "interval": f"95 % Wilson over {n}; seed spread not measured"}
    return row(experiment, metric, 100 * k / n, "percent", n, **interval, **more)


def write_cell(
    root: Path, dataset: str, stage: str, model: str, budget: dict[str, int], metrics: list[dict[str, Any]]
) -> Path:
    folder = root / dataset / stage / model
    summary = {"dataset": dataset, "stage": stage, "model": model, "budget": budget, "metrics": metrics}
    write_json(folder / "metrics.json", summary)
    return folder


def digit(draw: np.random.Generator, *shape: int) -> np.ndarray:
    """Blobs that look like something, (..., 28, 28) in [0, 1]."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    centres = draw.uniform(-0.5, 0.5, (*shape, 2, 1, 1))
    return np.exp(-6 * ((x - centres[..., 0, :, :]) ** 2 + (y - centres[..., 1, :, :]) ** 2)).astype(np.float32)


def write_study(root: Path, dataset: str = "mnist", *, full: bool = False, classes: int = 10) -> None:
    """The cells of one data set. full: at the papers' budget."""
    draw = np.random.default_rng(7)
    epochs = 100 if full else 10

    def trained(stage: str) -> dict[str, int]:
        return {f"{stage}.{dataset}.epochs": epochs, f"{stage}.{dataset}.seeds": 1}

    for stage, models in (("train_classifier", MODELS["classifiers"]), ("train_autoencoder", MODELS["autoencoders"])):
        for model in models:
            plain = model == "autoencoder"
            rows = (
                [row("ae_anomaly", "mean_bce", 0.1234, "nats per pixel", 10_000, note="seed spread not measured")]
                if plain
                else [rate("train", "test_accuracy", 9921, 10_000)]
            )
            folder = write_cell(root, dataset, stage, model, trained(stage), rows)
            curve = np.linspace(1, 0.1, 6)
            nothing = 0 * curve
            write_csv(folder / "curves.csv", pd.DataFrame({
                "seed": 0, "epoch": range(6), "loss": curve, "classification_loss": nothing if plain else curve,
                "reconstruction_loss": curve / 9 if stage == "train_autoencoder" else nothing,
                "accuracy": nothing if plain else 1 - curve / 3,
            }))  # fmt: skip
            if stage == "train_autoencoder":
                clean = (255 * digit(draw, classes)).astype(np.uint8)
                noisy = np.clip(clean + draw.normal(0, 50, clean.shape), 0, 255).astype(np.uint8)
                write_npz(folder / "examples.npz", clean=clean, noisy=noisy, restored=clean, restored_clean=clean,
                          labels=np.arange(classes))  # fmt: skip
    for model in MODELS["attacked"]:
        upstream = trained("train_autoencoder" if model == "dae_sym" else "train_classifier")
        updates = 10_000 if full else 500
        budget = upstream | {f"fool_fgn.{dataset}.trials": 20, f"fool_fgn.{dataset}.updates": updates}
        write_fgn(root, dataset, model, budget, draw, classes)
        budget = upstream | {f"fool_evolution.{dataset}.runs": 2, f"fool_evolution.{dataset}.generations": 40}
        write_evolution(root, dataset, model, budget, draw, classes)
        budget = upstream | {
            f"fool_gradient.{dataset}.{name}": n for name, n in (("restarts", 1), ("attacks", 2), ("updates", 200))
        }
        write_gradient(root, dataset, model, budget, draw, classes)
        write_confidence(root, dataset, model, upstream)
        others = [other for other in MODELS["attacked"] if other != model]
        write_cell(
            root,
            dataset,
            "evaluate_fooling",
            model,
            upstream,
            [
                rate("witness", f"{metric}@attack={attack}@attacked={other}", k, 8, tau=0.9)
                for attack, other in product(("fgn", "gradient"), others)
                for metric, k in (("seen_as_target_rate", 5), ("accepted_as_target_rate", 2))
            ],
        )
    for model in MODELS["retrained"]:
        write_retraining(root, dataset, model, draw, classes)
    for model in MODELS["openset_models"]:
        budget = {f"train_openset.{dataset}.epochs": epochs, f"train_openset.{dataset}.subsets": 10 if full else 2}
        write_openset(root, dataset, model, budget, draw)
        write_scores(root, dataset, model, budget, draw)
    counts = [row("fooling_images", f"images@attack={attack}@attacked={model}", 1000.0 + k, "images", 3000)
              for k, (attack, model) in enumerate(product(("fgn", "evolution"), MODELS["attacked"]))]  # fmt: skip
    write_cell(root, dataset, "collect_fooling", "attacked", {}, counts)
    write_perceptrons(root, dataset, draw)
    for model in MODELS["oneclass_models"]:
        budget = {f"train_oneclass.{dataset}.epochs": epochs} if model != "ocsvm" else {}
        budget |= {f"train_oneclass.{dataset}.classes": 10 if full else 5}
        write_oneclass(root, dataset, model, budget, draw, classes)
    budget = {f"train_oneclass.{dataset}.classes": 10 if full else 5}
    kept = [row("one_class", f"auroc@score={name}", 0.9, "fraction", classes, low=0.85, high=0.95)
            for name in ("knn_pixels", "other_uniform_pixels")]  # fmt: skip
    write_cell(root, dataset, "evaluate_oneclass_scores", "pixels", budget, kept)


def write_fgn(
    root: Path, dataset: str, model: str, budget: dict[str, int], draw: np.random.Generator, classes: int
) -> None:
    reconstructs = model == "dae_sym"
    pairs = [(0.9, 20), (0.99, 3), (0.99, 2)] if reconstructs else [(0.9, 0), (0.99, 0)]
    table = pd.DataFrame({"seed": 0, "objective": "y", "objective_alpha": np.nan, "target": np.arange(40) % classes,
                          "trial": np.arange(40) // classes})  # fmt: skip
    metrics = []
    k = FOOLED[model]
    steps = np.sort(draw.integers(40, 400, k)).astype(float)
    for i, (tau, alpha) in enumerate(pairs):
        name = "@alpha=2" if alpha == 2 else ""
        steps = steps + 60 * (i > 0)
        table[f"step@tau={tau:g},alpha={alpha}"] = pd.array([*steps, *[None] * (40 - k)], dtype="Int64")
        metrics.append(rate("fgn", f"fooling_rate{name}", k, 40, tau=tau))
        metrics.append(rate("fgn", f"fooling_rate_in_8_bits{name}", k // 2, 40, tau=tau))
        fooled_classes = table["target"][:k].nunique() if i == 0 else min(k, 3)
        metrics.append(row("fgn", f"classes_fooled{name}", float(fooled_classes), "classes", classes, tau=tau))
        ends = (3.5, 96.5) if 0 < k < 40 else (None, None)
        metrics.append(row("fgn", f"fooling_rate_over_classes{name}", k * 2.5, "percent", classes, tau=tau,
                           low=ends[0], high=ends[1], interval="95 % t interval" if ends[0] else "none"))  # fmt: skip
        low, high = (mean_interval(steps) if k else None) or (None, None)
        mean = float(steps.mean()) if k else None
        metrics.append(row("fgn", f"mean_steps_to_fool{name}", mean, "updates", k, tau=tau, low=low, high=high,
                           interval="95 % t interval" if k else "none"))  # fmt: skip
    objectives = ["y"]
    if reconstructs:
        objectives.append("scaled")
        metrics.append(rate("fgn_on_scaled_output", "fooling_rate", 0, 40, tau=0.99))
        metrics.append(rate("fgn_on_scaled_output", "fooling_rate_in_8_bits", 0, 40, tau=0.99))
        metrics.append(row("fgn_on_scaled_output", "mean_steps_to_fool", None, "updates", 0, tau=0.99))
        metrics.append(rate("curvature", "gamma_positive_rate@test", 0, 10_000))
    if model == "cnn":
        metrics.append(rate("fgn_lr_1e-3", "fooling_rate", 39, 40, tau=0.9))
        metrics.append(row("fgn_lr_1e-3", "mean_steps_to_fool", 2.5, "updates", 39, tau=0.9, low=2.0, high=3.0,
                           interval="95 % t interval"))  # fmt: skip
    folder = write_cell(root, dataset, "fool_fgn", model, budget, metrics)
    write_csv(folder / "trials.csv", table.assign(final_log_y=-0.1, final_distance=np.nan, final_gamma=np.nan))
    shape = (len(objectives), classes)
    fooled = np.broadcast_to(np.arange(classes) < classes * k / 40, shape)
    image = digit(draw, *shape) + 0.2 * draw.random((*shape, 28, 28))
    write_npz(
        folder / "examples.npz", objective=np.array(objectives), image=image,
        score=np.where(fooled, 0.99972, 3.1e-7), fooled=fooled, step=np.where(fooled, 77, -1),
        tau=np.array([0.9, 0.99][: len(objectives)]), alpha=np.array([20.0, 3.0][: len(objectives)]),
    )  # fmt: skip


def write_gradient(
    root: Path, dataset: str, model: str, budget: dict[str, int], draw: np.random.Generator, classes: int
) -> None:
    """From noise every trial fools in 7 updates, from the mean image none does."""
    pairs = [(0.9, 20.0), (0.99, 3.0), (0.99, 2.0)] if model == "dae_sym" else [(0.9, 0.0), (0.99, 0.0)]
    metrics, parts = [], []
    for (tau, alpha), start in product(pairs, ("noise", "mean_image")):
        name, k = f"@start={start}" + ("@alpha=2" if alpha == 2 else ""), classes if start == "noise" else 0
        metrics.append(rate("gradient", f"fooling_rate{name}", k, classes, tau=tau))
        metrics.append(rate("gradient", f"fooling_rate_in_8_bits{name}", k // 2, classes, tau=tau))
        metrics.append(row("gradient", f"mean_steps_to_fool{name}", 7.0 if k else None, "updates", k, tau=tau))
        if k:
            metrics.append(rate("gradient", f"nearest_is_target_rate{name}", 3, k, tau=tau))
        parts.append(pd.DataFrame({"seed": 0, "tau": tau, "alpha": alpha, "start": start, "target": range(classes),
                                   "trial": 0, "step": pd.array([7 if k else None] * classes, "Int64")}))  # fmt: skip
    folder = write_cell(root, dataset, "fool_gradient", model, budget, metrics)
    write_csv(folder / "trials.csv", pd.concat(parts))
    shape = (len(parts), classes)
    first = [part.iloc[0] for part in parts]
    write_npz(
        folder / "examples.npz", image=digit(draw, *shape), score=draw.random(shape),
        **{k: np.array([f[k] for f in first]) for k in ("tau", "alpha", "start")},
        fooled=np.broadcast_to(np.array([f["start"] == "noise" for f in first])[:, None], shape),
    )  # fmt: skip


def write_evolution(
    root: Path, dataset: str, model: str, budget: dict[str, int], draw: np.random.Generator, classes: int
) -> None:
    metrics = [row(f"evolution_{encoding}", "median_confidence@generation=40", 98.7654, "percent", 20, low=91.0,
                   high=99.9, interval="quartiles") for encoding in ("direct", "cppn")]  # fmt: skip
    metrics.append(rate("evolution_direct", "fooling_rate", 5, 20, tau=0.99))
    metrics.append(rate("test_error", "test_error", 79, 10_000))
    folder = write_cell(root, dataset, "fool_evolution", model, budget, metrics)
    generation = np.arange(0, 41, 2)
    median = 1 - np.exp(-generation / (8 if model == "cnn" else 20))
    quartiles = {"median": median, "q25": median**2, "q75": np.sqrt(median), "min": median**4}
    table = pd.DataFrame({"encoding": "direct", "generation": generation, "seed": 0} | quartiles)
    write_csv(folder / "generations.csv", pd.concat([table, table.head(9).assign(encoding="cppn")]))
    encodings, stored = np.array(["direct"] * 3 + ["cppn"] * 2), np.array([0, 10, 40, 0, 7])
    write_npz(folder / "examples.npz", encoding=encodings, generation=stored,
              image=draw.random((5, classes, 28, 28)), confidence=draw.random((5, classes)))  # fmt: skip


def write_retraining(root: Path, dataset: str, model: str, draw: np.random.Generator, classes: int) -> None:
    metrics = []
    for k, encoding in product(range(3), ("direct", "cppn")):
        name, experiment = f"@round={k}", f"retraining_{encoding}"
        metrics.append(row(experiment, f"median_confidence{name}", 97.5 - k, "percent", 40, low=90.0, high=99.0))
        metrics.append(rate(experiment, f"test_error{name}", 90 + k, 10_000))
        metrics.append(row(experiment, f"fooling_images{name}", 1000.0 * k, "images", 2))
        if k:
            metrics.append(row(experiment, f"recognised_rate{name}", 99.25, "percent", 2000 * k))
    folder = write_cell(
        root, dataset, "retrain_on_fooling", model, {f"retrain_on_fooling.{dataset}.rounds": 2}, metrics
    )
    write_npz(folder / "examples.npz", encoding=np.array(["direct"] * 3 + ["cppn"] * 3), round=np.arange(6) % 3,
              image=digit(draw, 6, classes), confidence=draw.random((6, classes)))  # fmt: skip


def write_confidence(root: Path, dataset: str, model: str, budget: dict[str, int]) -> None:
    metrics = [row("confidence", "calibration_error", 0.0123, "fraction", 10_000),
               rate("confidence", "noise_accepted@uniform-noise", 7, 1000, tau=0.9)]  # fmt: skip
    metrics += [
        rate("fgn", "thresholded_accuracy", k, 10_000, tau=t) for t, k in ((0.0, 9930), (0.9, 9911), (0.99, 9700))
    ]
    folder = write_cell(root, dataset, "evaluate_confidence", model, budget, metrics)
    score = np.linspace(0.05, 0.95, 10)
    bins = pd.DataFrame({"seed": 0, "alpha": np.nan, "low": score - 0.05, "high": score + 0.05,
                         "images": [4, *[20] * 9], "score": score, "accuracy": score**0.7})  # fmt: skip
    if model != "dae_sym":
        write_csv(folder / "reliability.csv", bins)
        return
    write_csv(folder / "reliability.csv", pd.concat([bins, bins.assign(alpha=20.0, accuracy=score**0.5)]))
    edges = np.linspace(0, 9, 31)
    kinds = {"test images": 2.5, "uniform noise": 7.0, "normal noise": 5.0}
    parts = [pd.DataFrame({"kind": kind, "low": edges[:-1], "high": edges[1:],
                           "count": (1000 * np.exp(-((edges[1:] - centre) ** 2))).astype(int)})
             for kind, centre in kinds.items()]  # fmt: skip
    write_csv(folder / "distances.csv", pd.concat(parts))
    write_csv(folder / "radii.csv", pd.DataFrame({"tau": [0.9, 0.99], "alpha": [20, 3], "distance": [4.13, 2.63]}))


def write_openset(root: Path, dataset: str, model: str, budget: dict[str, int], draw: np.random.Generator) -> None:
    metrics, trials = [], []
    for known in (1, 5, 10):
        values = np.clip(0.09 * known + (0.3 if model == "dae_sym" else 0.05) * draw.random(2), 0, 1)
        low, high = mean_interval(values, bounds=(0, 1)) or (None, None)
        metrics.append(row("open_set", f"f_measure@known={known}", float(values.mean()), "fraction", 2, tau=0.99,
                           low=low, high=high, interval="95 % t interval of the mean over subsets"))  # fmt: skip
        if known < 10:
            metrics.append(row("open_set", f"auroc@known={known}", 0.875, "fraction", 2, tau=0.99, low=0.8, high=0.9))
            metrics.append(row("open_set", f"fpr_at_95_tpr@known={known}", 31.5, "percent", 2, tau=0.99))
        trials += [
            {"known": known, "subset": i, "classes": "0", "tau": 0.99, "alpha": alpha, "openness": 0.0,
             "f_measure": value, "thresholded_accuracy": 0.9, "auroc": np.nan}
            for i, value in enumerate(values) for alpha in ((3, 2) if model == "dae_sym" else (0,))
        ]  # fmt: skip
    if (dataset, model) == ("mnist", "cnn"):  # five known classes again, for longer
        own = {"budget": budget | {f"train_openset.{dataset}.epochs": 100}, "tau": 0.99}
        for name, value, low, high in (("longer", 0.4, 0.35, 0.45), ("gain", -0.05, -0.1, -0.001)):
            for measure in ("f_measure", "auroc"):
                metrics.append(
                    row("open_set_longer", f"{measure}_{name}@known=5", value, "fraction", 2, low=low, high=high, **own)
                )
    folder = write_cell(root, dataset, "evaluate_openset", model, budget, metrics)
    write_csv(folder / "trials.csv", pd.DataFrame(trials))
    if model == "dae_sym":
        known = {"known": 5, "low": [0.0, 1.0], "high": [1.0, 2.0]}
        parts = [pd.DataFrame({"kind": f"{kind} classes", "count": [3, 1]} | known) for kind in ("known", "unknown")]
        write_csv(folder / "distances.csv", pd.concat(parts))
    write_cell(
        root,
        dataset,
        "train_openset",
        model,
        budget,
        [row("train_openset", "known_accuracy@known=1", 100.0, "percent", 2)],
    )


SCORES = {"cnn": ["softmax", "knn", "pca_pixels"], "dae_sym": ["scaled_output_alpha20", "knn"]}


def write_scores(root: Path, dataset: str, model: str, budget: dict[str, int], draw: np.random.Generator) -> None:
    """Open-set scores: neighbours always best, then the others in the order of `SCORES`."""
    from overgen.measures import histograms, separation
    from overgen.stages.evaluate_scores import run as evaluate_scores

    trials = pd.DataFrame(
        [{"known": known, "subset": subset, "method": method, "threshold": 0.5}
         | dict.fromkeys([*separation.MEASURES, "known_accepted", *(f"auroc_{kind}" for kind in separation.KINDS)],
                         np.nan if known == 10 else 0.9 - 0.1 * (method != "knn") - 0.1 * i - 0.01 * draw.random())
         for known in (1, 5, 10) for subset in range(2) for i, method in enumerate(SCORES[model])]
    )  # fmt: skip
    folder = write_cell(root, dataset, "evaluate_scores", model, budget, evaluate_scores.means(trials))
    write_csv(folder / "trials.csv", trials)
    kinds = {"known classes": draw.normal(2, 1, 500), "unknown classes": draw.normal(0, 1, 500),
             "uniform noise": draw.normal(-2, 0.2, 90), "normal noise": draw.normal(-1, 0.2, 90)}  # fmt: skip
    parts = [
        histograms.histogram(kinds, 20, span=list(kinds)).assign(method=method, known=5) for method in SCORES[model]
    ]
    write_csv(folder / "histograms.csv", pd.concat(parts))
    names = [*range(5), -1]
    counts = [(t, a, int(draw.integers(9)) + 90 * (t == a), m) for m in SCORES[model] for t in names for a in names]
    write_csv(folder / "confusion.csv", pd.DataFrame(counts, columns=["truth", "answer", "count", "method"]))
    shape = (len(SCORES[model]), 2, 10)
    write_npz(folder / "examples.npz", method=np.array(SCORES[model]), known=np.arange(5),
              kind=np.array(["unknown, most confident", "known, least confident"]),
              image=(255 * digit(draw, *shape)).astype(np.uint8), label=np.zeros(shape, int), score=np.zeros(shape),
              predicted=np.zeros(shape, int))  # fmt: skip


def write_perceptrons(root: Path, dataset: str, draw: np.random.Generator) -> None:
    """Two networks: the first of them with the paper's test error, the second with the double of its distortion."""
    budget = {f"train_perceptrons.{dataset}.epochs": 3}
    errors = [rate("lbfgs", "test_error", k, 10_000, model=m) for m, k in (("fc10_1", 2000), ("ae400_10", 300))]
    write_cell(root, dataset, "train_perceptrons", "perceptrons", budget, errors)
    metrics, transfer, stability = [], [], []
    for name, value in (("fc10_1", 0.14), ("ae400_10", 0.172)):
        ends = {"low": value - 0.01, "high": value + 0.01, "interval": "95 % t interval of the mean over images"}
        metrics.append(row("lbfgs", "mean_distortion", value, "rms pixel in [0,1]", 9, **ends, model=name))
        metrics.append(rate("lbfgs_noise", "label_changed", 1, 90, model=name))
        metrics.append(rate("lbfgs_noise", "label_changed@rms=0.1", 2, 90, model=name))
        metrics.append(row("stability", "epsilon", 0.00123, "a pixel", 20, low=0.001, high=0.002, model=name))
        metrics.append(row("stability", "unexplained", 7.5, "percent", 20, model=name))
        metrics.append(row("stability", "largest_gap", -12.0, "percentage points", 20, note="at n = 784", model=name))
        for judge, wrong in (("fc10_1", 4), ("ae400_10", 3)):
            for kind, suffix in (("unchanged", "@rms=0"), ("smallest", ""), ("magnified", "@rms=0.1")):
                metrics.append(rate("lbfgs_transfer", f"error@made_for={name}{suffix}", wrong, 9, model=judge))
                transfer.append([name, judge, kind, 9, wrong])
        stability += [[name, n, 20, kept, 0.9] for n, kept in ((1, 20), (784, 2))]
    folder = write_cell(
        root, dataset, "fool_lbfgs", "perceptrons", budget | {f"fool_lbfgs.{dataset}.images": 9}, metrics
    )
    write_csv(folder / "transfer.csv", pd.DataFrame(transfer, columns=["made_for", "judge", "images", "n", "wrong"]))
    write_csv(folder / "stability.csv",
              pd.DataFrame(stability, columns=["network", "pixels", "images", "kept", "fitted"]))  # fmt: skip
    original = (255 * digit(draw, 2, 5)).astype(np.uint8)
    image = np.clip(original / 255 + draw.normal(0, 0.05, original.shape), 0, 1).astype(np.float32)
    write_npz(folder / "examples.npz", network=np.array(["fc10_1", "ae400_10"]), image=image, original=original,
              label=np.zeros((2, 5), int), target=np.ones((2, 5), int), score=np.full((2, 5), 0.6),
              fooled=np.ones((2, 5), bool))  # fmt: skip


def write_oneclass(
    root: Path, dataset: str, model: str, budget: dict[str, int], draw: np.random.Generator, classes: int
) -> None:
    """Means near the paper's for COOL and the SVM, far from it for the dAE."""
    mean = {"cool": 0.75, "dae_sym": 0.80, "ocsvm": 0.95}[model]
    kind = {"interval": "95 % t interval of the mean over classes"}
    metrics, trials, curves = [], [], []
    fpr = np.linspace(0, 1, 21)
    for suffix in ("", "@score=scaled", "@score=scaled@alpha=3", "@score=distance") if model == "dae_sym" else ("",):
        low, high = mean - 0.02, mean + 0.02
        metrics.append(row("one_class", f"auroc{suffix}", mean, "fraction", classes, low=low, high=high, **kind))
        metrics.append(row("one_class", f"fpr_at_95_tpr{suffix}", 31.5, "percent", classes))
        aurocs = np.clip(mean + 0.04 * draw.standard_normal(classes), 0, 1)
        trials.append(pd.DataFrame({"class": range(classes), "name": range(classes), "score": suffix, "auroc": aurocs}))
        tpr = fpr ** (1 / mean - 1)
        curves.append(pd.DataFrame({"score": suffix, "fpr": fpr, "tpr": tpr, "low": 0.9 * tpr, "high": tpr**0.9}))
    if model != "ocsvm":
        metrics.append(row("one_class", "elsewhere_rate", 0.0, "percent", classes))
    if model == "dae_sym":
        metrics.append(row("one_class", "gamma_positive_rate", 0.0, "percent", classes))
    folder = write_cell(root, dataset, "evaluate_oneclass", model, budget, metrics)
    write_csv(folder / "trials.csv", pd.concat(trials))
    write_csv(folder / "roc.csv", pd.concat(curves))
    write_cell(root, dataset, "train_oneclass", model, budget, [row("train_oneclass", "x", 1.0, "loss", classes)])


def build(folder: Path, dataset: str = "mnist", **more: Any) -> Path:
    output = folder / "reports" / dataset
    paper = ROOT / "budgets/paper.txt"
    build_report(folder / "reports/cells", output, dataset, **(MODELS | more), paper=paper, dpi=60, settings=SETTINGS)
    return output


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not rendered, for tests of what is written about them."""

    def write_empty(figure: Any, folder: Path, name: str, *, dpi: int) -> None:
        (folder / f"{name}.png").write_bytes(b"")
        (folder / f"{name}.svg").write_text('<svg width="300pt"/>')
        figures.plt.close(figure)

    monkeypatch.setattr(figures, "save", write_empty)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the made-up cells of mnist and the report drawn from them."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_study(folder / "reports/cells")
        build(folder)
    return folder


@pytest.fixture
def frame(study: Path) -> pd.DataFrame:
    return tables.read_reproduced(study / "reports/mnist/reproduced.csv")


def cell_numbers(study: Path) -> pd.DataFrame:
    """Every measured number of the cells, from their metrics.json alone."""
    rows = []
    for path in sorted((study / "reports/cells/mnist").glob("*/*/metrics.json")):
        found = read_json(path)
        rows += [{"model": found["model"], **r, "stage": found["stage"]} for r in found["metrics"]]
    return pd.DataFrame(rows)


def test_every_measured_number_is_in_reproduced_csv(study: Path, frame: pd.DataFrame) -> None:
    numbers = cell_numbers(study)
    key = ["experiment", "model", "metric"]
    wanted = [(*r[key], "" if pd.isna(r["tau"]) else f"{r['tau']:g}", r["stage"]) for _, r in numbers.iterrows()]
    there = list(zip(*(frame[name] for name in [*key, "tau"]), frame["cell"].str.split("/").str[3], strict=True))
    assert set(there) == set(wanted)
    assert list(frame.columns) == [
        *reported.COLUMNS, "reproduced", "low", "high", "n", "budget", "verdict", "cell", "md5"
    ]  # fmt: skip
    # One row each, but for the rate that two sources report.
    assert len(frame) == len(numbers) + 1
    for row in frame.to_dict("records"):
        same = numbers[
            (numbers["metric"] == row["metric"]) & (numbers["model"] == row["model"])
            & (numbers["experiment"] == row["experiment"])
            & (numbers["tau"].isna() if row["tau"] == "" else numbers["tau"] == float(row["tau"] or 0))
        ]  # fmt: skip
        assert len(same) == 1
        for name in ("reproduced", "low", "high"):
            assert row[name] == pytest.approx(same[name].astype(float).iloc[0], nan_ok=True, rel=0, abs=0)
        assert row["unit"] == same["unit"].iloc[0]
        assert row["md5"] == directory_md5(study / row["cell"])


def test_a_rate_says_in_which_classes_it_is_not_zero(frame: pd.DataFrame) -> None:
    """Only where some classes fool and others do not: of COOL at τ = 0.99 three do, of the dAE none."""
    rows = frame[(frame["metric"] == "classes_fooled") & (frame["tau"] == "0.99")].set_index("model")
    text = f"in 3 of {rows.loc['cool', 'n']} classes"
    assert fool_fgn_report.fooling(frame, ["cool"]).markdown.count(text) == 1
    assert fool_fgn_report.variants(frame, ["cnn"]).markdown.count(text) == 1
    assert "classes" not in fool_fgn_report.fooling(frame, ["dae_sym"]).markdown
    assert fool_fgn_report.fooling(frame, ["cool"]).markdown.count("over classes [3.5–96.5]") == 2  # at both τ


def test_what_still_fools_in_8_bits_stands_beside_what_fools(frame: pd.DataFrame) -> None:
    """Of 40 trials COOL's 12 fool and 6 do as pictures; the dAE has a line for the attack on ỹ, at its τ only."""
    table = fool_fgn_report.in_8_bits(frame, ["cool", "dae_sym"])
    _, _, cool, *dae = table.markdown.split("\n")
    cells = [cell.strip().split(" [")[0] for cell in cool.split("|")[1:-1]]
    assert cells[:2] == ["**COOL**", "y"]
    assert [float(cell.split()[0]) for cell in cells[2:]] == [30, 15, 30, 15]
    assert [line.split("|")[2].strip() for line in dae] == ["y", "ỹ"]
    assert dae[1].split("|")[3].strip() == dae[1].split("|")[4].strip() == "–"
    assert set(table.rows["metric"]) == {"fooling_rate", "fooling_rate_in_8_bits"}
    assert fool_fgn_report.in_8_bits(frame, ["lenet"]).markdown == ""


def test_what_an_evolution_came_to_stands_by_encoding(frame: pd.DataFrame) -> None:
    """The test error first, then each encoding once, also where the cell's rows come in another order."""
    table = fool_evolution_report.evolution(frame, ["cnn"]).markdown.split("\n")[2:]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    assert [(line[1], line[2]) for line in lines] == [
        ("–", "test error"), ("direct", "median confidence, generation = 40"),
        ("", "trials that fool, τ\u00a0=\u00a00.99"), ("CPPN", "median confidence, generation = 40")
    ]  # fmt: skip


def test_reported_numbers_stand_beside_theirs(frame: pd.DataFrame) -> None:
    found = tables.find(frame, "fgn", "cool", "fooling_rate", "0.9")
    assert found is not None
    assert (found["value"], found["source"], found["where"]) == ("34.5", "spigler2019", "Table 1")
    mine = frame[(frame["experiment"] == "fgn") & (frame["model"] == "cool")]
    both = mine[(mine["metric"] == "fooling_rate") & (mine["tau"] == "0.99")]
    assert sorted(both["source"]) == ["kardan2017", "spigler2019"]
    other = both[both["source"] == "kardan2017"]["verdict"].iloc[0]
    assert other.startswith("not testable: sigmoid units")
    assert (frame[frame["source"] == ""]["verdict"] == "").all()
    assert (frame[frame["source"] != ""]["verdict"] != "").all()


def test_verdicts_below_the_papers_budget(frame: pd.DataFrame) -> None:
    def verdict(model: str, metric: str, tau: str, experiment: str = "fgn") -> str:
        found = tables.find(frame, experiment, model, metric, tau)
        assert found is not None
        return found["verdict"]

    frame = frame[frame["source"] != "szegedy2013"]  # which states no budget
    assert not frame["verdict"].isin(["reproduced", "not reproduced", "better than reported"]).any()
    assert verdict("cnn", "fooling_rate", "0.9") == "agrees at reduced budget"
    assert verdict("cool", "fooling_rate", "0.9") == "agrees at reduced budget"
    assert verdict("cool", "fooling_rate", "0.99") == "differs at reduced budget"
    assert verdict("cool", "thresholded_accuracy", "0.99") == "differs at reduced budget, better"
    assert verdict("dae_sym", "fooling_rate", "0.9") == "agrees at reduced budget"
    assert verdict("dae_sym", "mean_steps_to_fool", "0.99", "fgn_on_scaled_output").startswith("not testable: no trial")
    assert set(frame["budget"]) >= {
        "10 of 100 epochs, 1 seed, 20 trials a class, 500 of 10,000 updates",
        "10 of 100 epochs, 2 of 10 class subsets",
    }


@pytest.mark.usefixtures("undrawn")
def test_verdicts_at_the_papers_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "reports/cells", full=True)
    build(tmp_path, openset_models=[], scored=[], autoencoders=["dae_sym"])
    frame = tables.read_reproduced(tmp_path / "reports/mnist/reproduced.csv")
    found = frame[frame["experiment"] == "fgn"].set_index(["model", "metric", "tau"])
    assert found.loc[("cool", "fooling_rate", "0.9"), "verdict"] == "reproduced"
    assert found.loc[("cnn", "thresholded_accuracy", "0.99"), "verdict"] == "not reproduced"
    assert set(found["budget"]) == {"100 epochs, 1 seed", "100 epochs, 1 seed, 20 trials a class, 10,000 updates"}
    text = (tmp_path / "reports/mnist/report.md").read_text()
    assert "| COOL is fooled less often than CNN, τ = 0.9" in text
    assert re.search(r"COOL is fooled less often than CNN, τ = 0.9 .*\| reproduced ", text)
    assert re.search(r"COOL is fooled less often than CNN, τ = 0.99 .*\| direction only ", text)
    assert "unknown classes" not in text  # nothing was asked for, so nothing is drawn or missed
    assert not (tmp_path / "reports/mnist/figures/open_set.png").exists()


def test_the_text_shows_the_study(study: Path, frame: pd.DataFrame) -> None:
    text = (study / "reports/mnist/report.md").read_text()
    assert text.startswith("# Overgeneralisation on MNIST")
    assert "Table 1 of the paper" in text
    assert "seed spread not measured" in text
    assert "**Below the papers' budget**" in text
    assert "| batch size" in text.lower()
    assert "| 37" in text
    assert "(0.9, 20)" in text
    assert "`models.cool.output_std` of params.yaml" in text  # not given to the report: its place is named
    for cell in frame["cell"].unique():
        _, _, dataset, stage, model = cell.split("/")
        assert f"`dvc repro {stage}@{dataset}-{model}`" in text
        assert f"`{directory_md5(study / cell)}`" in text
    counts = {kind: int(n) for kind, n in re.findall(r"\| (?:\(?[✓✗▲]\)?|\?) +\| ([a-z, ]+?) +\| (\d+)", text)}
    assert sum(counts.values()) == (frame["verdict"] != "").sum()
    assert counts["agrees at reduced budget"] == (frame["verdict"] == "agrees at reduced budget").sum()
    papers = reported.load()
    joined = (frame["source"] != "").sum()
    missing = int(re.search(r"(\d+) numbers of the papers on MNIST have no counterpart", text)[1])  # type: ignore[index]
    assert missing == (papers["dataset"] == "mnist").sum() - joined
    for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        assert (study / "reports/mnist" / name).is_file()
    drawn = {path.stem for path in (study / "reports/mnist/figures").iterdir()}
    assert drawn == {Path(name).stem for name in re.findall(r"\]\((figures/[^)]+)\)", text)}
    assert {path.suffix for path in (study / "reports/mnist/figures").iterdir()} == {".svg", ".png"}


def test_what_stands_of_the_reported_rates(frame: pd.DataFrame) -> None:
    """The made-up gradient attacks fool all 10 trials from noise: more than 34.5 % and 0 %, as many as 100 %."""
    table = fool_gradient_report.robustness(frame, ["cnn", "cool", "dae_sym"]).markdown
    assert re.search(r"\*\*CNN\*\* +\| 0.9 .* 100.0 \[72.2–100.0\] +\| noise +\| does not differ", table)
    assert re.search(r"\*\*COOL\*\* +\| 0.9 +\| 34.5 .*\| noise +\| fooled more often", table)
    assert re.search(r"\*\*dAE sym\*\* +\| 0.99 +\| 0 .*\| noise +\| fooled more often", table)
    assert fool_gradient_report.robustness(frame[frame["experiment"] != "gradient"], ["cnn"]).markdown == ""


def test_a_row_may_have_a_budget_of_its_own(tmp_path: Path) -> None:
    """It is judged by that, while the other rows of its cell are judged by the cell's."""
    budget = {"train_classifier.mnist.epochs": 100, "fool_fgn.mnist.trials": 20, "fool_fgn.mnist.updates": 10_000}
    metrics = [rate("fgn", "fooling_rate", 200, 200, tau=tau) for tau in (0.9, 0.99)]
    metrics[1]["budget"] = {"fool_fgn.mnist.updates": 2_000}
    folder = write_cell(tmp_path, "mnist", "fool_fgn", "cnn", budget, metrics)
    grid = {"fool_fgn": {"cnn": grid.Cell("mnist", "fool_fgn", "cnn", folder)}}
    papers = reported.load()
    found = compare.compare(grid, papers, budgets.paper_budget(ROOT / "budgets/paper.txt")).set_index("tau")
    assert found.loc["0.9", "budget"] == "100 epochs, 20 trials a class, 10,000 updates"
    assert found.loc["0.99", "budget"] == "100 epochs, 20 trials a class, 2,000 of 10,000 updates"
    assert found.loc["0.9", "verdict"] == "reproduced"
    assert "reduced budget" in found.loc["0.99", "verdict"]
    metrics[1]["experiment"] = "fgn_on_scaled_output"
    folder = write_cell(tmp_path, "mnist", "fool_fgn", "cnn", budget, metrics)
    grid = {"fool_fgn": {"cnn": grid.Cell("mnist", "fool_fgn", "cnn", folder)}}
    lines = report_tables.budgets(grid, budgets.paper_budget(ROOT / "budgets/paper.txt")).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`fool_fgn`", "`fool_fgn`, on ỹ"]
    assert "| 2,000 of 10,000 updates" in lines[3]


def test_variants_stand_beside_the_attack_itself(frame: pd.DataFrame) -> None:
    table = fool_fgn_report.variants(frame, ["cnn", "cool", "dae_sym"])
    lines = [[part.strip() for part in line.split("|")[1:-1]] for line in table.markdown.splitlines()]
    assert lines[0][2:4] == ["fooled %, τ\u00a0=\u00a00.9", "mean steps, τ\u00a0=\u00a00.9"]
    assert [line[:2] for line in lines[2:]] == [["**CNN**", "as in the study"], ["", "learning rate 1e-3"]]
    assert lines[2][2].startswith("100 → 100.0 ")
    assert lines[3][2].startswith("100 → 97.5 ")
    assert lines[3][3].startswith("2.66 → 2.5 ")
    assert lines[3][4] == "–"  # not measured at 0.99
    assert names.variant_name("fgn_input_normal-initial_glorot") == "input normal, initial weights glorot"
    assert names.variant_name("fgn_updates_2000-initial_0.06") == "updates 2,000, initial weights 0.06"
    assert names.VARIANT.fullmatch("fgn_updates_2000-initial_0.06")
    assert fool_fgn_report.variants(frame[~frame["experiment"].str.startswith("fgn_lr")], ["cnn"]).markdown == ""


def test_networks_of_one_cell_stand_by_their_own_names(frame: pd.DataFrame) -> None:
    found = tables.find(frame, "lbfgs", "fc10_1", "test_error")
    assert found is not None
    assert (found["value"], found["source"], found["verdict"]) == ("20", "szegedy2013", "reproduced")
    assert found["cell"] == "reports/cells/mnist/train_perceptrons/perceptrons"
    assert "FC10(1)" in fool_lbfgs_report.smallest(frame).markdown
    distortion = tables.find(frame, "lbfgs", "ae400_10", "mean_distortion")
    assert distortion is not None
    assert distortion["verdict"] == "not reproduced"  # larger, but these networks defend nothing: no merit
    line = next(line for line in fool_lbfgs_report.smallest(frame).markdown.splitlines() if "AE400-10" in line)
    assert "0.086 → 0.172 ✗<br>[0.162–0.182]" in line


def test_errors_on_examples_made_for_others(frame: pd.DataFrame) -> None:
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in fool_lbfgs_report.transfer(frame).markdown.splitlines()
    ]
    assert lines[0] == ["made for", "distortion", "FC10(1), error %", "AE400-10, error %", "n"]
    assert lines[2] == ["FC10(1)", "smallest", "44.4", "33.3", "9"]
    assert [line[1] for line in lines[2:]] == ["smallest", "smallest", "0.1", "0.1"]  # not the unchanged ones
    assert "| -12.0 at n = 784" in fool_lbfgs_report.stability(frame).markdown


@pytest.mark.usefixtures("undrawn")
def test_a_data_set_without_perceptrons_does_not_mention_them(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(study / "reports/cells", tmp_path / "reports/cells")
    output = build(tmp_path, perceptrons=[])
    text = (output / "report.md").read_text().partition("## Reported, not measured")[0]
    assert not re.search("perceptron|smallest|FC10|AE400", text)
    assert not list(output.glob("*/*smallest*"))
    assert "The smallest distortion" in (study / "reports/mnist/report.md").read_text()


def test_one_class_beside_the_paper(study: Path, frame: pd.DataFrame) -> None:
    table = evaluate_oneclass_report.one_class(frame, [*MODELS["oneclass_models"], "pixels"])
    lines = [[part.strip() for part in line.split("|")[1:-1]] for line in table.markdown.splitlines()]
    assert lines[0] == ["", "score", "AUROC reported", "AUROC", "AUPR", "FPR at 95 % TPR, %"]
    assert [line[:3] for line in lines[2:]] == [
        ["**COOL**", "y", "0.753"],
        ["**dAE sym**", "c̃", "0.964"],
        ["", "ỹ", "–"],
        ["", "ỹ, α = 3", "–"],
        ["", "−‖r(x) − x‖₂", "–"],
        ["**OCSVM**", "decision function", "0.952"],
        ["**no network**", "nearest neighbours on pixels", "–"],
        ["", "an “other” class, noise on pixels", "–"],
    ]
    assert lines[2][3] == "0.750 (✓) [0.730–0.770]"
    assert lines[3][3] == "0.800 (✗) [0.780–0.820]"
    svm = tables.find(frame, "one_class", "ocsvm", "auroc")
    assert svm is not None
    assert (svm["verdict"], svm["budget"]) == ("agrees at reduced budget", "5 of 10 classes, each alone")
    text = (study / "reports/mnist/report.md").read_text()
    assert "## Figure 5: one class against all others" in text
    assert re.search(r"COOL tells one class from the others less well than OCSVM +\| 0.753 < 0.952", text)
    assert evaluate_oneclass_report.one_class(frame[frame["experiment"] != "one_class"], ["cool"]).markdown == ""


def test_open_set_without_a_threshold(frame: pd.DataFrame) -> None:
    table = evaluate_openset_report.open_set_apart(frame, ["cnn", "dae_sym"])
    lines = [[part.strip() for part in line.split("|")[1:-1]] for line in table.markdown.splitlines()]
    assert lines[0][2:5] == ["AUROC", "AUPR", "FPR at 95 % TPR, %"]
    assert [line[:2] for line in lines[2:]] == [["**CNN**", "5"], ["", "1"], ["**dAE sym**", "5"], ["", "1"]]
    assert lines[2][2:5] == ["0.875 [0.800–0.900]", "–", "31.50"]
    assert evaluate_openset_report.open_set_apart(frame[frame["experiment"] != "open_set"], ["cnn"]).markdown == ""


def test_open_set_after_a_longer_training(study: Path, frame: pd.DataFrame) -> None:
    table = evaluate_openset_report.open_set_longer(frame, ["cnn"])
    lines = [[part.strip() for part in line.split("|")[1:-1]] for line in table.markdown.splitlines()]
    assert lines[0] == ["", "τ", "F reported", "F", "F, longer", "F: difference",
                        "AUROC", "AUROC, longer", "AUROC: difference"]  # fmt: skip
    ((model, tau, said, _, longer, gain, apart, *_),) = lines[2:]
    assert (model, tau, said, apart) == ("**CNN**", "0.99", "0.761", "0.875 [0.800–0.900]")
    assert (longer, gain) == ("0.400 [0.350–0.450]", "−0.050 [−0.100 to −0.001]")
    text = " ".join((study / "reports/mnist/report.md").read_text().split())
    assert "for longer (100 epochs, 2 of 10 class subsets)" in text
    assert "| `evaluate_openset`, trained longer | CNN | 100 epochs, 2 of 10 class subsets |" in text
    assert (
        evaluate_openset_report.open_set_longer(frame[frame["experiment"] != "open_set_longer"], ["cnn"]).markdown == ""
    )


def test_the_page_holds_the_smaller_file_of_a_large_figure(tmp_path: Path) -> None:
    for name, vector, pixels in (("small", 9_000, 100), ("large", 120_000, 80_000), ("fine", 120_000, 130_000)):
        (tmp_path / f"{name}.svg").write_bytes(b" " * vector)
        (tmp_path / f"{name}.png").write_bytes(b" " * pixels)
    kept = [embedded(tmp_path / f"{name}.svg").name for name in ("small", "large", "fine")]
    assert kept == ["small.svg", "large.png", "fine.svg"]
    assert embedded(tmp_path / "fine.png").name == "fine.png"


def test_what_witnesses_see(frame: pd.DataFrame) -> None:
    table = evaluate_fooling_report.witnesses(frame, ["cnn", "cool", "dae_sym"])
    lines = [[part.strip() for part in line.split("|")[1:-1]] for line in table.markdown.splitlines()[2:]]
    assert [line[:4] for line in lines[:2]] == [
        ["**CNN**", "FGN", "0.9", "8"],
        ["**CNN**", "gradients of ỹ", "0.9", "8"],
    ]
    assert lines[2][0] == "**COOL**"
    assert lines[2][4].startswith("62.5<br>[")
    assert lines[2][4].endswith("accepts 25.0")
    assert lines[2][5] == "–"  # not a witness of its own case
    assert len(table.rows) == 2 * 12
    assert evaluate_fooling_report.witnesses(frame[frame["experiment"] != "witness"], ["cnn"]).markdown == ""


def test_tables_hold_only_numbers_of_the_cells_and_the_papers(study: Path) -> None:
    numbers = cell_numbers(study)
    papers = reported.load()
    known = {str(n) for n in (*range(1, 11),)} | set(papers["text"]) | {f"{t:g}" for t in papers["tau"].dropna()}
    for record in numbers.to_dict("records"):
        known.add(f"{record['n']:,}")
        for name in ("reproduced", "low", "high"):
            if record[name] is not None and not pd.isna(record[name]):
                known.add(names.number(float(record[name]), record["metric"], record["unit"]).lstrip("-"))
    known |= {"20", "3", "2", "40", "0", "1e-3", "784"}  # α, generations, a learning rate, pixels
    checked = 0
    for path in (study / "reports/mnist/tables").glob("*.md"):
        if path.stem in ("provenance", "not_measured"):
            continue
        text = re.sub(r"\*\*.*?\*\*|‖₂|₂", "", path.read_text())
        for number in re.findall(r"(?<![\w.])\d[\d,]*\.?\d*(?:e-?\d+)?", text):
            number = number.rstrip(",.")
            assert number in known or number in ("99.99", "95"), f"{number} in {path.name}"
            checked += 1
    assert checked > 150


def test_the_same_cells_give_the_same_bytes(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(study / "reports/cells", tmp_path / "reports/cells")
    monkeypatch.chdir(tmp_path)
    later = time.time() + 86_400 * 400
    monkeypatch.setattr(time, "time", lambda: later)  # a date in a file would show
    output = build(tmp_path)
    files = {path.relative_to(output): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    first = study / "reports/mnist"
    assert files.keys() == {path.relative_to(first) for path in first.rglob("*") if path.is_file()}
    assert [name for name, data in files.items() if data != (first / name).read_bytes()] == []
    assert not any(str(tmp_path).encode() in data for data in files.values())


def test_the_page_needs_nothing_else(study: Path) -> None:
    page = (study / "reports/mnist/report.html").read_text()
    text = (study / "reports/mnist/report.md").read_text()
    assert page.count("data:image/") == text.count("](figures/")
    references = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert references
    assert all(reference.startswith(("data:image/", "#s")) for reference in references)
    assert not re.search(r"https?://|@import|url\(|<script|<link", re.sub(r'"data:[^"]*"', "", page))
    assert '<meta name="viewport"' in page
    assert "@media print" in page
    assert page.count('<div class="scroll"><table>') == page.count("</table></div>") == page.count("<table>")


@pytest.mark.usefixtures("undrawn")
def test_a_missing_cell_is_named_with_its_command(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(study / "reports", tmp_path / "reports")
    before = directory_md5(tmp_path / "reports/mnist")
    shutil.rmtree(tmp_path / "reports/cells/mnist/fool_fgn/cool")
    with pytest.raises(OvergenError, match=r"mnist/fool_fgn/cool/.*`dvc repro fool_fgn@mnist-cool`"):
        build(tmp_path)
    assert directory_md5(tmp_path / "reports/mnist") == before
    (tmp_path / "reports/cells/mnist/evaluate_openset/cnn/trials.csv").unlink()
    with pytest.raises(
        OvergenError, match=r"evaluate_openset/cnn/trials.csv: missing; `dvc repro evaluate_openset@mnist-cnn`"
    ):
        build(tmp_path, attacked=["cnn", "dae_sym"], evolved=["cnn"])
    assert directory_md5(tmp_path / "reports/mnist") == before


@pytest.mark.usefixtures("undrawn")
def test_cells_of_models_that_are_not_declared_do_not_count(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(study / "reports/cells", tmp_path / "reports/cells")
    only = {"classifiers": ["cnn"], "autoencoders": [], "attacked": ["cnn"], "evolved": ["cnn"], "openset_models": []}
    only["perceptrons"] = only["scored"] = only["oneclass_models"] = []
    output = build(tmp_path, **only)
    frame = tables.read_reproduced(output / "reproduced.csv")
    assert set(frame["model"]) == {"cnn"}
    assert "COOL" not in (output / "tables/fooling.md").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "cool"}, "belongs to another cell"),
        ({"metrics": [{"metric": "x"}]}, "not a cell's summary"),
        ({"metrics": [row("fgn", "fooling_rate", 1.0, "percent", 1, note=3)]}, "note is 3, not text"),
        ({"metrics": [row("fgn", "fooling_rate", 0.5, "fraction", 1, tau=0.9)]}, "in fraction, but spigler2019"),
        ({"budget": 3}, "not a cell's summary"),
    ],
)
def test_a_broken_cell_is_named(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(study / "reports/cells", tmp_path / "reports/cells")
    path = tmp_path / "reports/cells/mnist/fool_fgn/cnn/metrics.json"
    write_json(path, read_json(path) | change)
    with pytest.raises(OvergenError, match=message) as error:
        build(tmp_path)
    assert "reports/cells/mnist/fool_fgn/cnn/metrics.json" in str(error.value)


@pytest.mark.usefixtures("undrawn")
def test_a_data_set_that_no_paper_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "reports/cells", "digits")
    output = build(tmp_path, "digits")
    frame = tables.read_reproduced(output / "reproduced.csv")
    text = (output / "report.md").read_text()
    assert (frame["value"] == "").all()
    assert (frame["verdict"] == "").all()
    assert "reported</" not in text
    assert "As Tables 1 and 2 of the paper" in text
    assert "Reported, not measured" not in text
    assert set(frame["budget"]) >= {"10 epochs, 1 seed, 20 trials a class, 500 updates"}


def test_a_number_for_reading() -> None:
    found = {
        "reproduced": 34.5,
        "low": 28.27,
        "high": 41.33,
        "metric": "fooling_rate",
        "unit": "percent",
        "verdict": "",
    }
    assert tables.measured(found) == "34.5 [28.3–41.3]"
    assert tables.measured(found | {"verdict": "not testable: why"}) == "34.5 ? [28.3–41.3]"
    assert tables.measured(found | {"low": None, "high": None}, " %") == "34.5 %"
    assert tables.measured(found | {"high": None}) == "34.5 [28.3–∞]"
    assert tables.measured(found | {"reproduced": None}) == "–"
    nines = {"reproduced": 99.999952, "low": 99.98, "high": 100.0, "metric": "median_confidence@generation=200"}
    assert tables.measured(found | nines | {"unit": "percent"}) == "99.9999 [99.98–100.00]"
    assert names.metric_name("fooling_rate@alpha=2") == "trials that fool, α = 2"
    assert names.metric_name("gamma_positive_rate@test") == "γ > 0, on test images"


def test_budgets_in_words() -> None:
    paper = {"train_classifier.mnist.epochs": 100, "train_classifier.mnist.seeds": 5}
    assert budget_text({"train_classifier.mnist.epochs": 10, "train_classifier.mnist.seeds": 1}, paper) == (
        "10 of 100 epochs, 1 of 5 seeds"
    )
    assert budget_text({"train_classifier.mnist.epochs": 200, "a.b.new_thing": 3}, paper) == "200 epochs, 3 new thing"
    assert not budgets.at_paper_budget({"train_classifier.mnist.seeds": 4}, paper)
    assert budgets.at_paper_budget({"train_classifier.mnist.epochs": 200, "other": 1}, paper)


def test_readme_table(study: Path, tmp_path: Path) -> None:
    text = readme.readme_table(study / "reports")
    assert "| MNIST" in text
    assert "Fashion" not in text
    line = next(line for line in text.splitlines() if "**COOL**" in line)
    assert "34.5 → 30.0 (✓) [18.1–45.4]" in line
    assert "(✓) agrees at reduced budget" in text
    assert "10 of 100 epochs" in text
    readme = tmp_path / "README.md"
    readme.write_text(readme.with_results("# x\n<!-- results -->\n<!-- /results -->\nmore\n", text))
    assert readme.readme_is_current(readme, study / "reports")
    readme.write_text(readme.read_text().replace("34.5 →", "34.6 →"))
    assert not readme.readme_is_current(readme, study / "reports")
    readme.write_text("# no markers\n")
    with pytest.raises(OvergenError, match=r"README\.md: must hold one line `<!-- results -->"):
        readme.readme_is_current(readme, study / "reports")
    with pytest.raises(OvergenError, match="dvc repro report@mnist"):
        readme.readme_table(tmp_path)


def test_html_of_markdown_alone(tmp_path: Path) -> None:
    page = html("# A\n\n## B & c\n\n| a | b |\n|---|---|\n| 1.5 [1–2] | x |\n", tmp_path)
    assert "<title>A</title>" in page
    assert '<h2 id="s0">B &amp; c</h2>' in page
    assert '<td class="number">1.5 [1–2]</td>' in page
    assert "<td>x</td>" in page


def test_only_figures_and_the_stage_import_plotting() -> None:
    code = (
        "import sys, overgen.tables, overgen.reported, overgen.statistics, overgen.metrics; "
        "sys.exit([m for m in ('matplotlib', 'seaborn', 'torch', 'mlflow', 'dvc', 'sklearn') if m in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("used", "said"), [(0.1, False), (1.0, True)])
def test_a_search_says_when_the_study_does_not_use_its_best_setting(tmp_path: Path, used: float, said: bool) -> None:
    key = "search_choices.mnist.cool"
    folder = write_cell(tmp_path, "mnist", "search_choices", "cool", {f"{key}.epochs": 2, f"{key}.held_out": 50}, [])
    write_csv(folder / "settings.csv", pd.DataFrame({
        "setting": ["base", "output_std: 0.1"], "accuracy@tau=0,alpha=0": [99.0, 98.0],
        "accuracy@tau=0.9,alpha=0": [50.0, 97.0], "noise_median_score": [0.1, 0.2],
    }))  # fmt: skip
    settings = {f"{key}.model.output_std": 1.0, f"{key}.settings": [{}, {"output_std": 0.1}],
                "models.cool.output_std": used}  # fmt: skip
    text = search_choices_report.search(grid.Cell("mnist", "search_choices", "cool", folder), settings).markdown
    assert re.search(r"\| \*\*output_std: 0.1\*\* +\| 98.00 +\| 97.00 ", text)
    assert f"Used in the study: output_std {used:g}." in text
    assert ("That is not the setting nearest to the paper." in text) == said


def test_open_set_scores_are_ranked_and_drawn(tmp_path: Path) -> None:
    """Neighbours are best on every problem, on either network, and stand first; the last of the CNN's stands last."""
    write_study(tmp_path / "reports/cells")
    output = build(tmp_path)
    lines = (output / "tables/scores.md").read_text().splitlines()
    assert len(lines) == 2 + sum(map(len, SCORES.values()))
    assert "**nearest neighbours**" in lines[2] + lines[3]
    assert lines[-1].startswith("| **PCA error on pixels**")
    kinds = (output / "tables/score_kinds.md").read_text().splitlines()
    assert "fooling images" in kinds[0]
    assert [line.split("|")[1] for line in kinds[2:]] == [line.split("|")[1] for line in lines[2:]]  # in the same order
    counts = [line.split("|")[1:-1] for line in (output / "tables/fooling_images.md").read_text().splitlines()]
    assert [cell.strip() for cell in counts[0]] == ["attacked", "FGN", "gradients of ỹ", "evolution"]
    assert [[cell.strip() for cell in line] for line in counts[2:]] == [
        ["**CNN**", "1,000", "–", "1,003"], ["**COOL**", "1,001", "–", "1,004"], ["**dAE sym**", "1,002", "–", "1,005"]
    ]  # fmt: skip
    assert "| `collect_fooling`" not in (output / "report.md").read_text()  # it spends nothing
    names = {path.stem for path in (output / "figures").glob("score_*.svg")}
    assert names == {"score_ranking", "score_histograms_cnn", "score_histograms_dae_sym", "score_extremes",
                     "score_confusion"}  # fmt: skip
    for name in names:
        assert f"figures/{name}." in (output / "report.md").read_text()


def test_what_a_stage_changes_of_the_training_is_said() -> None:
    settings = {
        "train_openset.mnist.training.dae_sym.l2": 10.0,
        "train_openset.mnist.training.dae_sym.noise_std": None,
        "train_openset.mnist.training.cnn.l2": 10.0,
        "train_openset.digits.training.cnn.l2": 3.0,
    }
    text = assumptions.assumptions(settings, "mnist")
    assert "l2 10 in `train_openset`: dAE sym, CNN" in text
    assert "l2 3" not in text
    assert "noise_std" not in text
    assert "that a stage changes" not in assumptions.assumptions({}, "mnist")
