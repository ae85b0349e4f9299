"""The stage fool_variants on the tiny study."""

from __future__ import annotations

from overgen.run.files import read_json

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
