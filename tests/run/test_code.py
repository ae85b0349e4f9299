"""What a stage depends on of the code: exactly what its modules do, whatever the words and the version of Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import overgen.run.code
import overgen.run.imports
from overgen import OvergenError
from overgen.run import params, pipeline
from overgen.run.code import main, of_stage, read_cache, texts, write
from overgen.run.imports import Tree, code_digest, parse

SOURCE = Path(overgen.run.code.__file__).parents[2]

# A study with the cases that matter: imports inside functions, for types only, of packages, relative, by name.
FILES = {
    "src/overgen/__init__.py": '"""Only words."""\n',
    "src/overgen/attack.py": "import numpy\nSTEP = 1\n",
    "src/overgen/typed.py": "X = 1\n",
    "src/overgen/late.py": "Y = 1\n",
    "src/overgen/scores/__init__.py": "NAMES = ()\n",
    "src/overgen/scores/knn.py": "from . import base\n",
    "src/overgen/scores/base.py": "K = 1\n",
    "src/overgen/report/__init__.py": "",
    "src/overgen/report/build.py": 'from importlib import import_module\n\nDYNAMIC = ("overgen.stages.*.report",)\n',
    "src/overgen/report/page.html.j2": "<html>\n",
    "src/overgen/report/data/rows.csv": "1\n",
    "src/overgen/report/NOTES.md": "words\n",
    "src/overgen/stages/__init__.py": "",
    "src/overgen/stages/fool/__init__.py": "",
    "src/overgen/stages/fool/params.py": "class Fool: ...\n",
    "src/overgen/stages/fool/run.py": """
from typing import TYPE_CHECKING
from overgen.attack import STEP
import overgen.run.tracking
if TYPE_CHECKING:
    from overgen.typed import X
def main():
    from overgen import late
""",
    "src/overgen/stages/fool/report.py": "from overgen.stages.fool import figures\n",
    "src/overgen/stages/fool/figures.py": "SIZE = 3\n",
    "src/overgen/stages/fool/section.md.j2": "Fooled.\n",
    "src/overgen/stages/score/run.py": "import overgen.scores.knn\n",
    "src/overgen/stages/score/params.py": 'DYNAMIC = ("overgen.stages.fool.params",)\n',
    "src/overgen/stages/report/run.py": "from overgen.report.build import DYNAMIC\n",
    "src/overgen/models/registry.py": "N = 1\n",
    "src/overgen/stages/train/run.py": "import overgen.models.registry\n",
    "src/overgen/stages/test/run.py": "import overgen.models.registry\n",
    "src/overgen/stages/judge/run.py": "import overgen.models.registry\n",
    "src/overgen/run/__init__.py": "",
    "src/overgen/run/tracking.py": "import overgen.attack\nURL = 1\n",
    "src/own/net.py": "from own.blocks import Block\n",
    "src/own/blocks.py": "class Block: ...\n",
    "src/own/other.py": "Z = 1\n",
    "src/own/near.py": "from own.blocks import Block\nclass Near: ...\n",
    "dvc.yaml": """
stages:
  fool: {matrix: {d: [a]}, cmd: x, params: ["fool.${item.d}", "engine.${item.d}"], deps: [x], outs: [y]}
  score: {cmd: x, params: [fool, {other.yaml: [score]}]}
  train: {matrix: {d: [a], model: "${trained}"}, cmd: x}
  test: {matrix: {d: [a]}, cmd: "x --models trained"}
  judge: {matrix: {d: [a], model: "${trained}"}, cmd: x, params: ["judge.methods.${item.model}", "judge.keep"]}
""",
    "params.yaml": """
trained: [cnn, mine]
judge: {methods: {cnn: [knn], mine: [knn, "src/own/near.py:Near"]}, keep: 0.9}
models:
  cnn: {network: cnn}
  ocsvm: {method: one_class_svm}
  mine: {network: "src/own/net.py:Net"}
""",
}

TRICKY = r'''# a comment
"""A docstring."""


class A:
    """One of a class.

    """
    x = 1  # "not a string"
    """One of an attribute."""
    TEXT = """keeps   

    its # blank lines and spaces   
