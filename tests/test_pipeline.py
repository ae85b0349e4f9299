"""The whole study with tiny budgets: end to end under DVC, killed and resumed, on one process and on two."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overgen.measures.outputs import scores_of_images
from overgen.models import registry, weights
from overgen.run.files import read_npz

from conftest import ROOT, Run, environment, make_workspace, set_params


def dvc(workspace: Path, *arguments: str, **extra: str) -> str:
    done = subprocess.run(["dvc", *arguments], cwd=workspace, env=environment(**extra), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def same(first: Path, second: Path) -> None:
    """Two directories hold the same files with the same bytes."""
    names = sorted(p.relative_to(first).as_posix() for p in first.rglob("*") if p.is_file())
    assert names
    assert names == sorted(p.relative_to(second).as_posix() for p in second.rglob("*") if p.is_file())
    differ = filecmp.cmpfiles(first, second, names, shallow=False)[1:]
    assert differ == ([], []), differ


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, digits: Path, warm: str) -> Path:
    """A finished tiny study: a Git repository as a user has it, `dvc repro report@digits` run, all committed."""
    path = make_workspace(tmp_path_factory.mktemp("study") / "overgen", digits)
    shutil.rmtree(path / "src")
    for link in ("budgets", "data"):
        (path / link).unlink()
    shutil.copytree(ROOT / "src", path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "budgets", path / "budgets")
    ignored = (ROOT / ".gitignore").read_text().splitlines()  # the repository's own, but digits are committed here
    (path / ".gitignore").write_text("\n".join(line for line in ignored if "digits" not in line) + "\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q"], cwd=path, check=True)
    dvc(path, "init", "-q")
    dvc(path, "repro", "report@digits", OVERGEN_WARM=warm)
    subprocess.run([*git, "add", "-A"], cwd=path, check=True)
    subprocess.run([*git, "commit", "-qm", "study"], cwd=path, check=True)
    return path


def test_the_whole_study_runs_and_a_second_run_does_nothing(study: Path) -> None:
    report = study / "reports/digits"
    assert (report / "report.md").stat().st_size > 1000
    assert (report / "report.html").exists()
    # DVC would write a .gitignore into folders that the root's does not cover, and then hash it
    assert [p for p in study.rglob(".gitignore") if ".dvc" not in p.parts] == [study / ".gitignore"]
    assert "Running stage" not in dvc(study, "repro", "report@digits")


def test_numbers_can_be_traced_to_dvc_lock(study: Path) -> None:
    """Every number's md5 is what dvc.lock records for the cell that it names."""
    import pandas as pd
    import yaml

    lock = yaml.safe_load((study / "dvc.lock").read_text())["stages"]
    recorded = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    rows = pd.read_csv(study / "reports/digits/reproduced.csv")
    assert len(rows) > 20
    for cell, md5 in zip(rows["cell"], rows["md5"], strict=True):
        assert recorded[cell] == md5


def test_models_of_a_stage_may_have_epochs_of_their_own(study: Path) -> None:
    for model, epochs in (("dae_sym", 1), ("autoencoder", 2)):
        cell = study / "reports/cells/digits/train_autoencoder" / model
        assert len(pd.read_csv(cell / "curves.csv")) == epochs
        budget = json.loads((cell / "metrics.json").read_text())["budget"]
        assert budget["train_autoencoder.digits.epochs"] == epochs


def test_a_variant_is_trained_as_its_stage_says_and_named_after_its_network(study: Path) -> None:
    first = {
        stage: (study / f"reports/cells/digits/{stage}/{model}/curves.csv").read_text().splitlines()[1]
        for stage, model in (("train_autoencoder", "dae_sym"), ("train_variants", "dae_sym_l2_10"))
    }
    assert first["train_autoencoder"] != first["train_variants"]
    found = json.loads((study / "reports/cells/digits/fool_variants/dae_sym_l2_10/metrics.json").read_text())
    kinds = {(row["experiment"], row.get("model"), row["metric"].split("@")[0]) for row in found["metrics"]}
    names = (
        "fooling_rate",
        "fooling_rate_over_classes",
        "classes_fooled",
        "fooling_rate_in_8_bits",
        "mean_steps_to_fool",
        "thresholded_accuracy",
    )
    assert kinds == {("fgn_l2_10", "dae_sym", n) for n in names} | {("fgn_on_scaled_output", None, n) for n in names}


