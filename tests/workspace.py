"""The tiny study of the tests: its parameters, the folders in which it runs, and how a stage is run there."""

from __future__ import annotations

import fcntl
import filecmp
import io
import os
import select
import shutil
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import safe_open

from overgen.run import code, warm
from overgen.run.pipeline import cells_of, read_stages

from processes import environment, stage_command
from small_network import small

ROOT = Path(__file__).resolve().parent.parent

COUNTS = {"train": 400, "test": 200}  # images of the tiny study
# A study small enough to run in a test: one class of network of each kind, two classes of budgets.
TINY = {
    "datasets": ["digits"],
    "classifiers": ["cnn"],
    "autoencoders": ["dae_sym", "autoencoder"],
    "attacked": ["cnn", "dae_sym"],
    "evolved": ["cnn", "dae_sym"],
    "retrained_datasets": ["digits"],
    "scored_datasets": ["digits"],
    "defended_datasets": ["digits"],
    "retrain_on_fooling.digits.rounds": 1,
    "retrain_on_fooling.digits.runs": 2,
    "retrain_on_fooling.digits.epochs": 1,
    "retrain_on_fooling.digits.generations": 5,
    "retrain_on_fooling.digits.population": 20,
    "openset_models": ["dae_sym"],
    "variant_datasets": ["digits"],
    "variants": ["dae_sym_l2_10"],
    "ungated": ["dae_sym"],
    "fooled_variants": ["dae_sym_l2_10", "dae_sym_gate_off"],
    "fooled_controls": ["dae_sym_gate_off"],
    "controls": ["dae_sym"],
    "remove_gate": {"digits": {"seeds": [0]}},
    "train_controls": {"digits": {"known": [2], "subsets": 2, "epochs": 1}},
    "evaluate_controls": {"features": ["knn"], "outputs": {"dae_sym": ["scaled_output"]}},
    "train_variants": {"digits": {"epochs": 1, "seeds": [0], "training": {"dae_sym_l2_10": {"l2": 5.0}}}},
    "fool_variants": {
        "digits": {
            "trials": 1,
            "updates": 2,
            "models": {"dae_sym_l2_10": {"base": "dae_sym", "scaled": [3]}, "dae_sym_gate_off": {"base": "dae_sym"}},
        }
    },
    "oneclass_datasets": ["digits"],
    "oneclass_models": ["dae_sym", "ocsvm"],
    "searched_datasets": ["digits"],
    "searched_models": ["cnn"],
    "search_choices.digits": {
        "cnn": {
            "held_out": 50,
            "epochs": 1,
            "model": {"network": "cnn"},
            "training": {"batch_size": 64, "learning_rate": 0.001, "noise_std": 0.2, "l2": 0},
            "settings": [{}, {"batch_size": 64}, {"units": "sigmoid", "l2": 5}],
        }
    },
    "engine.digits.threads": 1,
    "engine.digits.probes": 1,
    "confidence.digits.thresholds": [{"tau": 0.9, "alpha": 20}, {"tau": 0.99, "alpha": 3}, {"tau": 0.99, "alpha": 2}],
    "training.digits.batch_size": 64,
    "train_classifier.digits": {"epochs": 3, "seeds": [0, 1], "test_curve": True},
    "train_autoencoder.digits.epochs": {"dae_sym": 1, "autoencoder": 2},
    "fool_fgn.digits.trials": 1,
    "fool_fgn.digits.updates": {"cnn": 3, "dae_sym": 2},
    "fool_fgn.digits.models": {"cnn": {"variants": [{"learning_rate": 1.0e-3}]}, "dae_sym": {"scaled": [3]}},
    "fool_gradient.digits": {
        "restarts": 1,
        "attacks": [
            {"objective": o, "learning_rate": 0.1, "updates": n} for o, n in (("cross_entropy", 12), ("margin", 8))
        ],
        "starts": ["noise", "mean_image", "other_class"],
        "check": 2,
        "block": 20,
    },
    "fool_controls": {
        "digits": {
            "restarts": 1,
            "attacks": [{"objective": "cross_entropy", "learning_rate": 0.1, "updates": 4}],
            "starts": ["noise", "mean_image", "other_class"],
            "check": 2,
            "block": 30,
        }
    },
    "fool_evolution.digits.runs": 2,
    "fool_evolution.digits.generations": 2,
    "fool_evolution.digits.population": 10,
    "fool_evolution.digits.stored_generations": [0, 2],
    "train_openset.digits": {"known": [2, 10], "subsets": 2, "epochs": 1, "longer": {"known": 2, "epochs": 2}},
    "szegedy_datasets": ["digits"],
    "perceptrons": {
        "fc10_1": {"hidden": [], "decays": [1.0]},
        "fc8_10": {"hidden": [8], "decays": [1.0e-5, 1.0e-6]},
        "ae6_10": {"hidden": [6], "decays": [0.0, 1.0e-6], "pretrained": True},
    },
    "train_perceptrons.digits": {
        "batch_size": 64,
        "epochs": 4,
        "learning_rate": 0.02,
        "autoencoder": {
            "epochs": 2,
            "learning_rate": 0.01,
            "sparsity": 500.0,
            "activation": 0.1,
            "softmax_learning_rate": 1e-9,
        },
    },
    "fool_lbfgs.digits": {"images": 4, "draws": 3, "magnified": 0.1, "stability_images": 20, "pixels": [1, 30, 784]},
    "transfer_between_halves.digits": {
        "networks": {
            "fc16_10": {"hidden": [16], "decays": [1.0e-5, 1.0e-6], "half": 0},
            "fc12_9_10": {"hidden": [12, 9], "decays": [1.0e-5, 1.0e-5, 1.0e-6], "half": 0},
            "fc16_10_other_half": {"hidden": [16], "decays": [1.0e-5, 1.0e-6], "half": 1},
        },
        "seeds": [0, 1],
        "batch_size": 20,
        "epochs": 6,
        "learning_rate": 0.03,
        "images": 4,
        "magnified": [0.1],
        "noise": [0.06, 0.1],
        "noise_images": 30,
    },
    "train_adversarially.digits": {
        "hidden": [16],
        "held_out": 100,
        "seeds": [0],
        "batch_size": 20,
        "epochs": 4,
        "learning_rate": 0.03,
        "images": 3,
        "pools": {"size": 30, "replaced": 12, "share": 16, "c": 0.1, "minimisations": 2, "iterations": 5},
        "trainings": {
            "weight_decay": [{"decays": [100.0, 100.0]}, {"decays": [1.0e-5, 1.0e-6]}],
            "dropout": [{"decays": [0.0, 0.0], "dropout": [0.0, 0.1]}],
            "adversarial": [{"decays": [0.0, 0.0], "levels": [0, 1], "weight": 0.1}],
        },
    },
    "fool_smallest.digits": {"images": 4, "c": 1.0, "bisections": 2, "iterations": 10, "block": 3},
    "evaluate_scores.methods": {"dae_sym": ["scaled_output", "knn", "pca"]},
    "evaluate_scores.noise_images": 20,
    "unknown_models": ["dae_sym"],
    "evaluate_unknowns": {
        "methods": ["scaled_output", "softmax", "openmax", "knn", "mahalanobis"],
        "once": {"dae_sym": ["pca_pixels"]},
        "known_images": 80,
        "images": 20,
        "fitted_images": 200,
        "least": 100,
    },
    "attack_scores.digits": {
        "fitted_images": 200,
        "known_images": 60,
        "starts": ["noise"],
        "restarts": 1,
        "attempts": [{"attack": "autopgd", "updates": 3}, {"attack": "square", "updates": 2}],
        "images": 3,
        "linf": [0.1, 0.2],
        "l2": [1.0, 2.0],
        "ball_attempts": [{"attack": "autopgd", "updates": 2}],
        "judge_images": 200,
        "shown": 2,
        "labelled": 5,
    },
    "denoised_datasets": ["digits"],
    "train_denoiser.digits.epochs": 1,
    "attack_denoiser.digits": {
        "classifier": "cnn",
        "beside": "dae_sym",
        "sigmas": [0.1, 0.2],
        "unknown_images": 10,
        "known_images": 30,
        "restarts": 1,
        "images": 2,
        "attempts": [{"attack": "autopgd", "updates": 3}],
        "ball_attempts": [{"attack": "autopgd", "updates": 1}],
        "likelihood": {
            "smallest": 0.05,
            "largest": 5.0,
            "steps": 1,
            "probes": 1,
            "known_images": 20,
            "restarts": 1,
            "images": 1,
            "attempts": [{"attack": "autopgd", "updates": 1}],
            "ball_attempts": [{"attack": "autopgd", "updates": 1}],
        },
    },
    "defend_scores.digits": {
        "scores": {"cnn": ["softmax"], "dae_sym": ["scaled_output_alpha2"]},
        "fitted_images": 100,
        "known_images": 20,
        "threshold_images": 20,
        "unknown_images": 3,
        "smoothing": {"sigma": 0.2, "draws": 3, "attack_draws": 2, "certificate_draws": 20, "error": 0.05},
        "ensemble": ["dae_sym", "dae_sym_l2_10"],
        "adversarial": {
            "model": "dae_sym",
            "images": 32,
            "held_out": 10,
            "epochs": 1,
            "batch_size": 16,
            "learning_rate": 0.0001,
            "radius": 0.1,
            "steps": 1,
        },
        "starts": ["noise"],
        "restarts": 1,
        "attempts": [{"attack": "autopgd", "updates": 2}],
        "images": 2,
        "linf": [0.1],
        "l2": [1.0],
        "certified": [0.1],
        "ball_attempts": [{"attack": "autopgd", "updates": 2}],
        "judge_images": 200,
    },
    "evaluate_calibration.digits": {
        "bins": 10,
        "resamples": 20,
        "training_images": 100,
        "kinds": ["uniform", "silhouettes"],
        "other_data": [],
        "images": 12,
        "attack": {
            "restarts": 1,
            "attacks": [{"objective": "cross_entropy", "learning_rate": 0.1, "updates": 12}],
            "starts": ["noise"],
            "check": 2,
            "block": 20,
        },
    },
    "evaluate_confidence.noise_images": 100,
    "evaluate_oneclass_scores.methods": [
        "knn_pixels",
        "other_shuffled_pixels",
        "autoencoder_pixels",
        "contractive_pixels",
    ],
    "explore_compression.digits": {"images": 40, "size": 8, "qualities": [1, 90], "shown": [2]},
    "explore_denoising.digits": {
        "networks": ["dae_sym"],
        "size": 8,
        "levels": {"gaussian": [0.5], "salt_and_pepper": [0.1]},
        "held_out": 10,
        "strengths": {"median": [[3], [5]], "nlm": [[5, 0.2]], "pca": [[4], [8]]},
        "median_at": 0.2,
        "shown": 2,
    },
    "explore_noise.digits": {
        "networks": ["cnn", "dae_sym"],
        "scaled_volumes": ["dae_sym"],
        "images": 20,
        "runs": 2,
        "chains": 2,
        "length": 5,
        "levels": 3,
        "balls": [2, 3],
    },
    "explore_linear.digits": {
        "classes": [0, 6],
        "third": 9,
        "inverse_decays": [1.0, 0.01],
        "noise_images": 20,
        "shown": 5,
    },
    "explore_stability": {"resamples": 20},
    "explore_anomaly.digits": {
        "networks": ["autoencoder", "dae_sym"],
        "kinds": ["uniform", "constant"],
        "other_data": [],
        "known_images": 60,
        "images": 20,
        "fitted_images": 200,
        "neighbours": 3,
        "deviations": [1, 3],
        "tutorial": {"hidden": 8, "batch_size": 100, "learning_rate": 0.01, "epochs": 3, "seeds": [0, 1]},
    },
    "explored_datasets": ["digits"],
    "silhouette_datasets": ["digits"],
    "explore_silhouettes.digits": {
        "kinds": ["letters"],
        "networks": ["cnn", "dae_sym"],
        "autoencoder": "autoencoder",
        "animals": 1,
        "letters": 2,
        "known_images": 40,
        "fitted_images": 100,
        "neighbours": 2,
    },
    "clutter_datasets": ["digits"],
    "explore_clutter.digits": {
        "networks": ["cnn", "dae_sym"],
        "autoencoder": "dae_sym",
        "photographs": ["temple"],
        "images": 2,
        "strengths": [0, 1],
        "objects": [2],
        "canvases": 4,
        "attention": {"weight": 0.04, "smoothness": 0.02, "steps": 2, "rate": 0.4},
    },
    "explore_transfer.digits": {
        "encoders": ["ae_k8_seed0", "ae_k8_seed1"],
        "networks": ["autoencoder", "dae_sym", "cnn"],
        "labelled": ["dae_sym", "cnn"],
        "pool": 200,
        "tests": 80,
        "labels": [10, 100],
        "draws": 2,
        "inverse_decay": 30,
        "scratch_updates": 4,
        "layer_labels": 20,
        "layer_tests": 40,
        "queries": 60,
        "at": [1, 5, 10],
        "shown": 3,
    },
    "explore_dimension.digits": {
        "neighbours": 10,
        "parts": 1,
        "sizes": [25, 30],
        "mixed": [30, 60],
        "points": 25,
        "shown": 2,
    },
    "explore_paths.digits": {
        "pairs": 10,
        "positions": 3,
        "graph_images": 150,
        "neighbours": 8,
        "reference_images": 200,
        "latents": ["autoencoder", "dae_sym"],
        "denoiser": "dae_sym",
        "classifier": "cnn",
        "shown": 1,
    },
    "explore_latents.digits": {
        "network": "autoencoder",
        "codes": ["ae_k8_seed0", "ae_k8_seed1"],
        "variational": ["vae_k8_seed0"],
        "classifier": "cnn",
        "judge": "dae_sym",
        "tau": 0.99,
        "shown": 100,
        "iterations": 300,
        "neighbours": 5,
        "noises": [0, 0.5, 2],
        "noisy": 3,
        "steps": 3,
        "drawn": 20,
        "fitted": 100,
        "reference": 40,
        "components": 2,
    },
    "report.dpi": 60,
    "train_oneclass.digits": {"classes": [3, 7], "epochs": 1, "training": {"dae_sym": {"noise_std": 0.3}}},
    "train_codes.digits": {
        "images": 200,
        "test_images": 100,
        "threads": 1,
        "hidden": 20,
        "batch_size": 50,
        "epochs": 2,
        "learning_rate": 0.005,
        "codes": {
            "ae": {"sizes": [2, 8], "seeds": [0, 1]},
            "dae": {"sizes": [8], "seeds": [0, 1], "noisy": True},
            "linear": {"sizes": [2, 8], "network": "linear", "loss": "squared", "epochs": 3},
            "ae_mse": {"sizes": [8], "seeds": [0, 1], "loss": "squared"},
            "vae": {"sizes": [8], "network": "variational"},
        },
    },
    "train_rings.steps": 700,  # two Lightning steps, of which the second is shorter
    "train_rings.batch_size": 8,
    "train_rings.hidden": 16,
    "train_rings.seeds": [0, 1],
    "train_rings.test_points": 50,
    "train_rings.shown_points": 20,
    "train_rings.resolution": 12,
    "explore_features.witnesses": ["dae_sym"],
    "explore_features.ways": {
        "plain": {"parametrisation": "pixels", "rate": 0.05},
        "all": {"parametrisation": "fourier", "rate": 0.1, "jitter": 2, "total_variation": 10},
    },
    "explore_features.sizes.digits": {"steps": 5, "unit_steps": 3, "units": 2, "compared": 30, "typical": 3},
    "explore_features.shown": 1,
    "explore_curve.dimensions": [2, 16],
    "explore_curve.hidden": 12,
    "explore_curve.distances": [0.5, 1.0],
    "explore_curve.boundaries": {
        "seeds": 4,
        "points": 40,
        "steps": 150,
        "tested": 5,
        "directions": 3,
        "limit": 100.0,
        "iterations": 3,
        "resolution": 12,
    },
    "explore_curve.negatives": {
        "seeds": 4,
        "counts": [4, 64],
        "steps": 100,
        "batch_size": 16,
        "tested": 30,
        "ascent": 3,
    },
    "imagenet": {
        "threads": 1,
        "chunk": 5,
        "networks": {
            f"efficientnet_lite{i}": {
                "what": f"small{i}.pt",
                "module": "small_network.py:Small",
                "shape": [3, side, side],
            }
            for i, side in enumerate((32, 40, 36))
        },
        "witnesses": ["efficientnet_lite1", "efficientnet_lite2"],
        "photographs": ["cat", "coffee"],
    },
    "fool_photographs.noises": 1,
    "fool_photographs.targets": 2,
    "fool_photographs.tau": 0.3,
    "fool_photographs.updates": 30,
    "fool_photographs.rate": 0.02,
    "fool_photographs.smallest": {"targets": 2, "c": 0.001, "brackets": 2, "bisections": 1, "iterations": 25},
    "fool_photographs.shown": ["cat"],
    "evolve_classes.generations": {"cppn": 3, "direct": 2},
    "evolve_classes.population": 6,
    "evolve_classes.block": 2,
    "evolve_classes.shown": 3,
    "evolve_classes.stored": {"cppn": 3, "direct": 2},
    "evolve_classes.stored_generations": [0, 2],
    "visualise_units.layers": ["blocks.0", "blocks.1"],
    "visualise_units.units": 2,
    "visualise_units.steps": 3,
    "visualise_units.dream.photographs": ["cat"],
    "visualise_units.dream.layers": ["blocks.0", "blocks.1"],
    "visualise_units.dream.sides": [24, 32],
    "visualise_units.dream.steps": 2,
    "synthesise_classes.cat": 3,
    "synthesise_classes.classes": 2,
    "synthesise_classes.steps": 3,
    "report_page.dpi": 60,
}


