"""YAML files: overgen reads what DVC reads, and refuses what DVC refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overgen import OvergenError
from overgen.run import params
from overgen.run.yaml_files import flow, read_document

from params_text import change, dvc_value, fault
from workspace import ROOT


def same(ours: Any, theirs: Any) -> bool:
    """Equal, with the same types; NaN equals NaN."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and (ours == theirs or (ours != ours and theirs != theirs))


def odd(value: Any) -> bool:
    """Whether a key that is no text, or bytes, stand anywhere in a value."""
    if isinstance(value, dict):
        return any(not isinstance(key, str) or odd(item) for key, item in value.items())
    return any(map(odd, value)) if isinstance(value, list) else isinstance(value, bytes)


def check_as_dvc(text: str) -> None:
    theirs = dvc_value(text)
    try:
        ours = read_document("params.yaml", text).values
    except OvergenError:
        ours = OvergenError
    if ours is OvergenError:
        # DVC passes over keys that are no text, and takes bytes; overgen takes neither
        assert odd(theirs) or isinstance(theirs, type), text
    elif isinstance(ours, dict):  # a comment can leave a file without any key, which the check of the whole refuses
        assert same(ours, theirs), text


SCALARS = [
    *(
        "1e-05",
        "1e-3",
        "1E5",
        ".5",
        "1.0e-5",
        "1.e+3",
        "-.5e-3",
        "+1",
        "1e999",
        ".inf",
        "-.INF",
        ".NaN",
        "._",
        "-_",
        "1__",
    ),
    *("yes", "no", "on", "off", "Yes", "y", "n", "true", "True", "TRUE", "null", "~", "Null", "", "=", "<<"),
    *(
        "010",
        "0o10",
        "0x1F",
        "0b101",
        "1_000",
        "1_0.5",
        "12:30",
        "1:2:3.5",
        "2020-01-01",
        "2020-13-45",
        "0",
        "-0",
        "08",
    ),
    *("a:b", "src/own/a.py:A", "x?y", "!!str 3", "!!float 3", "!!int '3'", "!foo 1", "&a 3", "'32'", '"32"', "1 # c"),
]


FORMS = ["a: {}", "a: {{b: {}, c: 1}}", "a: [{}, 1]", "a:\n  - {}\n  - 1"]


texts = st.text(st.characters(max_codepoint=0x2FF, exclude_characters="\r\n\x85"), max_size=8)


scalars = st.sampled_from(SCALARS) | st.from_regex(r"\A[-+.0-9eE_xob:]{1,8}\Z") | st.floats().map(repr) | texts


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scalar", SCALARS)
def test_known_scalars_are_read_as_dvc_reads_them(form: str, scalar: str) -> None:
    check_as_dvc(form.format(scalar))


@settings(max_examples=400, deadline=None)
@given(scalars, st.sampled_from([*FORMS, "{}: 1", "{{{}: 1}}"]))
def test_scalars_are_read_as_dvc_reads_them(scalar: str, form: str) -> None:
    check_as_dvc(form.format(scalar))


def test_committed_files_are_read_as_dvc_reads_them() -> None:
    for name in ("params.yaml", "dvc.yaml"):
        text = (ROOT / name).read_text()
        assert same(read_document(name, text).values, dvc_value(text))


@pytest.mark.parametrize("text", ["1e-05", "1e-3", "1E-3", ".5", "1.0e-5", "1e-5"])
def test_floats_are_those_of_yaml_1_2(project: Path, text: str) -> None:
    change(project, "learning_rate: 1.0e-5", f"learning_rate: {text}")
    assert params.load(project / "params.yaml").fool_fgn["digits"].learning_rate == float(text)
    declared = params.declared("fool_fgn", root=project, dataset="digits", model="cnn")
    assert declared("fool_fgn.digits.learning_rate") == float(text)


def test_what_dvc_writes_anew_is_read(project: Path) -> None:
    """As `dvc exp run -S` does; the network of one's own in docs/extending.md stands as it leaves it."""
    from dvc.utils.serialize import modify_yaml

    example = (
        (ROOT / "docs/extending.md").read_text().split("## Your own model\n")[1].split("```yaml\n")[1].split("```")[0]
    )
    change(project, "\nmodels:\n", f"\nmodels:\n{example}")
    before = read_document(project / "params.yaml").values
    with modify_yaml(str(project / "params.yaml")) as written:
        written["fool_fgn"]["digits"]["learning_rate"] = 1e-6
    after = params.load(project / "params.yaml")
    assert after.fool_fgn["digits"].learning_rate == 1e-6
    assert after.models["resnet"].network == "src/own/resnet.py:ResNet"
    before["fool_fgn"]["digits"]["learning_rate"] = 1e-6
    assert same(read_document(project / "params.yaml").values, before)


