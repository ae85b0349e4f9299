"""The stage train_variants on the tiny study."""

from __future__ import annotations

from workspace import Study


def test_a_variant_is_trained_as_its_stage_says(study: Study) -> None:
    first = {
        stage: (study.cell(stage, model) / "curves.csv").read_text().splitlines()[1]
        for stage, model in (("train_autoencoder", "dae_sym"), ("train_variants", "dae_sym_l2_10"))
    }
    assert first["train_autoencoder"] != first["train_variants"]
