"""Variants of networks in the report."""

from __future__ import annotations

from overgen.models.params import base_of
from overgen.report.names import model_name
from overgen.report.seeds import by_seed
from overgen.report.study import Study
from overgen.report.tables import Table
from overgen.stages.fool_fgn.report import experiment_name as experiment_name  # the attack is that of fool_fgn
from overgen.stages.fool_fgn.report import fooling_table, seed_rates


def network_variants(study: Study) -> Table:
    """As `fooling`, for variants of the networks (Spigler 2019, Section 4.2), each below the one that it changes."""
    variants, scaled = study.cells("fool_variants"), set(study.rows(experiment="fgn_on_scaled_output")["model"])
    entries = []
    for model in study.cells("fool_fgn"):
        changed = [variant for variant in variants if base_of(variant, study.cells("fool_fgn")) == model]
        entries += [(f"{model_name(model)}, as in the study", "fgn", model)] * bool(changed)
        for variant in changed:
            entries.append((model_name(variant), f"fgn_{variant.removeprefix(f'{model}_')}", model))
            entries += [("the same, attack on ỹ", "fgn_on_scaled_output", variant)] * (variant in scaled)
    return fooling_table(study, "network_variants", entries)


def variants_by_seed(study: Study) -> Table:
    """The rates of the attack on y of each seed's network."""
    entries = []
    for variant in study.cells("fool_variants"):
        base = base_of(variant, study.cells("fool_fgn"))
        entries.append((variant, f"fgn_{variant.removeprefix(f'{base}_')}", base))
    return by_seed(study, "variants_by_seed", seed_rates(study, "fool_variants", entries))


TABLES = (network_variants, variants_by_seed)