def read_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def without_studies(*kept: str) -> dict[str, object]:
    """Every list of data sets in params.yaml, empty, but for those kept: trainings and the attacks on them remain."""
    names = yaml.safe_load((ROOT / "params.yaml").read_text())
    return {name: [] for name in names if name.endswith("_datasets") and name not in kept}


def set_params(path: Path, changes: dict[str, object]) -> None:
    """Change values of a params.yaml by dotted path (the comments are lost)."""
    params = read_yaml(path)
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        section[last] = value
    path.write_text(yaml.dump(params, Dumper=yaml.CSafeDumper, sort_keys=False))


def others_left_out(path: Path) -> dict[str, object]:
    """Changes that leave a params.yaml the sections of digits only: DVC reads the file again for every stage."""
    return {
        k: {"digits": v["digits"]}
        for k, v in read_yaml(path).items()
        if isinstance(v, dict) and {"digits", "mnist"} <= set(v)
    }


def make_workspace(path: Path, digits: Path | None = None, **changes: object) -> Path:
    """A folder in which stages run: tiny params.yaml, dvc.yaml, the source, and the data of `digits` if it is given.

    digits: the tiny study's. changes: of params.yaml, by section.
    """
    path.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, path / name)
    set_params(path / "params.yaml", others_left_out(path / "params.yaml") | TINY | changes)
    (path / "src").mkdir()
    (path / "src/overgen").symlink_to(ROOT / "src/overgen")
    shutil.copytree(ROOT / "src/own", path / "src/own", ignore=shutil.ignore_patterns("__pycache__"))
    (path / "budgets").symlink_to(ROOT / "budgets")
    shutil.copy(ROOT / "tests/small_network.py", path)
    for seed in range(3):
        torch.save(small(seed).state_dict(), path / f"small{seed}.pt")
    if digits is not None:
        (path / "data").symlink_to(digits / "data")
    if digits is None or changes:
        write_code(path, known=digits or ROOT)
    else:  # what it says there, of the same source and parameters
        (path / code.CACHE).parent.mkdir()
        shutil.copy(digits / code.CACHE, path / code.CACHE)
        shutil.copytree(digits / code.CODE, path / code.CODE)
    return path