def test_a_model_without_epochs_of_its_own_is_named(workspace: Path, run_stage: Run) -> None:
    set_params(workspace / "params.yaml", {"train_classifier.digits.epochs": {"cool": 1}})
    done = run_stage(workspace, "train_classifier", model="cnn", check=False)
    assert done.returncode == 1
    assert "params.yaml, train_classifier.digits.epochs: none for cnn; give one number" in done.stderr


def test_a_search_ranks_settings_on_held_out_images(study: Path) -> None:
    table = pd.read_csv(study / "reports/cells/digits/search_choices/dae_sym/settings.csv")
    assert table["setting"].tolist() == ["base", "batch_size: 256", "unpooling: switches, l2: 5"]
    assert table.iloc[0, 1:].equals(table.iloc[1, 1:])  # the same options: the same streams, the same training
    assert (table.iloc[0, 1:] != table.iloc[2, 1:]).any()
    hits = table["accuracy@tau=0,alpha=0"]
    assert (hits == hits.round()).all()  # of the 100 that were held out, not of the 500 test images
    page = (study / "reports/digits/assumptions.md").read_text()
    assert "unpooling: switches, l2: 5" in page
    assert "Used in the study: batch_size 256, unpooling zeros, l2 0" in page
    assert "### What was tried" in (study / "reports/digits/report.md").read_text()


def test_every_trial_is_in_the_evidence(study: Path) -> None:
    """The rates in metrics.json are those of the rows in trials.csv."""
    import pandas as pd

    cell = study / "reports/cells/digits/fool_fgn/cnn"
    for model, updates in (("cnn", 3), ("dae_sym", 2)):  # by model, as params.yaml says
        written = json.loads((cell.parent / model / "metrics.json").read_text())
        assert written["budget"]["fool_fgn.digits.updates"] == updates
    trials = pd.read_csv(cell / "trials.csv")
    metrics = json.loads((cell / "metrics.json").read_text())["metrics"]
    rate = next(m for m in metrics if m["metric"] == "fooling_rate" and m["tau"] == 0.9)
    column = next(c for c in trials if c.startswith("step@tau=0.9,"))
    trials = trials.set_index(["seed", "target", "trial"])
    variant, trials = (trials[trials["objective"] == name] for name in ("lr_1e-3", "y"))
    assert len(trials) == len(variant) == 2 * 10 * 1  # seeds × classes × trials
    left = trials[column].isna() & variant[column].isna()  # that go on: at another rate they end elsewhere
    assert left.any()
    assert (trials["final_log_y"] != variant["final_log_y"])[left].all()
    assert rate["reproduced"] == pytest.approx(100 * trials[column].notna().mean())
    assert rate["n"] == len(trials)


def test_every_fgn_success_is_saved(study: Path) -> None:
    """A picture for each passage of a trial, of which trials.csv has the score by the network that it fooled."""
    cell = study / "reports/cells/digits/fool_fgn/cnn"
    trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
    metrics = {
        (m["experiment"], m["metric"], m["tau"]): m for m in json.loads((cell / "metrics.json").read_text())["metrics"]
    }
    assert kept["image"].dtype == np.uint16
    assert (kept["score"] > kept["tau"] - 1e-5).all()  # 16 bits are enough
    for tau in (0.9, 0.99):
        passed, score = trials[f"step@tau={tau},alpha=0"].notna(), trials[f"score_in_8_bits@tau={tau},alpha=0"]
        assert passed.any()
        assert score.notna().tolist() == passed.tolist()
        mine = kept["tau"] == tau
        assert kept["trial"][mine].tolist() == np.flatnonzero(passed).tolist()
        for seed in (0, 1):
            network, _ = registry.load(study / weights.weights_path("digits", "cnn", seed))
            rows = kept["trial"][mine][trials.loc[kept["trial"][mine], "seed"] == seed]
            of_seed = mine & np.isin(kept["trial"], rows)
            images = kept["image"][of_seed] / 65535
            for stored, shown in ((kept["score"][of_seed], images), (score[rows], np.rint(images * 255) / 255)):
                again = scores_of_images(network, shown, np.zeros(len(rows)), beta=0.0, probes=1)
                np.testing.assert_allclose(stored, again[np.arange(len(rows)), trials.loc[rows, "target"]], atol=1e-6)
        variant = trials["objective"] == "lr_1e-3"
        rate = metrics["fgn_lr_1e-3", "fooling_rate_in_8_bits", tau]
        assert rate["reproduced"] == pytest.approx(100 * (score[variant] > tau).mean())