@pytest.mark.parametrize("value", ["yes", "010", "2020-01-01", "'12:30'"])
def test_what_yaml_1_1_made_of_words_is_refused(project: Path, value: str) -> None:
    change(project, "stop_when_reached: true", f"stop_when_reached: {value}")
    assert "fool_evolution.digits.stop_when_reached: " in fault(project)


def test_a_colon_between_brackets_must_be_quoted(project: Path) -> None:
    resnet = "  resnet: {network: src/own/resnet.py:ResNet, width: 16}\n"
    line = change(project, "  cnn: {network", f"{resnet}  cnn: {{network")
    text = fault(project)
    assert text.startswith(f"params.yaml, line {line}: src/own/resnet.py:ResNet: between brackets DVC takes no ':'")
    assert '"src/own/resnet.py:ResNet"' in text
    change(project, "src/own/resnet.py:ResNet", '"src/own/resnet.py:ResNet"')
    assert params.load(project / "params.yaml").models["resnet"].network == "src/own/resnet.py:ResNet"
    assert isinstance(dvc_value((project / "params.yaml").read_text()), dict)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2020-01-01", "models.own.option: 2020-01-01 is a date, which DVC does not take"),
        ("2020-13-01", "'2020-13-01' is no value (month must be in 1..12)"),
        ("{1: 2}", "models.own.option.1: a key must be text: put 1 in quotes"),
        ("!!binary aGk=", "models.own.option: b'hi' is a bytes"),
        ("!!set {x}", "models.own.option: {'x'} is a set"),
        (".nan", "models.own: option: nan: numbers must be finite"),
        ("[1, {a: .inf}]", "models.own: option: [1, {'a': inf}]: numbers must be finite"),
        ("&a [*a]", "stands for something that it is part of"),
        ("!foo 1", "not YAML (could not determine a constructor"),
    ],
)
def test_options_that_dvc_cannot_take(project: Path, value: str, message: str) -> None:
    new = f"  own:\n    network: src/own/a.py:A\n    option: {value}\n  cnn: {{network"
    line = change(project, "  cnn: {network", new)
    text = fault(project)
    assert message in text
    assert "part of" in text or any(f"line {line + i}" in text for i in (0, 2))


@pytest.mark.parametrize("file", ["params.yaml", "dvc.yaml"])
def test_not_yaml_names_the_line(project: Path, file: str) -> None:
    path = project / file
    line = path.read_text().count("\n") + 1
    path.write_text(path.read_text() + "x: [a\n")
    assert any(f"{file}, line {number}: not YAML" in fault(project) for number in (line, line + 1))
    path.write_bytes(b"a: \xff\n")
    assert f"{file}: not UTF-8" in fault(project)


printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=8)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | printable


values = st.recursive(
    leaves | st.sampled_from(SCALARS),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(["a", "no", "1"]), part, max_size=3),
)


@given(values)
@settings(max_examples=300, deadline=None)
def test_a_value_as_one_line_is_read_back_as_it_is(value: Any) -> None:
    for form in ("a: {}", "a: [{}]"):
        read = dvc_value(form.format(flow(value)))["a"]
        assert same(read if form == "a: {}" else read[0], value)


@pytest.mark.parametrize("file", ["params.yaml", "dvc.yaml"])
def test_a_key_that_stands_twice_is_refused(project: Path, file: str) -> None:
    of_params = file == "params.yaml"
    old, key = ("report_page: {dpi: 150}", "report_page") if of_params else ("  download:\n", "stages.download")
    first = change(project, old, old, file)
    path = project / file
    path.write_text(path.read_text() + ("report_page: {dpi: 100}\n" if of_params else "  download: {cmd: a}\n"))
    last = path.read_text().count("\n")
    assert fault(project) == f"{file}, line {last}, {key}: stands on line {first} already; keep one"


def test_a_key_that_stands_twice_in_a_section_is_refused(project: Path) -> None:
    line = change(project, "    trials: 3\n", "    trials: 2\n\n    trials: 1\n")
    twice = f"params.yaml, line {line + 2}, fool_fgn.digits.trials: stands on line {line} already; keep one"
    assert fault(project) == twice