def write_code(workspace: Path, *, known: Path) -> None:
    """What `.overgen/code` says of the workspace's code, as the stage `code` writes it.

    known: a folder where that was done before, so that files which are the same need not be parsed again.
    """
    if (known / code.CACHE).exists() and known != workspace:
        (workspace / code.CACHE).parent.mkdir(exist_ok=True)
        shutil.copy(known / code.CACHE, workspace / code.CACHE)
    with inside(workspace), redirect_stdout(io.StringIO()):
        code.main()


@contextmanager
def inside(workspace: Path) -> Iterator[None]:
    """The workspace as working directory, and no tracking."""
    before, tracking = Path.cwd(), os.environ.get("OVERGEN_TRACKING")
    os.chdir(workspace)
    os.environ["OVERGEN_TRACKING"] = "off"
    try:
        yield
    finally:
        os.chdir(before)
        if tracking is None:
            del os.environ["OVERGEN_TRACKING"]
        else:
            os.environ["OVERGEN_TRACKING"] = tracking


@dataclass(frozen=True)
class Done:
    """How a stage ended: its exit status and what it said."""

    returncode: int
    stderr: str


def run_stage(workspace: Path, stage: str, *, dataset: str = "digits", model: str = "", check: bool = True) -> Done:
    """Run a cell in a workspace and in this process, as its command does: run_stage(path, "fool_fgn", model="cnn")."""
    from overgen.run.stage import command

    said = io.StringIO()
    with inside(workspace), redirect_stderr(said):
        status = command([stage, "--dataset", dataset, *(["--model", model] if model else [])])
    assert not check or status == 0, said.getvalue()
    return Done(status, said.getvalue())


