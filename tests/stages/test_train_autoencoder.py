"""The stage train_autoencoder on the tiny study."""

from __future__ import annotations

import pandas as pd

from overgen.run.files import read_json

from workspace import Study


def test_models_of_a_stage_may_have_epochs_of_their_own(study: Study) -> None:
    for model, epochs in (("dae_sym", 1), ("autoencoder", 2)):
        cell = study.cell("train_autoencoder", model)
        assert len(pd.read_csv(cell / "curves.csv")) == epochs
        assert read_json(cell / "metrics.json")["budget"]["train_autoencoder.digits.epochs"] == epochs
