"""What decides each claim of the guided pages: which number of the cells in Git, and on which side of what limit."""

from __future__ import annotations

from typing import Any

import pytest

from overgen.report.claims import verdict
from overgen.report.modules import of_stage
from overgen.report.study import Row, read_study
from overgen.run.plans import plans
from report_study import BANDS

from workspace import ROOT

# As set before the runs. The limit's side is where the claim holds.
NOISE = "called_a_class@phase@score=y"  # of MNIST's kinds the one that is called a class most often
ADVERSARIAL = "difference@training=adversarial"
DECIDED_BY: dict[str, tuple[tuple[str, str, str, str, float], ...]] = {  # model, number, τ, side and limit
    "a_random_image_is_noise": (("dae_sym", "log_volume@score=scaled", "0.99", "below", -6),),
    "classifiers_call_noise_a_class": (("cnn", NOISE, "0.99", "above", 5),),
    "scaled_output_knows_noise": (("dae_sym", "called_a_class@uniform@score=scaled", "0.99", "below", 5),),
    "sure_of_other_classes": (("images", "sure@other-class", "0.9", "above", 50),),
    "sure_of_noise": (("images", "sure@phase", "0.9", "above", 50),),
    "misclassified_neighbours_have_no_measure": (("ae400_10", "label_changed", "", "below", 1),),
    "stability_is_a_power": (("ae400_10", "largest_gap", "", "below", 5),),
    "passes_to_other_images": (
        ("fc100_100_10_other_half", "more_than_noise@made_for=fc100_100_10@rms=0.1", "", "above", 0),
    ),
    "images_over_architecture": (
        ("fc123_456_10", "same_half_more@made_for=fc100_100_10@other=fc100_100_10_other_half@rms=0.1", "", "above", 0),
    ),
    "below_weight_decay": (("fc100_100_10", f"error_{ADVERSARIAL}@than=weight_decay", "", "below", 0),),
    "below_dropout": (("fc100_100_10", f"error_{ADVERSARIAL}@than=dropout", "", "below", 0),),
    "hidden_layers_needed": (("fc100_100_10", f"error_{ADVERSARIAL}_pixels@than=adversarial", "", "above", 0),),
    "larger_changes": (("fc100_100_10", f"distortion_{ADVERSARIAL}@than=weight_decay", "", "above", 0),),
    "almost_no_dimension": (("images", "share_of_pixels@estimator=two_nn", "", "below", 5),),
    "more_images_more_dimensions": (("images", "growth@estimator=mle", "", "above", 1),),
    "mixed_classes_mislead": (("images", "mixed_growth@estimator=correlation", "", "below", 1),),
    "views_have_about_seven": (("images", "views_off@estimator=two_nn", "", "below", 20),),
    "lines_leave_the_data": (("networks", "distance_rise@way=pixels@pairs=across", "", "above", 0),),
    "latents_stay_nearer": (("networks", "distance_rise_beyond_pixels@way=autoencoder@pairs=across", "", "below", 0),),
    "geodesics_stay_nearer": (("networks", "distance_rise_beyond_pixels@way=geodesic@pairs=across", "", "below", 0),),
    "reconstruction_tells": (("networks", "error_rise@way=pixels@pairs=across", "", "above", 0),),
    "classifier_is_sure_half_way": (("networks", "middle_sure@way=pixels@pairs=across", "0.99", "above", 50),),
    "confidence_rejects_half_way": (("networks", "middle_scaled_sure@way=pixels@pairs=across", "0.99", "below", 50),),
    "linear_is_pca": (("codes", "error_of_pca@kind=linear@size=64", "", "below", 105),),
    "deep_beats_pca": (("codes", "error_of_pca@kind=ae@size=2", "", "below", 100),),
    "large_codes_do_not": (("codes", "error_of_pca@kind=ae@size=256", "", "above", 100),),
    "data_specific": (("codes", "times_own@other@kind=ae@size=64", "", "above", 2),),
    "lossy": (("codes", "exact@kind=ae@size=256", "", "below", 1),),
    "smaller_than_jpeg": (("codes", "jpeg_of_code@size=64@how=together", "", "above", 100),),
    "each_loss_its_measure": (
        ("codes", "loss_ratio@measure=squared_error", "", "above", 100),
        ("codes", "loss_ratio@measure=cross_entropy", "", "above", 100),
    ),
    "removes_noise": (("codes", "gain@noise=gaussian@level=0.2@over=noisy", "", "above", 3),),
    "ahead_of_filters": (("codes", "gain@noise=gaussian@level=0.2@over=best_filter", "", "above", 0),),
    "needs_training": (("codes", "gain@noise=gaussian@level=0.2@over=nlm@epochs=1", "", "below", 0),),
    "noise_in_training": (("codes", "gain@noise=gaussian@level=0.2@over=ae", "", "above", 0),),
    "only_its_noise": (("codes", "gain@noise=salt_and_pepper@level=0.2@over=median", "", "below", 0),),
    "errors_tell_anomalies": (("autoencoder", "auroc_mean@measure=rmse", "", "above", 0.9),),
    "codes_tell_anomalies": (("autoencoder", "auroc_mean@measure=mahalanobis", "", "above", 0.9),),
    "threshold_keeps_the_known": (("autoencoder", "known_rejected@measure=rmse@k=3", "", "below", 5),),
    "other_data_are_anomalies": (("autoencoder", "auroc@kind=data_fashion_mnist@measure=rmse", "", "above", 0.9),),
    "slides_detector": (
        ("tutorial", "tutorial_deviation_near_reported", "", "above", 0.027),
        ("tutorial", "tutorial_deviation_near_reported", "", "below", 0.045),
    ),
    "few_labels": (("networks", "accuracy_gain@over=pixels@labels=100", "", "above", 0),),
    "better_than_pca": (("networks", "accuracy_gain@over=pca@labels=100", "", "above", 0),),
    "better_than_scratch": (("networks", "accuracy_gain@over=scratch@labels=100", "", "above", 0),),
    "finds_images": (("networks", "precision_gain@over=pixels@at=10", "", "above", 0),),
    "easier_higher_up": (("networks", "layer_gain@network=dae_sym", "", "above", 0),),
    "easier_without_labels": (("networks", "layer_gain@network=code", "", "above", 0),),
    "classes_apart": (("networks", "purity@space=plane", "", "above", 50),),
    "neighbours_stay": (("networks", "kept@noise=0.5", "", "above", 90),),
    "blind_latents": (("networks", "recognised_blind@judge=judge@of=network", "0.99", "below", 5),),
    "variational_cure": (("networks", "recognised_gain@judge=judge", "0.99", "above", 0),),
    "units_like_no_picture": (("cnn", "accepted@start=noise", "0.9", "below", 5),),
    "no_class_is_synthesised": (("cnn", "recognised@way=plain", "", "below", 50),),
    "regularisers_do_not_help": (("cnn", "recognised@way=all", "", "below", 50),),
    "far_from_the_data": (("cnn", "far_from_data@way=plain", "", "above", 50),),
    "the_autoencoder_rejects_them": (("cnn", "accepted@way=plain", "0.9", "below", 50),),
    "a_prior_helps": (("cnn", "recognised@way=projection", "", "above", 50),),
    "a_cnn_sees_digits_in_animals": (("cnn", "accepted@kind=animals@score=y", "0.99", "above", 5),),
    "cool_sees_few_digits_in_animals": (("cool", "accepted@kind=animals@score=scaled", "0.99", "below", 5),),
    "a_dae_sees_few_digits_in_animals": (("dae_sym", "accepted@kind=animals@score=scaled", "0.99", "below", 5),),
    "a_cnn_sees_digits_in_letters": (("cnn", "accepted@kind=letters_unlike@score=y", "0.99", "above", 5),),
    "cool_sees_few_digits_in_letters": (("cool", "accepted@kind=letters_unlike@score=scaled", "0.99", "below", 5),),
    "a_dae_sees_few_digits_in_letters": (("dae_sym", "accepted@kind=letters_unlike@score=scaled", "0.99", "below", 5),),
    "clutter_hides_objects": (("dae_sym", "accepted_right@view=whole@strength=1", "0.9", "below", 50),),
    "a_true_mask_shows_them": (("dae_sym", "accepted_right@view=true@strength=1", "0.9", "above", 50),),
    "a_mask_can_be_found": (("dae_sym", "right@view=found@strength=1", "", "above", 50),),
    "a_sum_finds_several": (("dae_sym", "objects_found@view=true@objects=3", "", "above", 50),),
    "off_the_curve_is_chance": (("mlp", "differs_in_plane@dimension=2", "", "above", 10),),
    "off_is_nearer": (("mlp", "ratio@dimension=784", "", "below", 0.5),),
    "dimensions_bring_it_nearer": (("mlp", "smallest_ratio", "", "below", 1),),
    "random_directions_miss": (("mlp", "in_twice@dimension=784", "", "below", 5),),
    "dimensions_cost_negatives": (("mlp", "needed_ratio", "", "above", 1),),
    "other_is_not_feasible": (("mlp", "accepted@kind=off_1@dimension=784", "", "above", 5),),
}


