"""What the tables of the stages show of the made-up study."""

from __future__ import annotations

import re

import pandas as pd

from overgen.report.study import Study
from overgen.report.tables import Table
from overgen.stages.evaluate_fooling.report import transfer_between_networks
from overgen.stages.evaluate_oneclass.report import one_class
from overgen.stages.evaluate_oneclass_scores.summary import OTHERWISE
from overgen.stages.evaluate_openset.report import open_set, open_set_apart, open_set_longer
from overgen.stages.evaluate_scores.names import method_name
from overgen.stages.evaluate_scores.report import fooling_images, score_kinds, scores
from overgen.stages.evaluate_unknowns.example import KINDS
from overgen.stages.evaluate_unknowns.report import (
    own_words,
    same_search,
    turned_round,
    unknown_answers,
    unknown_kinds,
    unknowns,
)
from overgen.stages.fool_controls.report import controls
from overgen.stages.fool_evolution.report import evolution
from overgen.stages.fool_fgn.report import (
    VARIANT,
    experiment_name,
    fooling,
    in_8_bits,
    other_alphas,
    scaled_attack,
    variants,
)
from overgen.stages.fool_gradient.report import gradient, robustness
from overgen.stages.fool_lbfgs.report import smallest, stability, transfer
from overgen.stages.fool_variants.report import network_variants
from overgen.stages.retrain_on_fooling.report import retraining
from report_study import SCORES, MadeUp, lines_of


def column(table: Table, head: str) -> list[str]:
    """What stands below a heading, without signs of verdicts and intervals."""
    heads, *lines = lines_of(table.markdown)
    return [re.split(r" \(|<br>| \[", line[heads.index(head)])[0] for line in lines]


def test_a_rate_says_in_which_classes_it_is_not_zero(made_up: MadeUp) -> None:
    """Only where some classes fool and others do not: of COOL at τ = 0.99 three do, of the dAE none."""
    cnn, cool, dae = lines_of(fooling(made_up.study).markdown)[2::2]
    assert [line[-1].count("in 3 of 10 classes") for line in (cnn, cool, dae)] == [0, 1, 0]
    assert ["classes" in line[-1] for line in (cnn, cool, dae)] == [False, True, False]
    assert [text.count("over classes [") for text in cool[-2:]] == [1, 1]
    assert variants(made_up.study).markdown.count("in 3 of 10 classes") == 1


def test_reported_stands_above_measured_where_anything_is_reported(made_up: MadeUp) -> None:
    lines = lines_of(fooling(made_up.study).markdown)
    assert [line[:2] for line in lines[1:5]] == [
        ["**CNN**", "reported"], ["", "measured"], ["**COOL**", "reported"], ["", "measured"]
    ]  # fmt: skip
    assert lines[3][5] == "34.5<br>238.8 steps"
    frame = made_up.study.frame
    nothing = Study(frame.assign(value=""), "digits", made_up.study.grid, {}, made_up.study.papers, {})
    assert [line[0] for line in lines_of(fooling(nothing).markdown)[1:]] == ["**CNN**", "**COOL**", "**dAE sym**"]


def test_what_still_fools_in_8_bits_stands_beside_what_fools(made_up: MadeUp) -> None:
    """Of 40 trials COOL's 12 fool and 6 do as pictures; the dAE has a line for the attack on ỹ, at its τ only."""
    table = in_8_bits(made_up.study)
    _, _, cool, *dae = lines_of(table.markdown)
    assert cool[:2] == ["**COOL**", "y"]
    assert [float(cell.split()[0]) for cell in cool[2:4]] == [30, 15]
    assert [line[1] for line in dae] == ["y", "ỹ"]
    assert dae[1][2:4] == ["–", "–"]
    assert set(table.rows["metric"]) == {"fooling_rate", "fooling_rate_in_8_bits"}
    assert in_8_bits(made_up.without(experiment="fgn")).markdown == ""


def test_variants_stand_beside_the_attack_itself(made_up: MadeUp) -> None:
    head, study, variant = lines_of(variants(made_up.study).markdown)
    assert head[2:4] == ["fooled %, τ\u00a0=\u00a00.9", "mean steps, τ\u00a0=\u00a00.9"]
    assert [study[:2], variant[:2]] == [["**CNN**", "as in the study"], ["", "learning rate 1e-3"]]
    assert study[2].startswith("100 → 100.0 ")
    assert variant[2].startswith("100 → 97.5 ")
    assert variant[3].startswith("2.66 → ")
    assert "→" not in variant[4]  # not reported at 0.99
    assert variants(made_up.without(experiment="fgn_lr_1e-3")).markdown == ""