"""  # goes

    def f(self): "one on the row"; return f"""{
        self.x:>{10}}  # text
    """

    async def g(self):
        """Ümläute before"""; return "é"  # ö
    y = ("a"  # between
         # two

         "b#") + 'c\
   d'
if x == '#':   
	pass  # tab
'''


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unchecked() -> None:
    """In the place of params.check: this study has no such sections."""


def held(name: str) -> dict[str, str]:
    """The lines of a file that `main` wrote: MD5 by path."""
    lines = Path(".overgen/code", name).read_text().splitlines()
    return {path.removeprefix("src/overgen/"): digest for digest, path in map(str.split, lines)}


def all_texts() -> dict[str, str]:
    folder = Path(".overgen/code")
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def changed_by(edit: dict[str, str]) -> set[str]:
    """The stages, by model where they have a file each, whose file differs after an edit of some files."""
    main(check=unchecked)
    before = all_texts()
    for name, text in edit.items():
        Path(name).write_text(text)
    main(check=unchecked)
    return {name for name, text in all_texts().items() if before[name] != text}


def digest(text: str) -> str:
    return code_digest(*parse(text.encode(), Path("x.py")))


def test_closures(study: Path) -> None:
    main(check=unchecked)
    assert set(held("fool")) == {"attack.py", "late.py", "stages/fool/params.py", "stages/fool/run.py"}
    assert set(held("score")) == {
        "scores/__init__.py", "scores/base.py", "scores/knn.py", "stages/fool/params.py", "stages/score/params.py",
        "stages/score/run.py",
    }  # fmt: skip
    assert set(held("report")) == {
        "report/build.py", "report/data/rows.csv", "report/page.html.j2", "stages/fool/figures.py",
        "stages/fool/report.py", "stages/fool/section.md.j2", "stages/report/run.py",
    }  # fmt: skip
    assert set(held("train/cnn")) == {"models/registry.py", "stages/train/run.py"}
    assert set(held("train/mine")) == set(held("train/cnn")) | {"src/own/blocks.py", "src/own/net.py"}
    assert set(held("test")) - {"stages/test/run.py"} == set(held("train/mine")) - {"stages/train/run.py"}
    assert set(held("judge/cnn")) == {"models/registry.py", "stages/judge/run.py"}
    assert set(held("judge/mine")) == set(held("judge/cnn")) | {f"src/own/{x}.py" for x in ("blocks", "near", "net")}
    for name in ("fool", "score", "report", "test", "train/mine"):
        lines = Path(".overgen/code", name).read_text().splitlines()
        assert [line.split()[1] for line in lines] == sorted(line.split()[1] for line in lines)


@pytest.mark.parametrize(
    ("edit", "stale"),
    [
        ({"src/overgen/attack.py": "import numpy  # more\n\n\nSTEP = 1   \n"}, set()),
        ({"src/overgen/attack.py": '"""Words."""\nimport numpy\nSTEP = 1\n'}, set()),
        ({"src/overgen/attack.py": "import numpy\nSTEP = 2\n"}, {"fool"}),
        ({"src/overgen/late.py": "Y = 2\n"}, {"fool"}),
        ({"src/overgen/typed.py": "X = 2\n"}, set()),
        ({"src/overgen/scores/__init__.py": "NAMES = (1,)\n"}, {"score"}),
        ({"src/overgen/scores/base.py": "K = 2\n"}, {"score"}),
        ({"src/overgen/stages/fool/params.py": "class Fool:\n    n = 1\n"}, {"fool", "score"}),
        ({"src/overgen/stages/fool/figures.py": "SIZE = 4\n"}, {"report"}),
        ({"src/overgen/stages/fool/section.md.j2": "Fooled!\n"}, {"report"}),
        ({"src/overgen/stages/score/section.md.j2": "new"}, set()),  # it has no report.py
        ({"src/overgen/report/page.html.j2": "<html lang=en>\n"}, {"report"}),
        ({"src/overgen/report/data/rows.csv": "2\n"}, {"report"}),
        ({"src/overgen/report/NOTES.md": "more words\n"}, set()),
        ({"src/overgen/stages/score/report.py": "N = 1\n"}, {"report"}),
        ({"src/overgen/run/tracking.py": "import overgen.scores.base\nURL = 2\n"}, set()),
        (
            {"src/overgen/__init__.py": "V = 1\n"},
            {"fool", "score", "report", "test", "train/cnn", "train/mine", "judge/cnn", "judge/mine"},
        ),
        ({"src/own/blocks.py": "class Block:\n    n = 1\n"}, {"test", "train/mine", "judge/mine"}),
        ({"src/own/near.py": "class Near:\n    n = 1\n"}, {"judge/mine"}),
        ({"src/overgen/models/registry.py": "N = 2\n"}, {"test", "train/cnn", "train/mine", "judge/cnn", "judge/mine"}),
        ({"params.yaml": FILES["params.yaml"].replace("near.py:Near", "other.py:Near")}, {"judge/mine"}),
        ({"src/own/other.py": "Z = 2\n"}, set()),
        ({"src/own/new.py": "from own.net import Net\nfrom overgen.models.registry import N\n"}, set()),
        ({"params.yaml": FILES["params.yaml"].replace("network: cnn", "network: cool")}, set()),  # DVC compares it
        (
            {"params.yaml": FILES["params.yaml"].replace('"src/own/net.py:Net"', "cnn")},
            {"test", "train/mine", "judge/mine"},
        ),
    ],
)
def test_an_edit_makes_stale_just_what_runs_it(study: Path, edit: dict[str, str], stale: set[str]) -> None:
    assert changed_by(edit) == stale


def test_digest_is_the_same_on_every_python() -> None:
    """A constant: this test runs on each version that is supported."""
    assert digest(TRICKY) == "af33f2e6b441bd0881374fa05df21254"


def test_digest_of_this_package_is_the_same_on_the_pythons_here(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from overgen.run.imports import code_digest, parse\n"
        "for p in sorted(Path(sys.argv[1]).rglob('*.py')): print(p, code_digest(*parse(p.read_bytes(), p)))"
    )
    said = {}
    for version in ("3.11", "3.12", "3.13"):
        python = sys.executable if version == f"3.{sys.version_info[1]}" else shutil.which(f"python{version}")
        if not python:
            continue
        done = subprocess.run(
            [python, "-c", script, str(SOURCE)], env=os.environ | {"PYTHONPATH": str(SOURCE)}, capture_output=True
        )
        if done.returncode == 0 or python == sys.executable:  # the name may be a shim without that Python behind it
            said[version] = done.stdout
    assert b"code.py" in said[f"3.{sys.version_info[1]}"]
    assert len(set(said.values())) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n", "x = 1  # one\n"),
        ("x = 1\n", "x = 1"),
        ("x = 1\n", "\n\n# a\nx = 1\r\n\r\n"),
        ("x = 1\n", '\ufeff"""A docstring\n\nof lines."""\nx = 1\n'),
        ("def f():\n    pass\n", "def f():\n    '''a\n    b'''  # c\n    pass\n"),
        ("def f(): return 1\n", 'def f(): return 1  # "quoted"\n'),
        ("x = (1,\n\n  2)\n", "x = (1,  # one\n  # two\n  2)\n"),
    ],
)
def test_words_do_not_count(one: str, other: str) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'),
        ('x = """a \nb"""\n', 'x = """a\nb"""\n'),
        ('x = f"""a{1}\n\nb"""\n', 'x = f"""a{1}\nb"""\n'),
        ('x = """a\n# b"""\n', 'x = """a\n# c"""\n'),
        ("x = 'a # b'\n", "x = 'a # c'\n"),
        ("if a:\n    b\nc\n", "if a:\n    b\n    c\n"),
        ("x = 1\n", "x = 2\n"),
    ],
)
def test_what_runs_counts(one: str, other: str) -> None:
    assert digest(one) != digest(other)