def test_each_claim_is_decided_by_the_number_side_and_limit_that_were_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, str, str, float]] = []

    def heard(row: Row, **limit: Any) -> str:
        ((side, value),) = limit.items()
        asked.append((row["model"], row["text"], row["tau"], side, round(float(value), 9)))
        return verdict(row, **limit)

    monkeypatch.chdir(ROOT)
    found, known = {}, plans()
    for plan, dataset in ((known[name], name) for name in ("mnist", "curve")):
        stages = [stage for stage in plan.cells if hasattr(of_stage(stage), "verdict")]  # the lectures' claims
        cells = {stage: models for stage, models in plan.cells.items() if stage in (*stages, "fool_lbfgs")}
        study = read_study(plan._replace(cells=cells), dataset, bands=BANDS)
        for stage in stages:
            monkeypatch.setattr(of_stage(stage), "verdict", heard)
            for function in of_stage(stage).CLAIMS:
                asked.clear()
                claim = function(study)
                assert claim is not None, function.__name__
                found[function.__name__] = tuple(asked)
                assert (claim.row["model"], claim.row["text"], claim.row["tau"]) == asked[0][:3]
                if len(asked) == 1:
                    side, limit = asked[0][3:]
                    assert claim.verdict == verdict(claim.row, **{side: limit})
    assert found == DECIDED_BY