def test_names_of_variants() -> None:
    assert experiment_name("fgn_input_normal-initial_glorot") == "input normal, initial weights glorot"
    assert experiment_name("fgn_updates_2000-initial_0.06") == "updates 2,000, initial weights 0.06"
    assert VARIANT.fullmatch("fgn_updates_2000-initial_0.06")
    assert not VARIANT.fullmatch("fgn_on_scaled_output")


def test_the_attack_on_the_scaled_output_and_other_alphas_are_of_attacked_models(made_up: MadeUp) -> None:
    assert set(scaled_attack(made_up.study).rows["model"]) == {"cool", "dae_sym"}
    rows = other_alphas(made_up.study).rows
    assert set(rows["model"]) == {"dae_sym"}
    assert rows["metric"].str.endswith("@alpha=2").all()


def test_a_variant_of_a_network_stands_below_what_it_changes(made_up: MadeUp) -> None:
    heads = [line[0] for line in lines_of(network_variants(made_up.study).markdown)[1::2]]
    l2 = ["**dAE sym (λ_L2 = 10)**", "**the same, attack on ỹ**"]
    assert heads == ["**dAE sym, as in the study**", *l2, "**dAE sym (gate off)**"]


def test_a_control_stands_below_what_it_differs_from(made_up: MadeUp) -> None:
    table = controls(made_up.study)
    assert [line[0] for line in lines_of(table.markdown)[1:]] == ["**dAE sym**", "**dAE sym (gate off)**"]
    assert set(table.rows["experiment"]) == {"fgn", "fgn_gate_off", "gradient", "control_gradient"}


def test_gradients_by_start(made_up: MadeUp) -> None:
    """From noise every trial fools, from the mean image none: then there is no step and no nearest image."""
    head, noise, mean_image, *_ = lines_of(gradient(made_up.study).markdown)
    assert head[1:4] == ["start", "fooled %, τ\u00a0=\u00a00.9", "in 8 bits"]
    assert [noise[:2], mean_image[:2]] == [["**CNN**", "noise"], ["", "mean image"]]
    assert noise[2:5] == ["100.0<br>[72.2–100.0]", "50.0", "7.0"]
    assert mean_image[3:7] == ["0.0", "–", "–", "–"]


def test_what_stands_of_the_reported_rates(made_up: MadeUp) -> None:
    """All 10 trials from noise fool: more than 34.5 % and 0 %, as many as 100 %."""
    lines = lines_of(robustness(made_up.study).markdown)[1:]
    assert [(line[0], line[1], line[2], line[5], line[6]) for line in lines[::2]] == [
        ("**CNN**", "0.9", "100", "noise", "does not differ"),
        ("**COOL**", "0.9", "34.5", "noise", "fooled more often"),
        ("**dAE sym**", "0.9", "0", "noise", "fooled more often"),
    ]
    assert lines[0][4] == "100.0 [72.2–100.0]"
    assert robustness(made_up.without(experiment="gradient")).markdown == ""


def test_what_other_networks_see(made_up: MadeUp) -> None:
    table = transfer_between_networks(made_up.study)
    lines = lines_of(table.markdown)[1:]
    assert [line[:4] for line in lines[:2]] == [
        ["**CNN**", "FGN", "0.9", "8"], ["**CNN**", "gradients of ỹ", "0.9", "8"]
    ]  # fmt: skip
    assert lines[2][0] == "**COOL**"
    assert lines[2][4].startswith("62.5<br>[")
    assert lines[2][4].endswith("accepts 25.0")
    assert lines[2][5] == "–"  # not a judge of its own case
    assert len(table.rows) == 2 * 12
    assert transfer_between_networks(made_up.without(experiment="transfer")).markdown == ""


def test_what_an_evolution_came_to_stands_by_encoding(made_up: MadeUp) -> None:
    """Each encoding once; a test error first, where the paper gives one, also where its row comes later."""
    frame = made_up.study.frame
    later = frame[frame["experiment"] == "evolution_direct"].head(1).assign(experiment="test_error", tau="")
    study = Study(
        pd.concat([frame, later], ignore_index=True), "mnist", made_up.study.grid, {}, made_up.study.papers, {}
    )
    labels = [line[:2] for line in lines_of(evolution(study).markdown)[1:12]]
    assert labels[0] == ["**CNN**", "–"]
    assert [encoding for _, encoding in labels if encoding] == ["–", "direct", "CPPN"]
    assert {model for model, _ in labels[1:]} == {""}


def test_rounds_of_retraining(made_up: MadeUp) -> None:
    lines = lines_of(retraining(made_up.study).markdown)[1:]
    assert [line[:3] for line in lines] == [
        ["**LeNet**", "direct", "0"], ["", "", "1"], ["", "", "2"], ["**LeNet**", "CPPN", "0"], ["", "", "1"],
        ["", "", "2"],
    ]  # fmt: skip
    assert [lines[0][4], lines[1][4]] == ["–", "99.00"]


