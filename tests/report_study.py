"""A made-up study for tests of the report: the cells of a data set, each by its stage's own example."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from overgen.report.build import build_report
from overgen.report.index import write_index
from overgen.report.study import Study, read_study
from overgen.run import params
from overgen.run.files import read_json
from overgen.run.plans import Plan

from made_up import example_cell
from workspace import ROOT, locked

FOOLED = {"cnn": 40, "cool": 12, "dae_sym": 0}  # of 40 trials, attack on y
SCORES = {"cnn": ["softmax", "knn", "pca_pixels"], "dae_sym": ["scaled_output_alpha20", "knn"]}
SETTINGS = {
    "training.mnist.batch_size": 37,
    "confidence.mnist.thresholds": [{"tau": 0.9, "alpha": 20.0}],
    "evaluate_calibration.mnist.attack.restarts": 3,
    "evaluate_calibration.mnist.attack.attacks": [{"updates": 1500}, {"updates": 300}],
    "evaluate_scores.keep": 0.95,
    "attack_scores.mnist.starts": ["noise", "other_data"],
    "attack_scores.mnist.images": 40,
    "attack_scores.mnist.attempts": [{"attack": "autopgd", "updates": 500}],
    "attack_scores.mnist.ball_attempts": [{"attack": "square", "updates": 100}],
    "attack_denoiser.mnist.beside": "dae_sym",
    "attack_denoiser.mnist.sigmas": [0.1, 0.4],
    "attack_denoiser.mnist.unknown_images": 100,
    "attack_denoiser.mnist.images": 40,
    "attack_denoiser.mnist.attempts": [{"attack": "autopgd", "updates": 100}],
    "attack_denoiser.mnist.ball_attempts": [{"attack": "autopgd", "updates": 50}],
    "attack_denoiser.mnist.likelihood.steps": 8,
    "attack_denoiser.mnist.likelihood.images": 10,
    "attack_denoiser.mnist.likelihood.attempts": [{"attack": "autopgd", "updates": 15}],
    "attack_denoiser.mnist.likelihood.ball_attempts": [{"attack": "autopgd", "updates": 5}],
    "judge_by_eye.least": 10,
    "defend_scores.mnist.known_images": 1000,
    "defend_scores.mnist.images": 40,
    "defend_scores.mnist.starts": ["noise", "other_data"],
    "defend_scores.mnist.attempts": [{"attack": "autopgd", "updates": 100}],
    "defend_scores.mnist.ball_attempts": [{"attack": "autopgd", "updates": 30}],
    "defend_scores.mnist.ensemble": ["dae_sym", "dae_asym"],
    "defend_scores.mnist.smoothing.sigma": 0.2,
    "defend_scores.mnist.smoothing.draws": 100,
    "defend_scores.mnist.smoothing.attack_draws": 16,
    "defend_scores.mnist.smoothing.certificate_draws": 500,
    "defend_scores.mnist.smoothing.error": 0.001,
    "defend_scores.mnist.adversarial.images": 5000,
    "defend_scores.mnist.adversarial.held_out": 100,
    "defend_scores.mnist.adversarial.epochs": 5,
    "defend_scores.mnist.adversarial.radius": 0.1,
    "train_oneclass.mnist.training.dae_sym.l2": 10.0,
    "train_oneclass.mnist.training.dae_sym.noise_std": None,
    "train_oneclass.mnist.training.cool.l2": 10.0,
}


BANDS = params.load(ROOT / "params.yaml").report.bands


def cells(*, full: bool = False, dataset: str = "mnist") -> dict[str, dict[str, dict[str, Any]]]:
    """The options of each made-up cell by stage and model, in the order of dvc.yaml. full: at the papers' budget."""
    epochs = {"epochs": 100 if full else 10}
    attacked = list(FOOLED)
    trained = {
        model: {f"train_{'autoencoder' if model == 'dae_sym' else 'classifier'}.{dataset}.{name}": n
                for name, n in (("epochs", epochs["epochs"]), ("seeds", 1))} for model in FOOLED
    }  # fmt: skip
    openset = {f"train_openset.{dataset}.epochs": epochs["epochs"], f"train_openset.{dataset}.subsets": 2}
    oneclass = {f"train_oneclass.{dataset}.classes": 10 if full else 5}
    counts = {(attack, model): n for attack, n in (("fool_fgn", 1000), ("fool_evolution", 20)) for model in attacked}
    return {
        "train_classifier": {"cnn": epochs | {"tested": True}, "cool": epochs},
        "train_autoencoder": {"autoencoder": epochs, "dae_sym": epochs},
        "train_variants": {"dae_sym_l2_10": epochs},
        "remove_gate": {"dae_sym": {}},
        "search_choices": {"cool": {}},
        "fool_fgn": {
            model: {
                "fooled": fooled,
                "budget": trained[model],
                "updates": 10_000 if full else 500,
                "variants": {"lr_1e-3": 39} if model == "cnn" else {},
                "scaled": 3.0 if model == "dae_sym" else None,
            }
            for model, fooled in FOOLED.items()
        },
        "fool_variants": {
            "dae_sym_l2_10": {"base": "dae_sym", "fooled": 0, "scaled": 3.0},
            "dae_sym_gate_off": {"base": "dae_sym"},
        },
        "fool_controls": {"dae_sym_gate_off": {}},
        "fool_gradient": {model: {"budget": trained[model]} for model in attacked},
        "fool_evolution": {model: {"budget": trained[model]} for model in attacked},
        "retrain_on_fooling": {"lenet": {}},
        "evaluate_fooling": {model: {"attacked": attacked, "budget": trained[model]} for model in attacked},
        "evaluate_confidence": {model: {"budget": trained[model]} for model in attacked},
        "evaluate_calibration": {
            "cnn": {"budget": trained["cnn"]},
            "cool": {"refused": "the scores are no softmax"},
            "dae_sym": {"temperature": 0.5, "fooled": (1.0, 0.4), "budget": trained["dae_sym"]},
        },
        "train_openset": {"cnn": epochs, "dae_sym": epochs},
        "evaluate_openset": {"cnn": {"longer": 100, "budget": openset}, "dae_sym": {"budget": openset}},
        "train_perceptrons": {"perceptrons": {}},
        "fool_lbfgs": {"perceptrons": {"budget": {f"train_perceptrons.{dataset}.epochs": 3}}},
        "transfer_between_halves": {"perceptrons": {}},
        "train_adversarially": {"perceptrons": {}},
        "fool_smallest": {model: {"budget": trained[model]} for model in attacked},
        "collect_fooling": {"attacked": {"counts": counts}},
        "evaluate_scores": {model: {"methods": methods, "budget": openset} for model, methods in SCORES.items()},
        "evaluate_unknowns": {
            "cnn": {"methods": ["softmax", "knn", "pca_pixels"], "budget": trained["cnn"]},
            "dae_sym": {
                "methods": ["softmax", "knn", "scaled_output_alpha20"],
                "budget": trained["dae_sym"],
                "refused": {"energy": "no logit for each class"},
            },
        },
        "attack_scores": {
            "cnn": {"no_class": {"knn_pixels": 0.3}, "budget": trained["cnn"]},
            "dae_sym": {
                "methods": ["scaled_output_alpha3", "scaled_output_alpha20"],
                "moved": {"scaled_output_alpha3": 0.0},
                "refused": {"w_svm": "its threshold is 0, the end of its range"},
                "budget": trained["dae_sym"],
            },
        },
        "train_denoiser": {"denoiser": {}},
        "attack_denoiser": {"denoiser": {"budget": trained["cnn"]}},
        "judge_by_eye": {"people": {"people": {"anna": 0.1, "ben": 0.3}, "budget": trained["cnn"]}},
        "defend_scores": {"scores": {"budget": trained["dae_sym"]}},
        "train_controls": {"cnn": {}, "dae_sym": {}},
        "evaluate_controls": {model: {"methods": methods} for model, methods in SCORES.items()},
        "train_oneclass": {"cool": epochs, "dae_sym": epochs, "ocsvm": epochs},
        "evaluate_oneclass": {
            model: {"sure": sure, "budget": oneclass}
            for model, sure in (("cool", 0.95), ("dae_sym", 1.2), ("ocsvm", 2.3))
        },
        "evaluate_oneclass_scores": {"pixels": {"budget": oneclass}},
    }


