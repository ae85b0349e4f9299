"""What params.yaml lacks that stages read: all of it in one error, with lines to paste. A study that is added."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import overgen.stages
from overgen import OvergenError
from overgen.run import params, pipeline
from overgen.run.yaml_files import read_document

from params_text import change, fault


def add_what_is_missing(project: Path) -> str:
    """Paste what the error about missing entries proposes; returns the error."""
    text = fault(project)
    path = project / "params.yaml"
    lines = path.read_text().splitlines()
    after: dict[int, list[str]] = {}
    for line in text.splitlines()[1:]:
        if line.startswith("  in "):
            number = int(line.split(", line ")[1].split(",")[0].rstrip(":"))
        elif line.startswith("  at the end"):
            number = len(lines)
        else:
            after.setdefault(number, []).append(line)
    path.write_text("\n".join(part for i, line in enumerate(lines, 1) for part in (line, *after.get(i, []))) + "\n")
    return text


def without_variants(project: Path) -> int:
    """Leave fool_variants without an entry. Returns its line."""
    lines = (project / "params.yaml").read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("fool_variants:"))
    end = next(i for i, line in enumerate(lines) if i > first and not line.startswith(" "))
    (project / "params.yaml").write_text("\n".join([*lines[: first + 1], *lines[end:]]) + "\n")
    return first + 1


def test_a_data_set_that_is_added_lacks_everything_at_once(project: Path) -> None:
    change(project, "datasets: [digits,", "datasets: [letters, digits,")
    change(project, "variant_datasets: [", "variant_datasets: [letters, ")
    change(project, "searched_datasets: [", "searched_datasets: [letters, ")
    text = add_what_is_missing(project)
    stages = pipeline.read_stages(project / "dvc.yaml")
    values = read_document(project / "params.yaml").values
    declared = {
        key
        for entry in stages.values()
        for item in pipeline.cells_of(entry, values)
        if item.get("dataset") == "letters"
        for key in pipeline.filled(entry, item)["params"]
        if "letters" in key
    }
    assert {"download.letters", "fool_fgn.letters.trials", "search_choices.letters.cool"} <= declared
    for key in declared:
        whole = key[: key.index("letters") + len("letters")]  # of which the key is a part
        assert f"{key} (for " in text or f"{whole} (for " in text, key
    assert "\n  letters: {source: digits}\n" in text
    loaded = params.load(project / "params.yaml")  # what was pasted is all that was missing
    assert loaded.fool_fgn["letters"] == loaded.fool_fgn["digits"]
    assert loaded.search_choices["letters"] == loaded.search_choices["mnist"]


def test_models_that_lists_name_and_models_lacks(project: Path) -> None:
    change(project, "attacked: [cnn,", "attacked: [vgg, cnn,")
    change(project, "openset_models: [cnn,", "openset_models: [cmn,")
    text = add_what_is_missing(project)
    assert "models.vgg (for attacked)" in text
    assert "models.cmn (for openset_models) (misspelt cnn?)" in text
    assert "attacked: 'vgg': no stage trains it" in fault(project)


LISTS = ("classifiers", "attacked", "evolved", "openset_models")  # cut to the model of one's own; the others to none


def cut_lists(project: Path, dataset: str, model: str) -> None:
    """Leave in the lists of params.yaml one data set and one model."""
    text = (project / "params.yaml").read_text()
    lists = re.findall(r"^(\w+): \[[^\]]*\]", text, re.MULTILINE)
    assert {"datasets", "variants", "oneclass_datasets", *LISTS} <= set(lists)
    for name in lists:
        left = dataset if name == "datasets" else model if name in LISTS else ""
        text = re.sub(rf"^{name}: \[[^\]]*\]", f"{name}: [{left}]", text, flags=re.MULTILINE)
    (project / "params.yaml").write_text(text)


def test_lists_cut_to_ones_own_names_ask_for_what_these_need(project: Path) -> None:
    change(project, "\nmodels:\n", "\nmodels:\n  mine: {network: cnn}\n")
    cut_lists(project, "letters", "mine")
    text = add_what_is_missing(project)
    assert "train_classifier.letters (for train_classifier@letters-mine)" in text
    assert "fool_fgn.letters.models.mine (for fool_fgn@letters-mine)" in text
    for unrelated in ("search_choices", "oneclass", "variants", "perceptrons", "line 1,"):
        assert unrelated not in text
    # mnist's epochs by model have none for mine, which is nobody's fault: no list names mnist
    params.check(project)
    declared = params.declared("fool_fgn", root=project, dataset="letters", model="mine")
    assert declared("fool_fgn.letters.trials") == 3


def test_models_that_no_list_names_may_go(project: Path) -> None:
    cut_lists(project, "digits", "cnn")
    text = (project / "params.yaml").read_text()
    before, rest = text.split("\nmodels:\n")
    (project / "params.yaml").write_text(
        f"{before}\nmodels:\n  cnn: {{network: cnn}}\n\nengine:{rest.split('engine:')[1]}"
    )
    line = (project / "params.yaml").read_text().split("      cool: {}\n")[0].count("\n") + 1
    # of what is in use one entry names a model that is gone: it alone is said, with its line
    assert fault(project) == f"params.yaml, line {line}, fool_fgn.digits.models.cool: must be one of `models`"
    for entry in ("cool: {}", "dae_sym: {scaled: [3]}", "dae_asym: {}"):
        change(project, f"      {entry}\n", "")
    params.check(project)


def test_faults_of_a_cut_list_have_its_line(project: Path) -> None:
    cut_lists(project, "digits", "cnn")
    evolved = change(project, "evolved: [cnn]", "evolved: []")
    openset = change(project, "openset_models: [cnn]", "openset_models: [ocsvm]")
    first, *faults = fault(project).splitlines()
    assert first == "params.yaml: 2 faults"
    assert {line.split(": ")[0].strip() for line in faults} == {
        f"params.yaml, line {evolved}, evolved",
        f"params.yaml, line {openset}, openset_models",
    }


def test_lists_that_are_gone_are_asked_for_empty(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    before, rest = text.split("datasets:", 1)
    models = rest.split("\nmodels:\n")[1]
    own = "".join(f"{name}: [cnn]\n" for name in LISTS)
    (project / "params.yaml").write_text(f"{before}datasets: [digits]\n{own}\nmodels:\n{models}")
    said = add_what_is_missing(project)
    assert "autoencoders (for the matrix of train_autoencoder)," in said
    assert "misspelt" not in said
    params.check(project)  # as it was pasted: nothing is run of what they name
    assert params.load(project / "params.yaml").autoencoders == []


def test_a_section_that_is_missing_shows_its_form(project: Path) -> None:
    change(project, "evaluate_openset: {resamples: 1000}", "")
    text = fault(project)
    assert "lacks what stages of dvc.yaml read: evaluate_openset (for evaluate_openset@digits-cnn)" in text
    assert text.endswith("at the end of the file:\nevaluate_openset: {resamples: …}")


def test_a_list_that_is_missing(project: Path) -> None:
    change(project, "attacked: [cnn,", "#")
    assert "attacked (for the matrix of fool_fgn)" in fault(project)


@pytest.mark.parametrize("value", ["3", "[a]", "text"])
def test_what_stands_in_the_place_of_entries_is_what_is_wrong(project: Path, value: str) -> None:
    line = change(project, "fool_variants: #", f"fool_variants: {value} #")
    without_variants(project)
    assert f"params.yaml, line {line}, fool_variants: Input should be a valid dictionary" in fault(project)
    with pytest.raises(OvergenError, match="fool_variants: Input should be a valid dictionary"):
        params.declared("fool_variants", root=project, dataset="mnist", model="dae_sym_l2_10")


def test_a_section_without_entries_shows_their_form(project: Path) -> None:
    line = without_variants(project)
    assert f"in fool_variants, line {line}:\n  mnist: {{trials: …, updates: …" in fault(project)


def test_missing_file(project: Path) -> None:
    with pytest.raises(OvergenError, match="run from the repository's root"):
        params.load(project / "nowhere.yaml")
    (project / "dvc.yaml").write_text("")
    assert fault(project) == "dvc.yaml: has no stages; restore it with `git checkout dvc.yaml`"


def test_a_new_study_needs_its_folder_and_lines_of_yaml_only(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project / "stages" / "try_something"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "params.py").write_text(
        "from overgen.run.sections import Count, Name, Section\n"
        "class TrySomething(Section):\n    tries: Count\n"
        "SECTION = dict[Name, TrySomething]\n"
        "def check(params):\n"
        "    if 'lenet' in params.names('tried'):\n        raise ValueError('tried: lenet cannot be tried')\n"
    )
    monkeypatch.setattr(overgen.stages, "__path__", [*overgen.stages.__path__, str(project / "stages")])
    with (project / "dvc.yaml").open("a") as file:
        file.write(
            '\n  try_something:\n    matrix: {dataset: "${datasets}", model: "${tried}"}\n    cmd: x\n'
            '    params: ["try_something.${item.dataset}"]\n    deps: [".overgen/code/try_something/${item.model}"]\n'
        )
    with (project / "params.yaml").open("a") as file:
        file.write("try_something:\n  digits: {tries: 3}\n  mnist: {tries: 1}\n")
    assert "tried (for the matrix of try_something)" in fault(project)
    with (project / "params.yaml").open("a") as file:
        file.write("tried: [cnn, vgg]\n")
    text = fault(project)
    assert "models.vgg (for tried)" in text
    assert "try_something.fashion_mnist (for try_something@fashion_mnist-cnn)" in text
    change(project, "tried: [cnn, vgg]", "tried: [cnn, lenet]")
    change(project, "  mnist: {tries: 1}", "  mnist: {tries: 1}\n  fashion_mnist: {tries: 0}")
    assert "try_something.fashion_mnist.tries: Input should be greater than or equal to 1" in fault(project)
    change(project, "fashion_mnist: {tries: 0}", "fashion_mnist: {tries: 2}")
    assert "tried: lenet cannot be tried" in fault(project)
    change(project, "tried: [cnn, lenet]", "tried: [cnn]")
    params.check(project)
    assert params.declared("try_something", root=project, dataset="digits", model="cnn").values() == {
        "try_something.digits.tries": 3
    }