def test_every_champion_that_fools_is_saved(study: Path) -> None:
    """Of every run, class and encoding, scored by the network of its seed."""
    cell = study / "reports/cells/digits/fool_evolution/cnn"
    trials, kept = pd.read_csv(cell / "trials.csv"), read_npz(cell / "successes.npz")
    assert len(trials) == 2 * 2 * 2 * 10  # encodings, seeds, runs, classes
    assert kept["trial"].tolist() == np.flatnonzero(trials["confidence"] > 0.99).tolist()
    assert len(kept["trial"]) > 0
    assert kept["image"].dtype == np.uint16
    mine = trials.iloc[kept["trial"]]
    assert kept["score"] == pytest.approx(mine["confidence"].to_numpy(), abs=1e-5)
    assert (mine["score_in_8_bits"].notna()).all()
    assert trials["score_in_8_bits"].count() == len(mine)
    rows = {(m["experiment"], m["metric"]): m for m in json.loads((cell / "metrics.json").read_text())["metrics"]}
    for encoding in ("direct", "cppn"):
        of = trials[trials["encoding"] == encoding]
        for metric, score in (("fooling_rate", "confidence"), ("fooling_rate_in_8_bits", "score_in_8_bits")):
            row = rows[f"evolution_{encoding}", metric]
            assert (row["tau"], row["n"]) == (0.99, 40)
            assert row["reproduced"] == pytest.approx(100 * (of[score] > 0.99).mean())


def test_a_fresh_clone_with_a_remote_is_up_to_date(study: Path, tmp_path: Path) -> None:
    """Push to a directory remote, clone, pull: nothing is left to run; nor, with --allow-missing, before the pull."""
    shutil.copytree(study, tmp_path / "origin", symlinks=True)
    origin, remote, clone = tmp_path / "origin", tmp_path / "remote", tmp_path / "clone"
    dvc(origin, "remote", "add", "-q", "-d", "store", str(remote))
    dvc(origin, "push", "-q")
    subprocess.run(["git", "clone", "-q", str(origin), str(clone)], check=True)
    assert "Running stage" not in dvc(clone, "repro", "--allow-missing", "--dry", "report@digits")
    dvc(clone, "remote", "add", "-q", "-d", "store", str(remote))
    dvc(clone, "pull", "-q")
    assert (clone / "models/digits/cnn/members/outputs.npz").exists()
    assert "Running stage" not in dvc(clone, "repro", "report@digits")


def test_nothing_is_trained_again_in_a_clone_without_cache(study: Path, tmp_path: Path) -> None:
    """The published weights and outputs, of all seeds, are enough to attack: on any processor."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(study), str(clone)], check=True)
    attacks = ("fool_fgn@digits-cnn", "fool_gradient@digits-dae_sym", "fool_variants@digits-dae_sym_l2_10")
    for attack in attacks:
        folder = clone / "models/digits" / attack.partition("-")[2]
        assert (folder / "seed0.safetensors").exists()
        assert (folder / "members/outputs.npz").exists()
    assert "Running stage" not in dvc(clone, "repro", "--allow-missing", "--dry", *attacks)  # data are missing only


def test_the_report_is_redrawn_from_the_cells_alone(study: Path, tmp_path: Path) -> None:
    """Without data and models, `overgen figures` gives the bytes that `dvc repro` gave."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(study), str(clone)], check=True)
    assert not (clone / "data").exists()
    shutil.rmtree(clone / "reports/digits")
    command = [sys.executable, "-m", "overgen.cli", "figures"]
    subprocess.run(command, cwd=clone, env=environment(), check=True, capture_output=True)
    same(study / "reports/digits", clone / "reports/digits")