def test_open_set_beside_the_paper(made_up: MadeUp) -> None:
    table = open_set(made_up.study)
    assert lines_of(table.markdown)[0] == [
        "τ", "known", "CNN reported", "CNN measured", "dAE sym reported", "dAE sym measured"
    ]  # fmt: skip
    assert [line[:3] for line in lines_of(table.markdown)[4:]] == [
        ["0.99", "10", "0.985"], ["0.99", "5", "0.761"], ["0.99", "1", "0.091"]
    ]  # fmt: skip
    assert not table.rows["metric"].str.contains("@alpha=").any()


def test_open_set_without_a_threshold(made_up: MadeUp) -> None:
    head, *lines = lines_of(open_set_apart(made_up.study).markdown)
    assert head[2:] == ["AUROC", "AUPR", "FPR at 95 % TPR, %", "OSCR", "balanced accuracy, τ\u00a0=\u00a00.99"]
    assert [line[:2] for line in lines[:4]] == [["**CNN**", "10"], ["", "5"], ["", "1"], ["**dAE sym**", "10"]]
    assert lines[0][2:6] == ["–"] * 4  # where all classes are known
    number = made_up.study.find(experiment="open_set", model="cnn", metric="auroc", known="5", tau="0.99")
    assert number is not None
    assert lines[1][2].startswith(f"{number['reproduced']:.3f} [{number['low']:.3f}–")
    assert open_set_apart(made_up.without(experiment="open_set")).markdown == ""


def test_open_set_after_a_longer_training(made_up: MadeUp) -> None:
    head, _, (model, tau, reported, *rest) = lines_of(open_set_longer(made_up.study).markdown)
    assert head == ["", "τ", "F reported", "F", "F, longer", "F: difference", "AUROC", "AUROC, longer",
                    "AUROC: difference"]  # fmt: skip
    assert (model, tau, reported) == ("**CNN**", "0.99", "0.761")
    assert re.fullmatch(r"−?0\.\d{3} \[−0\.\d{3} to 0\.\d{3}\]", rest[2])
    text = " ".join(made_up.text().split())
    assert "for longer (100 epochs, 3 of 10 class subsets)" in text
    assert "| `evaluate_openset`, trained longer | CNN | 100 epochs, 3 of 10 class subsets |" in text
    assert open_set_longer(made_up.without(experiment="open_set_longer")).markdown == ""


def test_one_class_beside_the_paper(made_up: MadeUp) -> None:
    head, *lines = lines_of(one_class(made_up.study).markdown)
    assert head == ["", "score", "AUROC reported", "AUROC", "AUPR", "FPR at 95 % TPR, %"]
    assert [line[:3] for line in lines] == [
        ["**COOL**", "y", "0.753"],
        ["**dAE sym**", "c̃", "0.964"],
        ["", "ỹ", "–"],
        ["", "ỹ, α = 3", "–"],
        ["", "ỹ, α = 2", "–"],
        ["", "−‖r(x) − x‖₂", "–"],
        ["**OCSVM**", "decision function", "0.952"],
        ["**no network**", "nearest neighbours on pixels", "–"],
        ["", "an “other” class, noise on pixels", "–"],
        ["", "autoencoder error on pixels", "–"],
        *(["", method_name(name), "–"] for name in OTHERWISE),
    ]
    svm = made_up.study.find(experiment="one_class", model="ocsvm", metric="auroc")
    assert svm is not None
    assert svm["budget"] == "5 of 10 classes, each alone"
    assert lines[6][3].startswith(f"{svm['reproduced']:.3f} ")
    assert "## Figure 5: one class against all others" in made_up.text()
    assert re.search(r"COOL tells one class from the others less well than OCSVM +\| 0.753 < 0.952", made_up.text())
    assert one_class(made_up.without(experiment="one_class")).markdown == ""


def test_networks_of_one_cell_stand_by_their_own_names(made_up: MadeUp) -> None:
    found = made_up.study.find(experiment="lbfgs", model="fc10_1", metric="test_error")
    assert found is not None
    assert (found["value"], found["source"], found["verdict"]) == ("20", "szegedy2013", "cannot tell")
    assert found["cell"] == "reports/cells/mnist/train_perceptrons/perceptrons"
    distortion = made_up.study.find(experiment="lbfgs", model="ae400_10", metric="mean_distortion")
    assert distortion is not None
    assert distortion["verdict"] == "differs (higher)"
    head, first, second = lines_of(smallest(made_up.study).markdown)
    assert [first[0], second[0]] == ["**FC10(1)**", "**AE400-10**"]
    assert second[3].startswith("0.086 → 0.172 ▲<br>[")
    assert head[6:] == ["label changed by noise as large, %", "label changed by noise of rms 0.1, %"]