def test_nothing_but_words_is_no_code() -> None:
    assert digest('"""Words."""\n\n# more\n') == ""


def test_files_are_kept_where_nothing_changed(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(check=unchecked)
    times = {path: path.stat().st_mtime_ns for path in Path(".overgen/code").rglob("*")}
    shutil.rmtree("src/overgen/stages/score")
    main(check=unchecked)
    assert not Path(".overgen/code/score").exists()
    left = {path: path.stat().st_mtime_ns for path in Path(".overgen/code").rglob("*") if path.is_file()}
    assert left
    assert all(times[path] == time for path, time in left.items())
    assert capsys.readouterr().out.splitlines()[-1] == "7 texts of what stages hang on; changed: score"


def test_folders_that_people_fill_are_made_and_files_beside_them_are_named(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DVC refuses a dependency that is not there, and Git holds no empty folder. No file of a person is touched."""
    main(check=unchecked)
    assert not Path("reports").exists()  # no stage here depends on such a folder
    with Path("dvc.yaml").open("a") as file:
        file.write("  read: {matrix: {d: [a, b]}, cmd: x, deps: [data, 'reports/labels/${item.d}']}\n")
    labels = Path("reports/labels")
    for name in ("b/anna.csv", "c/ben.csv", "cem.CSV", "README.md"):
        (labels / name).parent.mkdir(parents=True, exist_ok=True)
        (labels / name).write_text(name)
    main(check=unchecked)
    assert sorted(path.name for path in labels.iterdir() if path.is_dir()) == ["a", "b", "c"]
    assert not Path("data").exists()
    said = capsys.readouterr().err.splitlines()
    place = "read by no stage; it belongs into one of reports/labels/a, reports/labels/b"
    assert said == [f"reports/labels/c/ben.csv: {place}", f"reports/labels/cem.CSV: {place}"]
    assert all((labels / name).read_text() == name for name in ("b/anna.csv", "c/ben.csv", "cem.CSV", "README.md"))


def test_the_cache_saves_parsing_only(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main(check=unchecked)
    cold = all_texts()
    cache = read_cache()
    monkeypatch.setattr(overgen.run.imports, "parse", lambda *_: pytest.fail("parsed again"))
    tree = Tree(cache=cache)
    names = texts(tree, {}, {})
    assert names["fool"] == cold["fool"]
    assert read_cache(study / "none.json") == {}
    Path(".overgen/code.json").write_text('{"rule": "another", "files": {"a": 1}}')
    assert read_cache() == {}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"src/overgen/attack.py": "x = (\n"}, r"^src/overgen/attack.py, line 1: not Python \("),
        (
            {"src/overgen/attack.py": "import importlib\nimportlib.import_module(x)\n"},
            "attack.py: imports modules by a",
        ),
        ({"src/overgen/attack.py": "DYNAMIC = [x]\n"}, "attack.py, line 1: DYNAMIC must be a literal tuple"),
        (
            {"src/overgen/attack.py": 'DYNAMIC = ("overgen.stage.*",)\n'},
            "attack.py: DYNAMIC names 'overgen.stage.*', but",
        ),
        (
            {"src/own/near.py": None},
            r"^src/own/near.py: missing; params.yaml, judge.methods.mine: 'src/own/near.py:Near' is there",
        ),
        ({"src/own/net.py": None}, "^src/own/net.py: missing; params.yaml, models.mine: network 'src/own/net.py:Net'"),
        ({"src/overgen/attack.py": b"x = '\xff'\n"}, "attack.py: not UTF-8"),
    ],
)
def test_errors_name_the_place(study: Path, edit: dict[str, str | bytes | None], message: str) -> None:
    for name, text in edit.items():
        if text is None:
            Path(name).unlink()
        else:
            Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(OvergenError, match=message):
        main(check=unchecked)


def test_it_runs_as_a_command_without_heavy_imports(study: Path) -> None:
    script = (
        "import sys; from overgen.run.code import main; main(check=lambda: None); "
        "print(sorted({'torch', 'numpy', 'pandas', 'dvc'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    names = ["fool", "judge/cnn", "judge/mine", "report", "score", "test", "train/cnn", "train/mine"]
    assert write({}, Path(".overgen/code")) == names


def test_a_stage_runs_the_modules_of_all_sections_that_it_declares() -> None:
    """A default that changes there changes what the stage reads."""
    root = SOURCE.parent
    tree = Tree(SOURCE)
    for stage, entry in pipeline.read_stages(root / "dvc.yaml").items():
        sections = {key.partition(".")[0] for key in entry.get("params") or [] if isinstance(key, str)}
        modules = {module for section in sections if (module := params.module_of(section))}
        text = of_stage(tree, stage, {}, []) if modules else ""
        assert [module for module in modules if f"{module.replace('.', '/')}.py" not in text] == [], stage