def write_study(root: Path, dataset: str = "mnist", *, full: bool = False, stages: Collection[str] = ()) -> Plan:
    """Write the made-up cells of some stages, unless given of all, below a repository's root."""
    asked = {
        stage: models for stage, models in cells(full=full, dataset=dataset).items() if stage in stages or not stages
    }
    for stage, models in asked.items():
        for model, options in models.items():
            example_cell(root / "reports/cells", stage, model, dataset=dataset, **options)
    (root / "budgets").mkdir(exist_ok=True)
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return plan_of(asked)


def study_of(root: Path, **cells: str) -> Study:
    """The study of made-up cells of some stages, each with its model. Its root is made for it."""
    for stage, model in cells.items():
        example_cell(root / "reports/cells", stage, model)
    (root / "budgets").mkdir()
    (root / "budgets/paper.txt").write_text((ROOT / "budgets/paper.txt").read_text())
    return read_study(plan_of({stage: {model: {}} for stage, model in cells.items()}), "mnist", root, bands=BANDS)


def changed(study: Study, of: Mapping[str, str], **values: float) -> Study:
    """The study with other values in the rows with some values in some columns."""
    chosen = pd.Series(True, index=study.frame.index)
    for name, wanted in of.items():
        chosen &= study.frame[name] == wanted
    assert chosen.any(), of
    frame = study.frame.copy()
    for name, value in values.items():
        frame.loc[chosen, name] = value
    return replace(study, frame=frame)


