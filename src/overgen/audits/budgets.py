"""What an audit spends: the sections of its params.yaml that are budgets."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

CHUNK = 1_500_000  # numbers of the images that are evaluated together, on the way to their features many times as many
METHODS = ("softmax", "entropy", "max_logit", "energy", "knn", "knn_normalised", "mahalanobis", "pca")
FITTED_LONG = ("openmax", "k_means", "gaussian_density", "one_class_svm")  # with default budgets, too
FEW = 20  # classes, up to which methods with a machine for each of them are tried, too
OF_CLASSES = ("w_svm", "one_vs_set")
CORES = 4  # threads, at most: small networks gain nothing by more


class Effort(NamedTuple):
    """How much each attack tries. trials, updates: of the FGN, for each attacked class; restarts: of the gradients.

    steps: updates of each of their attacks in turn; runs, generations, population: of evolution; images, bisections,
    iterations: of the smallest changes; fitted, unknowns: images that open-set scores are fitted on, and of each kind
    of unknowns.
    """

    trials: int
    updates: int
    restarts: int
    steps: int
    runs: int
    generations: int
    population: int
    images: int
    bisections: int
    iterations: int
    fitted: int
    unknowns: int


FULL = Effort(trials=5, updates=500, restarts=5, steps=200, runs=2, generations=100, population=100, images=30,
              bisections=5, iterations=40, fitted=2000, unknowns=500)  # fmt: skip
QUICK = Effort(trials=1, updates=60, restarts=1, steps=50, runs=1, generations=12, population=50, images=10,
               bisections=3, iterations=20, fitted=500, unknowns=100)  # fmt: skip


def engine(shape: Sequence[int]) -> dict[str, Any]:
    """The section `engine` for images of a shape (C, H, W) on this machine."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chunk = max(4, min(500, CHUNK // math.prod(shape)))
    return {"precision": "32", "threads": min(available, CORES), "chunk": chunk, "probes": 1}


def attacks(model: str, effort: Effort, *, classes: int, attacked: int, chunk: int) -> dict[str, dict[str, Any]]:
    """The sections of the attack stages of one model.

    classes: K; attacked: how many of them are attacked, drawn by the stages. chunk: images evaluated together.
    """
    some = {"classes": min(attacked, classes)}
    return {
        "fool_fgn": {
            "trials": effort.trials,
            "updates": effort.updates,
            "learning_rate": 1e-3,
            "optimizer": "adam",
            "input": "uniform",
            "initial": 0.02,
            "block": min(100, chunk),
            "models": {model: some},
        },
        "fool_gradient": {
            "restarts": effort.restarts,
            "starts": ["noise", "mean_image", "other_class"],
            "check": 20,
            "block": min(100, chunk),
            "attacks": [
                {"objective": "cross_entropy", "learning_rate": 0.03, "updates": effort.steps},
                {"objective": "cross_entropy", "learning_rate": 0.01, "updates": effort.steps},
                {"objective": "margin", "learning_rate": 0.03, "updates": effort.steps},
            ],
            **some,
        },
        "fool_evolution": {
            "encodings": ["direct", "cppn"],
            "runs": effort.runs,
            "generations": effort.generations,
            "population": effort.population,
            "stored_generations": sorted({0, effort.generations // 4, effort.generations}),
            "stop_when_reached": True,
            "alpha": 0,
            **some,
            "mutation_rate": 0.1,
            "mutation_eta": 15,
            "crossover_rate": 0.5,
            "crossover_eta": 10,
            "connections": [0.5, 0.3],
            "nodes": [0.5, 0.2],
        },
        "fool_smallest": {
            "images": effort.images,
            "c": 1.0,
            "bisections": effort.bisections,
            "iterations": effort.iterations,
            "block": min(50, chunk),
        },
    }


def unknowns(effort: Effort, *, classes: int) -> dict[str, dict[str, Any]]:
    """The sections that say how open-set scores are tried. classes: K."""
    methods = list(METHODS)
    if effort is FULL:
        methods += [*FITTED_LONG, *(OF_CLASSES if classes <= FEW else ())]
    return {
        "evaluate_scores": {
            "methods": {},
            "held_out": max(20, effort.fitted // 4),
            "keep": 0.95,
            "fit_images": max(50, effort.fitted // 2),
            "noise_images": effort.unknowns,
            "other_data": {},
            "neighbours": 5,
            "clusters": 50,
            "components": 30,
            "tail": 20,
            "network_updates": {"other": 100},
        },
        "evaluate_unknowns": {
            "methods": methods,
            "once": {},
            "known_images": effort.unknowns,
            "images": effort.unknowns,
            "fitted_images": effort.fitted,
            "least": 100,
            "other_data": {},
            "own": {},
        },
    }
