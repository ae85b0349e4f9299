"""Shared by the tests: a workspace in which stages run on digits with tiny budgets."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):  # they share the cores; before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

ROOT = Path(__file__).resolve().parent.parent

# A study small enough to run in a test: one class of network of each kind, two classes of budgets.
TINY = {
    "datasets": ["digits"],
    "classifiers": ["cnn"],
    "autoencoders": ["dae_sym", "autoencoder"],
    "attacked": ["cnn", "dae_sym"],
    "evolved": ["cnn", "dae_sym"],
    "retrained_datasets": ["digits"],
    "retrain_on_fooling.digits.rounds": 1,
    "retrain_on_fooling.digits.runs": 2,
    "retrain_on_fooling.digits.epochs": 1,
    "retrain_on_fooling.digits.generations": 5,
    "retrain_on_fooling.digits.population": 20,
    "openset_models": ["dae_sym"],
    "variant_datasets": ["digits"],
    "variants": ["dae_sym_l2_10"],
    "train_variants": {"digits": {"epochs": 1, "seeds": [0], "training": {"dae_sym_l2_10": {"l2": 5.0}}}},
    "fool_variants": {"digits": {"trials": 1, "updates": 2, "scaled": {"dae_sym_l2_10": [3]}}},
    "oneclass_datasets": ["digits"],
    "oneclass_models": ["dae_sym", "ocsvm"],
    "searched_datasets": ["digits"],
    "searched_models": ["dae_sym"],
    "search_choices.digits": {
        "dae_sym": {
            "held_out": 100,
            "epochs": 1,
            "model": {"network": "dae", "tied": True, "reconstruction_weight": 1.0, "classifier_input": "noisy"},
            "training": {"batch_size": 256, "learning_rate": 0.001, "noise_std": 0.2, "l2": 0},
            "settings": [{}, {"batch_size": 256}, {"unpooling": "switches", "l2": 5}],
        }
    },
    "engine.digits.threads": 1,
    "training.digits.batch_size": 256,
    "train_classifier.digits": {"epochs": 2, "seeds": [0, 1]},
    "train_autoencoder.digits.epochs": {"dae_sym": 1, "autoencoder": 2},
    "fool_fgn.digits.trials": 1,
    "fool_fgn.digits.updates": {"cnn": 3, "dae_sym": 2},
    "fool_fgn.digits.variants": [{"models": ["cnn"], "learning_rate": 1.0e-3}],
    "fool_gradient.digits": {
        "restarts": 1,
        "attacks": [
            {"objective": o, "learning_rate": 0.1, "updates": n} for o, n in (("cross_entropy", 12), ("margin", 8))
        ],
        "starts": ["noise", "mean_image", "other_class"],
        "check": 2,
        "block": 20,
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
        "batch_size": 200,
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
    "evaluate_scores.methods": {"dae_sym": ["scaled_output", "knn", "pca"], "other": ["scaled_output"]},
    "evaluate_scores.noise_images": 20,
    "evaluate_oneclass_scores.methods": ["knn_pixels", "other_shuffled_pixels"],
    "report.dpi": 60,
    "train_oneclass.digits": {"classes": [3, 7], "epochs": 1, "training": {"dae_sym": {"noise_std": 0.3}}},
}


def set_params(path: Path, changes: dict[str, object]) -> None:
    """Change values of a params.yaml by dotted path (the comments are lost)."""
    params = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        section[last] = value
    path.write_text(yaml.dump(params, Dumper=yaml.CSafeDumper, sort_keys=False))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The file that takes longest comes first: where files go to several processes, nobody waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds data/digits as the download stage writes it."""
    from overgen.data import sources

    root = tmp_path_factory.mktemp("digits")
    before = Path.cwd()
    os.chdir(root)
    try:
        sources.prepare("digits", Path("data/digits"))
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def workspace(tmp_path: Path, digits: Path) -> Path:
    """A directory in which stages run on digits: tiny params.yaml, dvc.yaml, the source and the data."""
    return make_workspace(tmp_path / "workspace", digits)


def make_workspace(path: Path, digits: Path) -> Path:
    path.mkdir()
    for name in ("dvc.yaml", "params.yaml"):
        (path / name).write_text((ROOT / name).read_text())
    set_params(path / "params.yaml", others_left_out(path / "params.yaml") | TINY)
    (path / "src").mkdir()
    (path / "src/overgen").symlink_to(ROOT / "src/overgen")
    shutil.copytree(ROOT / "src/own", path / "src/own")  # a test may add to it
    (path / "budgets").symlink_to(ROOT / "budgets")
    (path / "data").symlink_to(digits / "data")
    return path


def others_left_out(path: Path) -> dict[str, object]:
    """Changes that leave a params.yaml the sections of digits only: DVC reads the file again for every stage."""
    sections = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return {
        k: {"digits": v["digits"]} for k, v in sections.items() if isinstance(v, dict) and {"digits", "mnist"} <= set(v)
    }


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**extra: str) -> dict[str, str]:
    """The environment of a stage in a test: this interpreter's programs first, no tracking."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "OVERGEN_TRACKING": "off"} | extra


def hears_ctrl_c() -> None:
    """For `preexec_fn`: SIGINT as at a terminal. Whoever runs the tests in the background may have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def warm_process(**extra: str) -> Iterator[str]:
    """A warm process (see overgen.warm) for as long as the context lasts. Gives its address."""
    command = [sys.executable, "-m", "overgen.warm", "sh", "-c", 'echo "$OVERGEN_WARM"; exec cat']
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment(**extra), text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def warm() -> Iterator[str]:
    """The address of a warm process: stages of tests start in a second rather than in ten."""
    with warm_process() as address:
        yield address


@pytest.fixture
def run_stage(warm: str) -> Run:
    """Run a stage in a workspace as DVC would: run_stage(workspace, "train_classifier", model="cnn")."""

    def run(
        workspace: Path, stage: str, *, dataset: str = "digits", model: str = "", check: bool = True, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "overgen.run", f"stages.{stage}", "--dataset", dataset]
        command += ["--model", model] if model else []
        given = environment(OVERGEN_WARM=warm) | extra
        done = subprocess.run(command, cwd=workspace, env=given, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