class Program:
    """A program that `Copies` started."""

    def __init__(self, answer: int, log: Path) -> None:
        """answer: what `Warm.run` gives; log: what it prints."""
        self._answer = os.fdopen(answer, buffering=1)
        self._log = log
        self.pid = int(self._answer.readline())

    def running(self) -> bool:
        return not select.select([self._answer], [], [], 0)[0]

    def wait(self) -> Done:
        """Wait for its end. Of what it said, what it printed is a part."""
        with self._answer:
            status = int(self._answer.readline())
        return Done(status, self._log.read_text())


class Copies(warm.Warm):
    """A copy of this process, which starts programs as copies of itself: what is imported is not imported again.

    It is to start before a test computes, because CUDA and the threads of autograd do not outlive a fork.
    """

    _pid: int | None = None

    def start(self) -> None:
        if self._pid is not None:
            return
        warm._import(warm.IMPORTS)
        self._socket, other = socket.socketpair()
        with other, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy's BLAS has threads, and restarts them
            self._pid = os.fork()
            if self._pid == 0:
                self._socket.close()
                _serve(other.detach())

    def close(self) -> None:
        if self._pid is not None and self._socket is not None:
            self._socket.close()
            os.waitpid(self._pid, 0)

    def program(self, module: str, arguments: Sequence[str], *, folder: Path, **extra: str) -> Program:
        """Start a module as a program in a folder. extra: of its environment, which is as of `run_program`."""
        log = folder.with_suffix(".log")
        with log.open("w") as file:
            output = [file.fileno(), file.fileno()]
            answer = self.run(module, arguments, folder=str(folder), environment=environment(**extra), output=output)
        return Program(answer, log)

    def stage(self, workspace: Path, stage: str, *, model: str, **extra: str) -> Program:
        """Start a cell of digits in a workspace."""
        arguments = stage_command(stage, model=model)[3:]
        return self.program("overgen.run", arguments, folder=workspace, **extra)


