"""Made-up cells have the form of real ones: the same files, columns, arrays and kinds of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from overgen.run.files import read_json
from overgen.run.results import parts

from made_up import example_cell
from workspace import Study

STARTS = {"starts": ["noise", "mean_image", "other_class"]}
WITNESSED = {"attacked": ["cnn", "dae_sym"]}
LIKE_THE_STUDY: dict[tuple[str, str], dict[str, Any]] = {  # options of examples, for cells of the tiny study
    ("collect_fooling", "attacked"): {"counts": {("fool_fgn", "cnn"): 3, ("fool_evolution", "cnn"): 4}},
    ("evaluate_fooling", "cnn"): WITNESSED,
    ("evaluate_fooling", "dae_sym"): WITNESSED,
    ("evaluate_openset", "dae_sym"): {"longer": 2},
    ("explore_compression", "codes"): {
        "sizes": {"ae": (2, 8), "dae": (8,), "linear": (2, 8), "ae_mse": (8,), "pca": (2, 8)},
        "size": 8,
        "kinds": ("test", "silhouettes", "shuffled", "noise"),
        "shown": (2,),
    },
    ("explore_denoising", "codes"): {
        "ways": ("noisy", "median", "nlm", "pca", "ae", "dae", "dae_sym"),
        "levels": {"gaussian": (0.2, 0.5), "salt_and_pepper": (0.1, 0.2)},
    },
    ("explore_features", "networks"): {"witnesses": ["dae_sym"]},
    ("fool_fgn", "cnn"): {"variants": {"lr_1e-3": 39}},
    ("fool_fgn", "dae_sym"): {"scaled": 3.0},
    ("fool_controls", "dae_sym_gate_off"): STARTS,
    ("fool_gradient", "cnn"): STARTS,
    ("fool_gradient", "dae_sym"): STARTS,
    ("fool_variants", "dae_sym_gate_off"): {"base": "dae_sym"},
    ("fool_variants", "dae_sym_l2_10"): {"base": "dae_sym", "scaled": 3.0},
    ("retrain_on_fooling", "lenet"): {"rounds": 1},
    ("train_autoencoder", "dae_sym"): {"tested": True},
    ("train_codes", "codes"): {
        "sizes": {"ae": (2, 8), "dae": (8,), "linear": (2, 8), "ae_mse": (8,), "vae": (8,)},
        "own": {"linear": 3},
    },
    ("train_classifier", "cnn"): {"tested": True},
    ("train_classifier", "lenet"): {"tested": True},
}


def kinds_of_rows(cell: Path) -> set[tuple[Any, ...]]:
    """Of each row the experiment, the metric, what keys it has, and the unit, without values."""
    return {
        (row["experiment"], row["unit"], *(key if key != "metric" else f"metric={value}" for key, value in of.items()))
        for row in read_json(cell / "metrics.json")["metrics"]
        for of in [parts(row["metric"])]
    }


def contents(cell: Path) -> dict[str, Any]:
    """What a cell's files are made of: columns of tables, "network:what" without the network's name; types and
    dimensions of arrays."""
    found: dict[str, Any] = {path.name: None for path in cell.iterdir()}
    for path in cell.glob("*.csv"):
        found[path.name] = sorted({str(column).rpartition(":")[2] for column in pd.read_csv(path).columns})
    for path in cell.glob("*.npz"):
        with np.load(path) as arrays:
            found[path.name] = {name: (arrays[name].dtype.kind, arrays[name].ndim) for name in arrays.files}
    return found


def test_every_stage_with_cells_has_an_example(study: Study) -> None:
    examples = (study.root / "src/overgen/stages").glob("*/example.py")
    of_study = {stage for stage, _, model in study.cells if model}
    assert of_study | {"adopt"} == {path.parent.name for path in examples}  # no network from elsewhere is in the study


def test_made_up_cells_have_the_form_of_real_ones(study: Study, tmp_path: Path) -> None:
    for stage, dataset, model in study.cells:
        if not model:
            continue
        real, options = study.cell(stage, model, dataset), LIKE_THE_STUDY.get((stage, model), {})
        made_up = example_cell(tmp_path, stage, model, dataset=dataset, **options)
        assert contents(made_up) == contents(real), real
        assert kinds_of_rows(made_up) >= kinds_of_rows(real), real
        assert set(read_json(made_up / "metrics.json")["budget"]) <= set(read_json(real / "metrics.json")["budget"])
