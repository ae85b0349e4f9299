"""params.yaml and dvc.yaml: what is refused, how the error reads, and that stages see only what they declare."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overgen import OvergenError
from overgen.run import engine, params, pipeline
from overgen.run.yaml_files import read_document
from overgen.stages.fool_fgn.params import FgnVariant
from overgen.training.params import Training, TrainingChanges

from params_text import change, fault
from workspace import ROOT, set_params


def test_the_committed_file_is_valid() -> None:
    assert params.load(ROOT / "params.yaml").models["cool"].omega == 10


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("omega: 10", "omegas: 10", "models.cool.omegas", "Extra inputs"),
        ("omega: 10", "omega: 0", "models.cool.omega", "greater than or equal to 1"),
        ("omega: 10", "omega: ten", "models.cool.omega", "valid integer"),
        ("lenet: {network: lenet}", "lenet: {network: vgg}", "models.lenet.network", "is none of cnn, cool"),
        ("lenet: {network: lenet}", "lenet: {networks: lenet}", "models.lenet.network", "Field required"),
        ("lenet: {network: lenet}", "lenet: 3", "models.lenet", "valid dictionary"),
        ("beta: 10", "beta: -1", "confidence.digits.beta", "greater than or equal to 0"),
        ("beta: 10", "beta: .nan", "confidence.digits.beta", "finite"),
        ("tau: 0.9,", "tau: 1.5,", "confidence.digits.thresholds.0.tau", "less than 1"),
        ("batch_size: 64", "batch_size: '64'", "training.digits.batch_size", "valid integer"),
        ("precision: \"32\"", "precision: 32", "engine.digits.precision", "'32'"),
        ("seeds: [0]", "seeds: [0, 0]", "train_classifier.digits.seeds", "must differ and begin with 0"),
        ("epochs: 10, seeds", "epochs: 0, seeds", "train_classifier.digits.epochs: ", "greater than or equal to 1"),
        ("epochs: 10, seeds", "epochs: {cnn: 1, cool: 0}, seeds", "digits.epochs.cool: ", "equal to 1"),
        ("epochs: 10, seeds", "epochs: ten, seeds", "digits.epochs: ", "integer, or: Input should be a valid dict"),
        ("optimizer: adam", "optimizer: adagrad", "fool_fgn.digits.optimizer", "'adam' or 'sgd'"),
        ("known: [1, 4]", "known: [1, 1]", "train_openset.digits.known", "repeat"),
        ("longer: {known: 5,", "longer: {known: 11,", "train_openset.mnist: ", "11 is none of the numbers in `known`"),
        ("[direct, cppn]", "[direct, direct]", "fool_evolution.digits.encodings", "repeat"),
        ("[direct, cppn]", "[direct, cpn]", "fool_evolution.digits.encodings.1", "'cppn'"),
        ("connections: [0.5, 0.3]", "connections: [0.5]", "fool_evolution.digits.connections", "at least 2"),
        ("nodes: [0.5, 0.2]", "nodes: [0.5, 1.2]", "fool_evolution.digits.nodes.1", "less than or equal to 1"),
        ("dae_sym:\n    {network: dae, tied: true, unpooling: zeros, output: sigmoid,",
         "dae_sym:\n    {network: dae, tied: true,", "models.dae_sym: ", "needs output: sigmoid"),
        ("dae_sym_l2_10: {l2: 0.5}", "dae_sym_l2_10: {l: 0.5}", "training.dae_sym_l2_10.l", "Extra inputs"),
        ("cool: [scaled_output, knn,", "cool: [scaled_output, knm,", "evaluate_scores.methods.cool.1", "knn, "),
        ("cool: [scaled_output, knn,", "cool: [knn, knn,", "evaluate_scores.methods.cool", "repeat"),
        ("digits: {fixed: null}", "digits: {fixed: abc}", "collect_fooling.digits.fixed: ", "should match pattern"),
        ("nu: 0.1,", "nu: 1.5,", "models.ocsvm.nu: ", "less than or equal to 1"),
        ("method: one_class_svm", "method: one_class_sum", "models.ocsvm.method: ", "'one_class_svm'"),
        ("{dae_sym: {noise_std: 0.3, l2: 0.5}}", "{dae_sym: {noise: 0.3}}",
         "train_oneclass.mnist.training.dae_sym.noise: ", "Extra inputs"),
        ("classes: [0, 1, 2], epochs", "classes: [0, 0], epochs", "train_oneclass.digits.classes: ", "repeat"),
        ("report_page: {dpi: 150}", "report_page: {dpis: 150}", "report_page.dpis", "Extra inputs"),
        ("    auroc: 0.02 ", "    auroc: a little ", "report.bands.auroc", "String should match pattern"),
        ("    auroc: 0.02 ", "    auroc: -0.02 ", "report.bands.auroc", "greater than 0"),
    ],
)  # fmt: skip
def test_errors_name_line_key_and_value(project: Path, old: str, new: str, key: str, message: str) -> None:
    line = change(project, old, new)
    text = fault(project)
    assert key in text
    assert message in text
    begin = line + 1 if old.startswith("dae_sym:\n") else line  # a model is named where it begins
    assert f"params.yaml, line {line}," in text or f"params.yaml, line {begin}," in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{scaled: [3]}", "{scaled: [4]}", "fool_fgn.digits.models.dae_sym.scaled: [4.0] must be alphas"),
        ("evolved: [lenet, cnn, ", "evolved: [lenet, ", "evolved: lacks cnn; evaluate_fooling shows"),
        ("evolved: [lenet", "evolved: [autoencoder", "evolved: 'autoencoder' does not fit: its network 'autoencoder'"),
        ("openset_models: [cnn", "openset_models: [autoencoder", "openset_models: 'autoencoder' does not fit"),
        ("attacked: [cnn", "attacked: [autoencoder", "attacked: 'autoencoder' does not fit"),
        ("attacked: [cnn", "attacked: [ocsvm", "attacked: 'ocsvm' does not fit: its method 'one_class_svm'"),
        ("variants: [cnn_sigmoid_units,", "variants: [autoencoder,", "variants: 'autoencoder' does not fit"),
        ("attacked: [cnn", "attacked: [cnn_sigmoid_units", "attacked: 'cnn_sigmoid_units': no stage trains it"),
        ("autoencoders: [autoencoder", "autoencoders: [cnn", "autoencoders: 'cnn' does not fit"),
        ("{dae_sym: {noise_std: 0.3, l2: 0.5}}", "{ocsvm: {l2: 0.5}}",
         "train_oneclass.mnist.training: ocsvm: must be networks of `models`"),
        ("{epochs: 10, seeds: [0], test_curve", "{epochs: 10, seeds: [0], data_parallel: {ocsvm: 2}, test_curve",
         "train_classifier.digits.data_parallel: ocsvm: must be networks of `models`"),
        ("{epochs: 10, seeds: [0], test_curve", "{epochs: 10, seeds: [0], data_parallel: {cnn: 65}, test_curve",
         "train_classifier.digits.data_parallel: cnn: 65 processes cannot share a batch of 64 images"),
        ("    cnn: [knn_pixels, k", "    cnnn: [knn_pixels, k", "evaluate_unknowns.once.cnnn: `models` has only cnn"),
        ("model: {network: cnn}", "model: {network: lenet}",
         "search_choices.mnist.cnn.model: network 'lenet' is not that of models.cnn, 'cnn'"),
    ],
)  # fmt: skip
def test_sections_must_fit_each_other(project: Path, old: str, new: str, message: str) -> None:
    line = change(project, old, new)
    text = fault(project)
    assert message in text
    assert f"line {line}, {message.split(':')[0]}" in text


def test_epochs_by_model_have_every_model_that_is_trained(project: Path) -> None:
    change(project, "{epochs: {cnn: 100, cool: 100, lenet: 20}", "{epochs: {cnn: 100, lenet: 20}")
    assert "epochs: none for cool; give one number, or one for each" in fault(project)


def test_all_that_does_not_fit_is_named_at_once(project: Path) -> None:
    change(project, "evolved: [lenet", "evolved: [autoencoder")
    change(project, "{scaled: [3]}", "{scaled: [4]}")
    text = fault(project)
    assert text.startswith("params.yaml: 2 faults\n")
    assert "evolved: 'autoencoder'" in text
    assert "fool_fgn.digits.models.dae_sym.scaled: " in text


def test_a_model_is_trained_by_one_stage(project: Path) -> None:
    own = "  own_one:\n    network: src/own/one.py:One\n"
    change(project, "  cnn: {network: cnn}\n", f"  cnn: {{network: cnn}}\n{own}")
    change(project, "classifiers: [cnn", "classifiers: [own_one, cnn")
    change(project, "autoencoders: [auto", "autoencoders: [own_one, auto")
    assert "classifiers: own_one also in autoencoders" in fault(project)


def test_a_search_is_of_its_models_network(project: Path) -> None:
    """The stage depends on the code of models.<model> alone."""
    one, other = "src/own/one.py:One", "src/own/one.py:Other"
    change(project, "  cnn: {network: cnn}\n", f'  cnn: {{network: "{one}"}}\n')
    text = fault(project)
    assert "search_choices.mnist.cnn.model: network 'cnn' is not that of models.cnn, 'src/own/one.py:One'" in text
    searches = read_document(project / "params.yaml").values["search_choices"]
    for search in searches.values():
        search["cnn"] |= {"model": {"network": one}, "settings": [{}]}
    set_params(project / "params.yaml", {"search_choices": searches})
    params.check(project)
    searches["mnist"]["cnn"]["settings"] = [{}, {"network": other}]
    set_params(project / "params.yaml", {"search_choices": searches})
    assert f"search_choices.mnist.cnn.settings.1: network '{other}' is not that" in fault(project)


def test_every_model_whose_scores_are_tried_needs_an_entry(project: Path) -> None:
    line = '  mine: {network: "src/own/mine.py:Mine"}\n'
    change(project, "  cnn: {network: cnn}\n", "  cnn: {network: cnn}\n" + line)
    change(project, "openset_models: [cnn", "openset_models: [mine, cnn")
    change(project, "classifiers: [cnn", "classifiers: [mine, cnn")
    text = fault(project)
    assert "evaluate_scores.methods.mine (for evaluate_scores@digits-mine)" in text
    assert "in evaluate_scores.methods" in text


def test_networks_of_scores_need_updates_for_every_data_set(project: Path) -> None:
    change(project, "{digits: 100, other: 500}", "{digits: 100}")
    assert "evaluate_scores: network_updates has no entry `other`" in fault(project)


@pytest.mark.parametrize(
    ("setting", "message"),
    [("batches: 64", "settings.1: batches: no option"), ("batch_size: 0", "settings.1"), ("l2: a", "settings.1")],
)
def test_a_search_names_the_setting_that_is_impossible(project: Path, setting: str, message: str) -> None:
    change(project, "{}, {output_std: 0.3}", "{}, {" + setting + "}")
    text = fault(project)
    assert "search_choices.mnist.cool" in text
    assert message in text


def test_an_unknown_section_or_list_names_the_nearest(project: Path) -> None:
    line = change(project, "fool_fgn:\n", "fool_fgnn:\n")
    assert fault(project) == (
        f"params.yaml, line {line}, fool_fgnn: neither a section nor a list that dvc.yaml uses; did you mean fool_fgn?"
    )
    change(project, "fool_fgnn:\n", "fool_fgn:\n")
    line = change(project, "classifiers: [", "clasifiers: [")
    assert f"line {line}, clasifiers: " in fault(project)
    assert "did you mean classifiers?" in fault(project)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("datasets: [digits, mnist, fashion_mnist]", "datasets: []", "datasets: must name a data set"),
        ("datasets: [digits, mnist, fashion_mnist]", "datasets: digits", "datasets: must be a list of names"),
        ("datasets: [digits, mnist, fashion_mnist]", "datasets: [Digits]", "datasets.0: String should match"),
        ("datasets: [digits, mnist, fashion_mnist]", "datasets: [digits, 3]", "datasets.1: Input should be a valid s"),
        ("attacked: [cnn, cool,", "attacked: [cnn, cool, cnn,", "attacked.2: 'cnn' is named twice"),
        ("attacked: [cnn, cool,", "attacked: [cnn,\n  cool,\n  cnn,", "attacked.2: 'cnn' is named twice"),
    ],
)
def test_lists_are_of_names_that_differ(project: Path, old: str, new: str, message: str) -> None:
    line = change(project, old, new)
    assert f"params.yaml, line {line + new.count(chr(10))}, {message}" in fault(project)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("model: [lenet]}", "model: [lenet, lenet]}", "retrain_on_fooling.matrix.model.1: 'lenet'"),
        ("params: [train_rings]", "params: [train_rings, train_rings]", "train_rings.params.1: 'train_rings'"),
        ("deps: [params.yaml,", "deps: [params.yaml, params.yaml,", "code.deps.1: 'params.yaml'"),
    ],
)
def test_a_name_that_stands_twice_in_dvc_yaml_is_refused(project: Path, old: str, new: str, place: str) -> None:
    line = change(project, old, new, "dvc.yaml")
    assert fault(project) == f"dvc.yaml, line {line}, stages.{place} is named twice"


def test_a_stage_reads_what_it_declares_and_nothing_else(project: Path) -> None:
    declared = params.declared("train_classifier", root=project, dataset="mnist", model="cool")
    assert declared("models.cool").omega == 10
    assert declared("models.cool.omega") == 10
    assert declared("training.mnist.learning_rate") == 0.001
    for key in ("confidence.mnist", "models.cnn", "training.digits", "fool_fgn", "training"):
        with pytest.raises(OvergenError, match="does not declare"):
            declared(key)
    with pytest.raises(OvergenError, match="'omegas' is none of network"):
        declared("models.cool.omegas")


def test_faults_of_what_a_stage_does_not_read_are_not_its(project: Path) -> None:
    change(project, "lenet: {network: lenet}", "lenet: {network: vgg}")
    change(project, "report_page: {dpi: 150}", "report_page: {dpi: 1}")
    assert params.declared("train_classifier", root=project, dataset="mnist", model="cool")("models.cool").omega == 10
    with pytest.raises(OvergenError, match=r"models\.lenet\.network: is none of"):
        params.declared("train_classifier", root=project, dataset="mnist", model="lenet")


def test_a_stage_names_what_it_lacks(project: Path) -> None:
    change(project, "download:\n  digits: {source: digits}\n", "download:\n")
    with pytest.raises(OvergenError, match=r"download\.digits \(for download@digits\)"):
        params.declared("download", root=project, dataset="digits")
    assert params.declared("download", root=project, dataset="mnist").values() == {"download.mnist.source": "mnist"}


def test_a_stage_imports_the_sections_that_it_declares_and_no_others() -> None:
    program = (
        "import sys; from overgen.run import params; params.declared('evaluate_openset', dataset='mnist', model='cnn');"
        "print(*sorted(m for m in sys.modules if m[:8] == 'overgen.' and m[-6:] == 'params'), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["overgen.run.params", "overgen.stages.evaluate_openset.params", "False"]


def test_the_whole_check_imports_neither_torch_nor_dvc() -> None:
    program = "import sys; from overgen.run import params; params.check(); print({'torch', 'dvc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("item", [{"dataset": "cifar", "model": "cnn"}, {"dataset": "mnist", "model": "vgg"}])
def test_unknown_data_set_or_model_names_the_known_ones(project: Path, item: dict[str, str]) -> None:
    with pytest.raises(OvergenError, match=r"is unknown to stage train_classifier; params\.yaml has (digits|cnn)"):
        params.declared("train_classifier", root=project, **item)


def test_a_cell_without_its_model_or_of_no_stage(project: Path) -> None:
    with pytest.raises(OvergenError, match="model: missing; the cells of train_classifier have one of dataset, model"):
        params.declared("train_classifier", root=project, dataset="mnist")
    with pytest.raises(OvergenError, match=r"no stage 'train'; there are .*train_classifier"):
        params.declared("train", root=project, dataset="mnist")


def test_declared_values_are_those_of_the_file() -> None:
    """As DVC looks them up, but for options that the file leaves out."""

    def left_out(ours: Any, theirs: Any) -> Any:
        if isinstance(ours, dict):
            return {key: left_out(value, theirs[key]) for key, value in ours.items() if key in theirs}
        return [left_out(*pair) for pair in zip(ours, theirs, strict=True)] if isinstance(ours, list) else ours

    values = read_document(ROOT / "params.yaml").values
    for stage in ("fool_fgn", "fool_variants", "report", "train_oneclass", "train_rings"):
        entry = pipeline.read_stages(ROOT / "dvc.yaml")[stage]
        item = pipeline.cells_of(entry, values)[-1]
        found = params.declared(stage, root=ROOT, **item)
        for key in found.keys:
            theirs = params.value_at(values, key)
            assert left_out(params.plain(found(key)), theirs) == theirs, key


def test_a_users_network_takes_its_own_options(project: Path) -> None:
    resnet = "  resnet:\n    network: src/own/resnet.py:ResNet\n    blocks: 3\n"
    change(project, "  cnn: {network", f"{resnet}  cnn: {{network")
    model = params.load(project / "params.yaml").models["resnet"]
    assert model.model_dump() == {"network": "src/own/resnet.py:ResNet", "blocks": 3}


def test_members_that_train_together_are_counted_by_device() -> None:
    some: Callable[..., engine.Engine] = lambda **options: engine.Engine(threads=1, chunk=1, probes=1, **options)  # noqa: E731
    by_device = some(precision="32", together={"cuda": 50})
    assert (by_device.together_on("cuda"), by_device.together_on("cpu")) == (50, 1)
    assert some(precision="32", together=4).together_on("cpu") == 4
    with pytest.raises(ValueError, match="share a loss scale"):
        some(precision="16-mixed", together={"cuda": 50})


def test_variants_of_the_fgn_are_named_by_what_they_change() -> None:
    def name(**options: object) -> str:
        return FgnVariant.model_validate(options).name

    assert name(learning_rate=1e-3) == "lr_1e-3"  # as in reported.csv
    assert name(clip=1e-10) == "clip_1e-10"
    assert name(optimizer="sgd", input="normal") == "optimizer_sgd-input_normal"
    assert name(initial="glorot") == "initial_glorot"
    assert name(initial=0.02) == "initial_0.02"


@pytest.mark.parametrize(
    ("tried", "message"),
    [
        ("cnn: {variants: [{}]}", "changes nothing"),
        ("cnn: {}\n      vgg: {variants: [{clip: 1.0e-9}]}", "fool_fgn.digits.models.vgg: must be one of `models`"),
        ("cnn: {variants: [{clip: 0.1}, {clip: 0.1}]}", "clip_0.1, clip_0.1: no two may be the same"),
        ("cnn: {variants: [{clip: 2.0}]}", "less than 1"),
    ],
)
def test_impossible_variants_are_refused(project: Path, tried: str, message: str) -> None:
    change(project, "      cnn: {}\n", f"      {tried}\n")
    assert message in fault(project)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ["cnn"]}, "variants: 'cnn' must be called <model>_<change>"),
        ({"attacked": ["cool"], "evolved": ["cool"]}, "'cnn_sigmoid_units' must be called"),
        ({"fool_variants.mnist.models.dae_sym_l2_10.scaled": [4]}, "dae_sym_l2_10.scaled: [4.0] must be alphas of"),
        ({"fool_variants.mnist.models.dae_sym_l2_10.base": "cnn"}, "dae_sym_l2_10.base: 'cnn' must be the attacked"),
        (
            {"variants": ["cnn_sigmoid_units", "cool_sigmoid_units", "dae_sym_sigmoid_units", "dae_sym_l2_10"]},
            "fooled_variants: 'cnn_noise' is neither in `variants` nor of `ungated`",
        ),
        ({"fooled_controls": ["cnn"]}, "fooled_controls: 'cnn' is neither in `variants` nor of `ungated`"),
        ({"ungated": ["cool"], "models.cool_gate_off": {"network": "cnn"}}, "ungated: 'cool' does not fit"),
        ({"models.dae_sym_gate_off": {"network": "cool"}}, "needs `dae_sym_gate_off: {network: cnn}` among `models`"),
    ],
)
def test_impossible_variants_of_networks_are_refused(project: Path, changes: dict[str, object], message: str) -> None:
    path = project / "params.yaml"
    set_params(path, {"variant_datasets": ["mnist"]} | changes)
    assert message in fault(project)
    if not any(key.startswith("fool_variants") for key in changes):
        set_params(path, {"variant_datasets": []})
        params.load(path)  # a list of variants that nothing trains does not stand in the way


def test_changes_of_training_are_merged_over_it() -> None:
    assert set(TrainingChanges.model_fields) == set(Training.model_fields)
    base = Training(batch_size=8, learning_rate=0.1, noise_std=0.2, l2=1)
    changed = TrainingChanges(noise_std=0, l2=0.05).of(base)
    assert changed == Training(batch_size=8, learning_rate=0.1, noise_std=0, l2=0.05)
    assert TrainingChanges().of(base) == base


def test_sections_cannot_be_changed() -> None:
    section = params.load(ROOT / "params.yaml").training["mnist"]
    with pytest.raises(ValueError, match="frozen"):
        section.l2 = 1.0
    with pytest.raises(AttributeError, match=r"no 'trainings'; there are .*training"):
        params.load(ROOT / "params.yaml").trainings  # noqa: B018
