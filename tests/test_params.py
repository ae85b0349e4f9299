"""params.yaml: what is refused, how the error reads, and that stages see only what they declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from overgen import OvergenError
from overgen.run import engine, params
from overgen.stages.fool_fgn import params as fool_fgn_params
from overgen.training import params

from conftest import set_params

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def change(project: Path, old: str, new: str) -> int:
    """Replace text in params.yaml; returns the line it stands on."""
    path = project / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_the_committed_file_is_valid() -> None:
    assert params.load(ROOT / "params.yaml").models["cool"].omega == 10


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("omega: 10", "omegas: 10", "models.cool.omegas", "Extra inputs"),
        ("omega: 10", "omega: 0", "models.cool.omega", "greater than or equal to 1"),
        ("omega: 10", "omega: ten", "models.cool.omega", "valid integer"),
        ("beta: 10", "beta: -1", "confidence.digits.beta", "greater than or equal to 0"),
        ("beta: 10", "beta: .nan", "confidence.digits.beta", "finite"),
        ("tau: 0.9,", "tau: 1.5,", "confidence.digits.thresholds.0.tau", "less than 1"),
        ("batch_size: 64", "batch_size: '64'", "training.digits.batch_size", "valid integer"),
        ("precision: \"32\"", "precision: 32", "engine.digits.precision", "'32'"),
        ("seeds: [0]", "seeds: [0, 0]", "train_classifier.digits.seeds", "must differ and begin with 0"),
        ("epochs: 10, seeds", "epochs: 0, seeds", "train_classifier.digits.epochs: ", "greater than or equal to 1"),
        ("epochs: 10, seeds", "epochs: {cnn: 1, cool: 0}, seeds", "digits.epochs.cool: ", "equal to 1"),
        ("optimizer: adam", "optimizer: adagrad", "fool_fgn.digits.optimizer", "'adam' or 'sgd'"),
        ("scaled: {dae_sym: [3]}", "scaled: {dae_sym: [4]}", "(top level)", "alphas of confidence.digits"),
        ("openset_models: [cnn", "openset_models: [vgg", "(top level)", "'vgg', which `models` does not have"),
        ("known: [1, 4]", "known: [1, 1]", "train_openset.digits.known", "repeat"),
        ("longer: {known: 5,", "longer: {known: 11,", "train_openset.mnist: ", "11 is none of the numbers in `known`"),
        ("evolved: [lenet, cnn, ", "evolved: [lenet, ", "(top level)", "evolved lacks cnn: evaluate_fooling shows"),
        ("evolved: [lenet", "evolved: [autoencoder", "(top level)", "'autoencoder' does not fit"),
        ("[direct, cppn]", "[direct, direct]", "fool_evolution.digits.encodings", "repeat"),
        ("[direct, cppn]", "[direct, cpn]", "fool_evolution.digits.encodings.1", "'cppn'"),
        ("connections: [0.5, 0.3]", "connections: [0.5]", "fool_evolution.digits.connections", "at least 2"),
        ("nodes: [0.5, 0.2]", "nodes: [0.5, 1.2]", "fool_evolution.digits.nodes.1", "less than or equal to 1"),
        ("openset_models: [cnn", "openset_models: [autoencoder", "(top level)", "'autoencoder' does not fit"),
        ("attacked: [cnn", "attacked: [autoencoder", "(top level)", "'autoencoder' does not fit"),
        ("searched_models: [cnn", "searched_models: [dae_asym", "(top level)", "no entry for 'dae_asym'"),
        ("dae_sym:\n    {network: dae, tied: true, unpooling: zeros, output: sigmoid,",
         "dae_sym:\n    {network: dae, tied: true,", "models.dae_sym: ", "needs output: sigmoid"),
        ("variants: [cnn_sigmoid_units,", "variants: [autoencoder,", "(top level)", "'autoencoder' does not fit"),
        ("variant_datasets: [mnist]", "variant_datasets: [digits]", "(top level)", "no entry for data set 'digits'"),
        ("dae_sym_l2_10: {l2: 0.5}", "dae_sym_l2_10: {l: 0.5}", "training.dae_sym_l2_10.l", "Extra inputs"),
        ("cool: [scaled_output, knn,", "cool: [scaled_output, knm,", "evaluate_scores.methods.cool.1", "'knn'"),
        ("    other: [scaled_output", "    others: [scaled_output", "evaluate_scores", "no entry `other`"),
        ("{digits: 100, other: 500}", "{digits: 100}", "evaluate_scores", "network_updates has no entry `other`"),
        ("digits: {fixed: null}", "digits: {fixed: abc}", "collect_fooling.digits.fixed: ", "should match pattern"),
        ("nu: 0.1,", "nu: 1.5,", "models.ocsvm.nu: ", "less than or equal to 1"),
        ("method: one_class_svm", "method: one_class_sum", "models.ocsvm.method: ", "'one_class_svm'"),
        ("attacked: [cnn", "attacked: [ocsvm", "(top level)", "its method 'one_class_svm' does not fit"),
        ("oneclass_models: [cool", "oneclass_models: [vgg", "(top level)", "'vgg', which `models` does not have"),
        ("{dae_sym: {noise_std: 0.3, l2: 0.5}}", "{dae_sym: {noise: 0.3}}",
         "train_oneclass.mnist.training.dae_sym.noise: ", "Extra inputs"),
        ("{dae_sym: {noise_std: 0.3, l2: 0.5}}", "{ocsvm: {l2: 0.5}}", "(top level)",
         "train_oneclass.mnist.training: ocsvm: must be networks of `models`"),
        ("classes: [0, 1, 2], epochs", "classes: [0, 0], epochs", "train_oneclass.digits.classes: ", "repeat"),
        ("report: {dpi: 150}", "report: {dpi: 150}\nextra: 1", "extra", "Extra inputs"),
    ],
)  # fmt: skip
def test_errors_name_line_key_and_value(project: Path, old: str, new: str, key: str, message: str) -> None:
    line = change(project, old, new)
    with pytest.raises(OvergenError) as caught:
        params.load(project / "params.yaml")
    text = str(caught.value)
    assert key in text
    assert message in text
    if key not in ("(top level)", "extra", "evaluate_scores"):  # named where they begin
        assert f"line {line}," in text


def test_models_that_have_no_scores_of_their_own_need_an_entry(project: Path) -> None:
    assert params.load(project / "params.yaml").evaluate_scores.of("resnet") == ["scaled_output", "knn_pixels"]
    change(project, "    other: [scaled_output", "    others: [scaled_output")
    with pytest.raises(OvergenError, match=r"evaluate_scores: methods has no entry `other`"):
        params.load(project / "params.yaml")


@pytest.mark.parametrize(
    ("setting", "message"),
    [("batches: 64", "settings.1: batches: no option"), ("batch_size: 0", "settings.1"), ("l2: a", "settings.1")],
)
def test_a_search_names_the_setting_that_is_impossible(project: Path, setting: str, message: str) -> None:
    change(project, "{}, {output_std: 0.3}", "{}, {" + setting + "}")
    with pytest.raises(OvergenError, match=r"search_choices\.mnist\.cool.*" + message):
        params.load(project / "params.yaml")


def test_not_yaml_names_the_line(project: Path) -> None:
    line = change(project, "classifiers: [cnn, cool, lenet]", "classifiers: [cnn, cool, lenet")
    with pytest.raises(OvergenError, match=rf"line ({line}|{line + 1}): not YAML"):
        params.load(project / "params.yaml")


def test_missing_file_and_missing_data_set(project: Path) -> None:
    with pytest.raises(OvergenError, match="run from the repository's root"):
        params.load(project / "nowhere.yaml")
    change(project, "datasets: [digits,", "datasets: [letters, digits,")
    with pytest.raises(OvergenError, match="no entry for data set 'letters'"):
        params.load(project / "params.yaml")


def test_a_stage_reads_what_it_declares_and_nothing_else(project: Path) -> None:
    declared = params.declared("train_classifier", root=project, dataset="mnist", model="cool")
    assert declared("models.cool").omega == 10
    assert declared("models.cool.omega") == 10
    assert declared("training.mnist.learning_rate") == 0.001
    for key in ("confidence.mnist", "models.cnn", "training.digits", "fool_fgn", "training"):
        with pytest.raises(OvergenError, match="does not declare"):
            declared(key)


@pytest.mark.parametrize("item", [{"dataset": "cifar", "model": "cnn"}, {"dataset": "mnist", "model": "vgg"}])
def test_unknown_data_set_or_model_names_the_known_ones(project: Path, item: dict[str, str]) -> None:
    with pytest.raises(OvergenError, match=r"is unknown to stage train_classifier; params\.yaml has (digits|cnn)"):
        params.declared("train_classifier", root=project, **item)


def test_a_users_network_takes_its_own_options(project: Path) -> None:
    change(project, "  cnn: {network", "  resnet: {network: src/own/resnet.py:ResNet, blocks: 3}\n  cnn: {network")
    model = params.load(project / "params.yaml").models["resnet"]
    assert model.model_dump() == {"network": "src/own/resnet.py:ResNet", "blocks": 3}


def test_members_that_train_together_are_counted_by_device() -> None:
    engine = engine.Engine(precision="32", threads=1, chunk=1, probes=1, together={"cuda": 50})
    assert (engine.together_on("cuda"), engine.together_on("cpu")) == (50, 1)
    assert engine.Engine(precision="32", threads=1, chunk=1, probes=1, together=4).together_on("cpu") == 4
    with pytest.raises(ValueError, match="share a loss scale"):
        engine.Engine(precision="16-mixed", threads=1, chunk=1, probes=1, together={"cuda": 50})


def test_variants_of_the_fgn_are_named_by_what_they_change() -> None:
    def name(**options: object) -> str:
        return fool_fgn_params.FgnVariant.model_validate({"models": ["cnn"]} | options).name

    assert name(learning_rate=1e-3) == "lr_1e-3"  # as in reported.csv
    assert name(clip=1e-10) == "clip_1e-10"
    assert name(optimizer="sgd", input="normal") == "optimizer_sgd-input_normal"
    assert name(initial="glorot") == "initial_glorot"
    assert name(initial=0.02) == "initial_0.02"


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ("[{models: [cnn]}]", "changes nothing"),
        ("[{models: [vgg], clip: 1.0e-9}]", "vgg: models must be those of"),
        ("[{models: [cnn], clip: 0.1}, {models: [cool], clip: 0.1}]", "no two variants the same"),
        ("[{models: [cnn], clip: 2.0}]", "less than 1"),
    ],
)
def test_impossible_variants_are_refused(project: Path, variants: str, message: str) -> None:
    change(project, "input: normal, scaled", f"variants: {variants}, input: normal, scaled")
    with pytest.raises(OvergenError, match=message):
        params.load(project / "params.yaml")


def test_changes_of_training_are_merged_over_it() -> None:
    assert set(params.TrainingChanges.model_fields) == set(params.Training.model_fields)
    base = params.Training(batch_size=8, learning_rate=0.1, noise_std=0.2, l2=1)
    changed = params.TrainingChanges(noise_std=0, l2=0.05).of(base)
    assert changed == params.Training(batch_size=8, learning_rate=0.1, noise_std=0, l2=0.05)
    assert params.TrainingChanges().of(base) == base


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ["cnn"]}, "variants names 'cnn': must be called <model>_<change>"),
        ({"attacked": ["cool"], "evolved": ["cool"]}, "'cnn_sigmoid_units': must be called"),
        ({"fool_variants.mnist.scaled": {"dae_sym": [3]}}, r"fool_variants\.mnist\.scaled: dae_sym: .* must name"),
    ],
)
def test_impossible_variants_of_networks_are_refused(project: Path, changes: dict[str, object], message: str) -> None:
    path = project / "params.yaml"
    params.load(path)
    set_params(path, {"variant_datasets": ["mnist"]} | changes)
    with pytest.raises(OvergenError, match=message):
        params.load(path)
    if "fool_variants.mnist.scaled" not in changes:
        set_params(path, {"variant_datasets": [], "fool_fgn.mnist.scaled": {}, "fool_fgn.fashion_mnist.scaled": {},
                          "fool_fgn.digits.scaled": {}})  # fmt: skip
        params.load(path)  # a list of variants that nothing trains does not stand in the way


def test_sections_cannot_be_changed() -> None:
    section = params.load(ROOT / "params.yaml").training["mnist"]
    with pytest.raises(ValueError, match="frozen"):
        section.l2 = 1.0


def test_the_papers_budgets_are_settable() -> None:
    """Every key of budgets/paper.txt exists, takes its value, and is not below what is run."""
    import yaml

    from conftest import set_params

    lines = [line.split("#")[0].strip() for line in (ROOT / "budgets/paper.txt").read_text().splitlines()]
    budgets = {key: yaml.safe_load(value) for key, value in (line.split("=", 1) for line in lines if line)}
    assert len(budgets) > 10
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())

    def amount(value: object) -> float:
        if isinstance(value, dict):  # by model
            return max(map(amount, value.values()))
        return len(value) if isinstance(value, list) else float(value)  # type: ignore[arg-type]

    for key, paper in budgets.items():
        section = raw
        for part in key.split("."):
            assert part in section, key
            section = section[part]
        assert amount(paper) >= amount(section), key
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text((ROOT / "params.yaml").read_text())
        set_params(path, budgets)
        params.load(path)


def test_a_stage_may_change_the_training_of_one_model() -> None:
    training = params.load(ROOT / "params.yaml").training["mnist"]
    changed = params.TrainingChanges(l2=3.0, noise_std=0.0).of(training)
    assert (changed.l2, changed.noise_std, changed.batch_size) == (3.0, 0.0, training.batch_size)
    assert params.TrainingChanges().of(training) == training