def test_errors_on_examples_made_for_others(made_up: MadeUp) -> None:
    head, *lines = lines_of(transfer(made_up.study).markdown)
    assert head == ["made for", "distortion", "FC10(1), error %", "AE400-10, error %", "n"]
    assert lines[0] == ["FC10(1)", "smallest", "44.4", "34.4 → 33.3 ○", "9"]
    assert [line[1] for line in lines] == ["smallest", "smallest", "0.1", "0.1"]  # not the unchanged ones
    assert column(stability(made_up.study), "images") == ["20", "20"]
    assert all("at n = 1" in line[3] for line in lines_of(stability(made_up.study).markdown)[1:])


def test_methods_are_ranked_by_how_well_they_tell_the_unknown(made_up: MadeUp) -> None:
    """Neighbours are best on every problem, on either network; the last of the CNN's stands last."""
    methods = column(scores(made_up.study), "method")
    assert len(methods) == sum(map(len, SCORES.values()))
    assert methods[:2] == ["**nearest neighbours**"] * 2
    assert methods[-1] == "**PCA error on pixels**"
    kinds = score_kinds(made_up.study)
    assert column(kinds, "method") == methods
    assert set(column(kinds, "other data")) == {"–"}
    assert lines_of(fooling_images(made_up.study).markdown) == [
        ["attacked", "FGN", "gradients of ỹ", "evolution"],
        ["**CNN**", "1,000", "–", "20"], ["**COOL**", "1,000", "–", "20"], ["**dAE sym**", "1,000", "–", "20"],
    ]  # fmt: skip
    assert "| `collect_fooling`" not in made_up.text()  # it spends nothing


def test_a_method_stands_once_with_every_network_it_was_tried_on(made_up: MadeUp) -> None:
    """Best first; what does not apply says so; the worst kind by its name; a table for each kind."""
    heads, *lines = lines_of(unknowns(made_up.study).markdown)
    assert heads == ["method", "CNN: mean", "worst kind", "dAE sym: mean", "worst kind"]
    found = {line[0]: line[1:] for line in lines}
    assert lines[0][0] == "**nearest neighbours**"
    assert list(found) == sorted(found, key=[line[0] for line in lines].index)
    assert found["**energy**"] == ["–", "–", "does not apply", "–"]
    assert found["**ỹ, α = 20**"][:2] == ["–", "–"]
    assert found["**softmax**"][1].endswith("<br>fooling images")  # the made-up kind that lies nearest
    kinds = list(unknown_kinds(made_up.study))
    assert [table.name for table in kinds] == [f"unknowns_{kind}" for kind in KINDS]
    assert lines_of(kinds[0].markdown)[1][0] == "**nearest neighbours**"
    assert float(column(kinds[0], "CNN: AUROC")[0]) > 0.9
    assert "right of these" in unknown_answers(made_up.study).markdown


def test_findings_on_images_of_no_class_follow_the_intervals(made_up: MadeUp) -> None:
    """Alike: softmax and nearest neighbours, of which the best are equally good; only clear differences are said."""
    alike, own = same_search(made_up.study), own_words(made_up.study)
    assert alike is not None
    assert own is not None
    assert "Of 2 scores tried on every network alike" in alike.says
    assert "about as good" in alike.says
    frame = made_up.study.frame
    mean = (frame["experiment"] == "unknowns") & (frame["metric"] == "auroc_mean") & frame["reproduced"].notna()

    def changed(chosen: pd.Series, value: float) -> Study:
        rows = frame.copy()
        rows.loc[mean & chosen, ["reproduced", "low", "high"]] = [value, value - 0.01, value + 0.01]
        return Study(rows, "mnist", made_up.study.grid, {}, made_up.study.papers, {})

    better = same_search(changed(frame["model"] == "cnn", 0.2))
    assert better is not None
    assert "clearly better on dAE sym" in better.says
    beaten = own_words(changed(frame["method"].isin(["softmax", "scaled_output_alpha20"]), 0.2))
    assert beaten is not None
    assert beaten.says == "Scores fitted to features tell images of no class better than any network's own score."
    assert turned_round(made_up.study) is None
    below = turned_round(changed(frame["method"] == "pca_pixels", 0.2))
    assert below is not None
    assert (below.row["method"], below.row["model"]) == ("pca_pixels", "cnn")
    none = own_words(changed(frame["method"] == "knn", 0.2))
    assert none is not None
    assert none.says.startswith("No score fitted to features is clearly better")