def plan_of(cells: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The plan with some cells, by stage and model."""
    return Plan({stage: list(models) for stage, models in cells.items()}, SETTINGS)


def build(root: Path, plan: Plan, dataset: str = "mnist") -> Path:
    """Build a report below a root, and the index beside it. Returns its folder."""
    output = root / "reports" / dataset
    build_report(read_study(plan, dataset, root, bands=BANDS), output, dpi=60)
    write_index(root / "reports", [dataset])
    return output


@dataclass(frozen=True)
class MadeUp:
    """root: where reports/cells lies; report: the folder of the report; study: what it was drawn from."""

    root: Path
    plan: Plan
    report: Path
    study: Study

    def text(self, name: str = "report.md") -> str:
        return (self.report / name).read_text(encoding="utf-8")

    def without(self, **of: str) -> Study:
        """The study without some rows of its frame."""
        frame = self.study.frame
        drop = pd.Series(True, index=frame.index)
        for name, value in of.items():
            drop &= frame[name] == value
        return replace(self.study, frame=frame[~drop].reset_index(drop=True))

    def cell_numbers(self) -> pd.DataFrame:
        """Every measured number of the cells that are results, from their metrics.json alone."""
        rows = []
        for path in sorted((self.root / "reports/cells/mnist").glob("*/*/metrics.json")):
            found = read_json(path)
            if found["stage"] != "search_choices":
                rows += [{"model": found["model"], **row, "stage": found["stage"]} for row in found["metrics"]]
        return pd.DataFrame(rows)


def made_up_study(root: Path) -> MadeUp:
    """The made-up study of MNIST below a root, with its report: drawn by the first process that asks for it."""
    with locked(root.with_suffix(".lock")):
        if not root.exists():
            temporary = root.with_suffix(".new")
            build(temporary, write_study(temporary))
            temporary.rename(root)
    plan = plan_of(cells(full=False, dataset="mnist"))
    return MadeUp(root, plan, root / "reports/mnist", read_study(plan, "mnist", root, bands=BANDS))


def lines_of(markdown: str) -> list[list[str]]:
    """The cells of a table by line, its head first."""
    head, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown.splitlines()]
    return [head, *lines]