def started(workspace: Path, stage: str, model: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"overgen.stages.{stage}", "--dataset", "digits", "--model", model]
    return subprocess.Popen(
        command, cwd=workspace, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_when(workspace: Path, stage: str, model: str, pattern: str) -> list[str]:
    """Start a stage, kill −9 it as soon as a progress file appears; returns the finished members, of all runs."""
    whole = f".overgen/progress/{stage}/*/*/{pattern}"
    earlier = set(workspace.glob(whole))
    process = started(workspace, stage, model)
    deadline = time.monotonic() + 120
    while not set(workspace.glob(whole)) - earlier:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return sorted(p.name for p in workspace.glob(f".overgen/progress/{stage}/*/*/*.npz"))


def results(workspace: Path, model: str) -> list[Path]:
    return [workspace / "models/digits" / model, workspace / "reports/cells/digits/train_classifier" / model]


def test_a_killed_run_resumes_to_the_same_bytes_and_never_with_other_parameters(
    tmp_path: Path, digits: Path, run_stage: Run
) -> None:
    whole, killed = (make_workspace(tmp_path / name, digits) for name in ("whole", "killed"))
    for workspace in (whole, killed):
        budget = {"train_classifier.digits": {"epochs": 5, "seeds": [0, 1]}}  # seconds to be killed in
        set_params(workspace / "params.yaml", {"classifiers": ["cnn", "lenet"]} | budget)
    run_stage(whole, "train_classifier", model="lenet")

    # killed in the middle of the second member: the first is whole, and nothing is among the outputs
    assert kill_when(killed, "train_classifier", "lenet", "seed1.epochs/last.ckpt") == ["seed0.npz"]
    assert not (killed / "models").exists()
    assert not (killed / "reports").exists()
    copy = tmp_path / "changed"
    shutil.copytree(killed, copy, symlinks=True)
    # another learning rate for a while, killed too, does not cost what was done
    set_params(killed / "params.yaml", {"training.digits.learning_rate": 0.003})
    (progress,) = killed.glob(".overgen/progress/train_classifier/*/*")
    for age, name in enumerate(("old", "older", "oldest")):  # of which only the newest two others stay
        (progress.parent / name).mkdir()
        os.utime(progress.parent / name, (100 - age, 100 - age))
    kill_when(killed, "train_classifier", "lenet", "seed0.epochs/last.ckpt")
    kept = {path.name for path in progress.parent.iterdir()}
    assert {progress.name, "old"} < kept
    assert len(kept) == 3
    set_params(killed / "params.yaml", {"training.digits.learning_rate": 0.001})
    done = run_stage(killed, "train_classifier", model="lenet")
    assert "seed0 was finished by an earlier run" in done.stderr
    assert "seed1 goes on from its last whole epoch" in done.stderr
    for first, second in zip(results(whole, "lenet"), results(killed, "lenet"), strict=True):
        same(first, second)
    assert not progress.exists()

    # the same kill, then another learning rate: neither the finished member nor the half-trained one is reused
    set_params(copy / "params.yaml", {"training.digits.learning_rate": 0.002})
    done = run_stage(copy, "train_classifier", model="lenet")
    assert "was finished by an earlier run" not in done.stderr
    assert "goes on from" not in done.stderr
    assert not filecmp.cmp(
        results(whole, "lenet")[0] / "seed0.safetensors", results(copy, "lenet")[0] / "seed0.safetensors", False
    )


def test_two_processes_give_the_same_bytes_as_one(tmp_path: Path, digits: Path, run_stage: Run) -> None:
    """gloo, one thread each, started by Lightning and by torchrun: rank 1 trains the second member as if alone."""
    one, two, three = (make_workspace(tmp_path / name, digits) for name in ("one", "two", "three"))
    for workspace in (one, two, three):
        set_params(workspace / "params.yaml", {"classifiers": ["cnn", "lenet"]})
    run_stage(one, "train_classifier", model="lenet")
    devices = {"OVERGEN_ACCELERATOR": "cpu", "OVERGEN_DEVICES": "2"}
    done = run_stage(two, "train_classifier", model="lenet", **devices)
    command = re.findall(r"^    OVERGEN_DEVICES=2 (torchrun .*)$", (ROOT / "README.md").read_text(), re.M)[0]
    command = command.replace("mnist", "digits").replace("cnn", "lenet").split()
    by_torchrun = subprocess.run(command, cwd=three, env=environment(**devices), capture_output=True, text=True)
    assert by_torchrun.returncode == 0, by_torchrun.stderr
    for workspace, errors in ((two, done.stderr), (three, by_torchrun.stderr)):
        assert "rank 0 of 2 is done" in errors
        assert "rank 1 of 2 is done" in errors
        for first, second in zip(results(one, "lenet"), results(workspace, "lenet"), strict=True):
            same(first, second)


def test_tracking_changes_no_byte(tmp_path: Path, digits: Path, run_stage: Run) -> None:
    """A stage that logs to MLflow writes what it writes with tracking off; so does one whose server is away."""
    off, on, away = (make_workspace(tmp_path / name, digits) for name in ("off", "on", "away"))
    run_stage(off, "train_autoencoder", model="autoencoder")
    run_stage(on, "train_autoencoder", model="autoencoder", OVERGEN_TRACKING="on", MLFLOW_TRACKING_URI="")
    assert (on / "mlflow.db").exists()
    done = run_stage(
        away, "train_autoencoder", model="autoencoder", OVERGEN_TRACKING="on", MLFLOW_TRACKING_URI="http://127.0.0.1:9"
    )
    assert "http://127.0.0.1:9" in done.stderr
    for folder in ("models/digits/autoencoder", "reports/cells/digits/train_autoencoder/autoencoder"):
        same(off / folder, on / folder)
        same(off / folder, away / folder)


def test_bad_input_is_named_and_nothing_is_written(workspace: Path, run_stage: Run) -> None:
    cases = [
        ({"dataset": "cifar", "model": "cnn"}, "dataset 'cifar' is unknown"),
        ({"dataset": "digits", "model": "vgg"}, "model 'vgg' is unknown"),
    ]
    for item, message in cases:
        done = run_stage(workspace, "train_classifier", check=False, **item)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    done = run_stage(workspace, "fool_fgn", model="cnn", check=False)
    assert done.returncode == 1
    assert "models/digits/cnn/members: missing; `dvc repro fool_fgn@digits-cnn` makes it first" in done.stderr
    assert not (workspace / "reports").exists()


def test_a_full_disk_leaves_the_earlier_result(tmp_path: Path) -> None:
    """A file size limit stands for a full disk: the kernel refuses the write in the middle."""
    script = """
import resource, signal, sys, numpy as np
from pathlib import Path
from overgen.artifacts import OvergenError, write_npz, write_text, save_weights
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
write_text("result.json", "before")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).random(200_000)
import torch
for attempt in (lambda: write_npz("result.npz", a=noise), lambda: write_text("result.json", "x" * 200_000),
                lambda: save_weights("w.safetensors", {"w": torch.from_numpy(noise)}, {})):
    try:
        attempt()
    except OvergenError as error:
        assert "could not be written" in str(error) and "MiB free" in str(error), error
    else:
        sys.exit("no error")
assert Path("result.json").read_text() == "before"
assert not Path("result.npz").exists() and not Path("w.safetensors").exists()
assert not list(Path(".overgen/tmp").iterdir())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_tracking_off_imports_neither_mlflow_nor_dvc(workspace: Path) -> None:
    script = (
        "import runpy, sys; sys.argv = ['x', '--dataset', 'digits', '--model', 'cnn'];"
        "runpy.run_module('overgen.stages.train_classifier', run_name='__main__', alter_sys=True);"
        "loaded = {name.split('.')[0] for name in sys.modules};"
        "sys.exit(1 if loaded & {'mlflow', 'dvc', 'seaborn'} else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=workspace, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