def _serve(asker: int) -> None:
    """Be the copy, which has a group, streams and warnings as a Python that was started, and end."""
    status = 1
    try:
        os.setpgid(0, 0)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        sys.argv = ["warm", str(asker)]
        status = warm.main()
    finally:
        os._exit(status)


def cell_folders(workspace: Path, stage: str, model: str) -> list[Path]:
    """What a stage that trains a model writes: its weights, and its cell."""
    return [workspace / "models/digits/networks" / model, workspace / "reports/cells/digits" / stage / model]


def same(first: Path, second: Path) -> None:
    """Two directories hold the same files with the same bytes."""
    names = sorted(p.relative_to(first).as_posix() for p in first.rglob("*") if p.is_file())
    assert names
    assert names == sorted(p.relative_to(second).as_posix() for p in second.rglob("*") if p.is_file())
    differ = filecmp.cmpfiles(first, second, names, shallow=False)[1:]
    assert differ == ([], []), differ


class Study:
    """The tiny study, shared by all processes that run tests: a cell is made when the first of them asks for it.

    Its files are for reading; who wants to change some copies them (`copy`).
    whole: the cells of digits are those of `repository`, which some test needs anyway; else each is made by itself.
    cells: (stage, data set, model) of each, in the order of dvc.yaml; the model is empty where there is none.
    """

    def __init__(self, root: Path, *, whole: bool = False) -> None:
        self.root = root
        self.whole = whole
        with locked(root.with_suffix(".lock")):
            if not root.exists():
                temporary = make_workspace(root.with_suffix(".new"))
                temporary.rename(root)
        self._stages = read_stages(root / "dvc.yaml")
        values = read_yaml(root / "params.yaml")
        self.cells = [
            (stage, item["dataset"], item.get("model", ""))
            for stage, entry in self._stages.items()
            for item in cells_of(entry, values)
            if item
        ]
        self._outs = [(out, cell) for cell in self.cells for out in self._paths("outs", *cell)]

    def _paths(self, kind: str, stage: str, dataset: str, model: str) -> list[str]:
        entries = self._stages[stage].get(kind, [])
        paths = (entry if isinstance(entry, str) else next(iter(entry)) for entry in entries)
        return [path.replace("${item.dataset}", dataset).replace("${item.model}", model) for path in paths]

    def outs(self, stage: str, model: str) -> list[str]:
        """What DVC says that a cell of digits writes; without the cells of a stage for all models at once its own."""
        cell = f"reports/cells/digits/{stage}"
        return [f"{cell}/{model}" if out == cell else out for out in self._paths("outs", stage, "digits", model)]

    def cell(self, stage: str, model: str = "", dataset: str = "digits") -> Path:
        """The folder of a cell's results, or of a stage's without a model: made now, with all that it needs."""
        assert (stage, dataset, model) in self.cells, f"{stage}, {dataset}, {model} is no cell of the study"
        outs = self._paths("outs", stage, dataset, model)
        made = self.root / ".made" / "-".join(filter(None, (stage, dataset, model)))
        if self.whole and dataset == "digits" and stage != "download":
            self.repository()
        elif not made.exists():
            for dependency in self._paths("deps", stage, dataset, model):
                for out, cell in self._outs:
                    if f"{out}/".startswith(f"{dependency}/") or f"{dependency}/".startswith(f"{out}/"):
                        self.cell(cell[0], cell[2], cell[1])
            made.parent.mkdir(exist_ok=True)
            with locked(made.with_suffix(".lock")):
                if not made.exists():
                    run_stage(self.root, stage, dataset=dataset, model=model)
                    if stage == "download":
                        cut(self.root / outs[0])
                    made.touch()
        return self.root / (Path("reports/cells", dataset, stage, model) if model else outs[-1])

    def repository(self) -> Path:
        """A Git repository in which `overgen reproduce report@digits` made the cells that this study takes."""
        from repository import make_repository

        path, taken = self.root.with_name("tiny-repository") / "overgen", self.root / ".made/repository"
        if not taken.exists():
            self.cell("download")
            with locked(taken.with_suffix(".lock")):
                assert taken.exists() or not path.exists(), "`overgen reproduce` failed, as an earlier test says"
                if not taken.exists():
                    make_repository(path, self.root)
                    for name in ("models", "reports"):
                        shutil.copytree(path / name, self.root / name, dirs_exist_ok=True)
                    taken.touch()
        return path

    def copy(self, path: Path) -> Path:
        """A copy, which a test may change, of all that has been made so far. Ask for its cells first."""
        ignored = shutil.ignore_patterns(".made", "progress", ".overgen-tmp-*")
        return Path(shutil.copytree(self.root, path, symlinks=True, ignore=ignored))


def cut(folder: Path) -> None:
    """Leave the first 400 training and 200 test images of a data set: the tests need no more, and it is faster."""
    from safetensors.torch import load_file, save_file

    file = folder / "tensors.safetensors"
    with safe_open(file, "pt") as opened:
        about = opened.metadata()
    tensors = {name: tensor[: COUNTS[name.split("_")[0]]].contiguous() for name, tensor in load_file(file).items()}
    save_file(tensors, file, about)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
