"""The stage fool_variants on the tiny study."""

from __future__ import annotations

from overgen.run.files import read_json
from overgen.stages.fool_variants import run as fool_variants

from workspace import Study


def test_a_variant_is_named_after_its_network(study: Study) -> None:
    found = read_json(study.cell("fool_variants", "dae_sym_l2_10") / "metrics.json")
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


def test_rows_of_a_variant_stand_where_the_paper_reports_them() -> None:
    rows = [{"experiment": "fgn", "metric": "m"}, {"experiment": "fgn_on_scaled_output", "metric": "m"}]
    assert fool_variants.named(rows, "dae_sym_sigmoid_units", "dae_sym") == [
        {"experiment": "fgn_sigmoid_units", "metric": "m", "model": "dae_sym"},
        {"experiment": "fgn_on_scaled_output", "metric": "m"},
    ]
