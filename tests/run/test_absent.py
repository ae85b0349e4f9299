"""Where the outputs of dvc.lock are: in small repositories of DVC with a cache, a folder as remote, and losses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import md5
from pathlib import Path

import dvc.cli
import pytest
from dvc.repo import Repo

from overgen import OvergenError, cli
from overgen.run import absent
from overgen.run.durations import DURATIONS
from overgen.run.hints import COLUMNS, HERE, TIMES
from overgen.run.yaml_files import read_document

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie

PIPELINE = """
stages:
  get:
    cmd: echo data > data.txt
    outs: [data.txt]
  train:
    matrix: {model: [a, b]}
    cmd: mkdir -p weights/${item.model} cells/${item.model} && echo 1 ${item.model} > weights/${item.model}/one
      && echo 2 ${item.model} > weights/${item.model}/two && echo 3 > cells/${item.model}/x
    deps: [data.txt]
    outs:
      - weights/${item.model}
      - cells/${item.model}: {cache: false}
  judge:
    cmd: cat weights/a/one > judged
    deps: [weights/a]
    outs: [judged: {cache: false}]
  draw:
    cmd: cat cells/*/x > drawn
    deps: [cells]
    outs: [drawn: {cache: false}]
"""
NOWHERE = absent.Stored(False, None)
WHOLE = absent.Stored(True, frozenset())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which everything was made once; its remote, a folder beside it, is not set."""
    folder = tmp_path_factory.mktemp("made")
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
    Repo.init(str(folder)).close()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("{}\n")
    (folder / TIMES).parent.mkdir()
    (folder / TIMES).write_text(",".join(COLUMNS) + "\ntrain@a,4,2,,1/2,a GPU\nget,1,1,,,a CPU\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(folder)
        assert dvc.cli.main(["repro", "-q"]) == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working directory."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "repo"))
    return Path()


def with_remote(folder: str = "../store") -> None:
    with Path(".dvc/config").open("a") as file:
        file.write(f"    remote = store\n['remote \"store\"']\n    url = {Path(folder).absolute()}\n")


def push(*targets: str) -> None:
    assert dvc.cli.main(["push", "-q", *targets]) == 0


def stored(store: Path, checksum: str) -> Path:
    return store / "files/md5" / checksum[:2] / checksum[2:]


def lose(store: Path, checksum: str) -> None:
    stored(store, checksum).unlink()


def md5_of(address: str) -> str:
    return str(read_document("dvc.lock").values["stages"][address]["outs"][-1]["md5"])


CACHE = Path(".dvc/cache")


def member(name: str) -> str:
    """The checksum of a file in the workspace."""
    return md5(Path(name).read_bytes()).hexdigest()


def found() -> dict[str, absent.Found]:
    return {output.path: output for output in absent.search().found}


def test_all_is_in_workspace_and_cache(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = found()
    assert sorted(outputs) == ["data.txt", "weights/a", "weights/b"]  # not those that are in Git
    for output in outputs.values():
        assert (output.here, output.cache, output.remote, output.exists) == (True, WHOLE, None, True)
    assert outputs["weights/a"].read_by == ("judge",)
    assert set(outputs["data.txt"].read_by) == {"train@a", "train@b"}
    assert (outputs["weights/a"].files, outputs["weights/a"].size, outputs["data.txt"].files) == (2, 8, 1)
    absent.check()
    assert (
        "3 outputs of dvc.lock with a cache: 3 in the workspace, 3 in the cache, 0 nowhere." in capsys.readouterr().out
    )


def test_without_a_workspace_the_cache_has_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("weights/a")
    output = found()["weights/a"]
    assert (output.here, output.cache, output.exists) == (False, WHOLE, True)
    absent.check()
    assert "`dvc checkout` brings 1 output into the workspace." in capsys.readouterr().out
    assert dvc.cli.main(["checkout", "-q"]) == 0
    assert found()["weights/a"].here


def test_a_changed_file_is_not_the_output(here: Path) -> None:
    Path("weights/a/one").unlink()
    Path("weights/a/one").write_text("other\n")
    assert not found()["weights/a"].here


def test_what_is_nowhere(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.txt").unlink()
    shutil.rmtree("weights")
    shutil.rmtree(CACHE)
    Path(DURATIONS).parent.mkdir()
    Path(DURATIONS).write_text('{"get": 7}')
    search = absent.search()
    assert [(output.cache, output.exists) for output in search.lost] == [
        (absent.Stored(False, frozenset()), False), (NOWHERE, False), (NOWHERE, False),
    ]  # fmt: skip
    assert absent.waiting(search) == {
        ("get",): ["train@a", "train@b"],
        ("train",): ["judge"],
        (): ["get", "draw"],
    }
    with pytest.raises(OvergenError) as error:
        absent.check()
    cost = "7 s for 1 stage here, 2 min for 1 stage on a share of a GPU, 1 stage not measured"
    assert f"`dvc repro -s get train`: {cost}" in str(error.value)
    assert "No default remote is set" in str(error.value)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["get:", "data.txt", "train:", "weights/a", "weights/b"]
    assert lines[1].endswith(f"again: 7 s ({HERE})")
    assert lines[3].endswith("again: 2 min (a GPU)")
    assert lines[4].endswith("again: not measured")
    assert dvc.cli.main(["repro", "-q", "-s", "get", "train"]) == 0  # as is said
    assert not absent.search().lost


def test_what_the_way_out_names_is_enough(here: Path) -> None:
    shutil.rmtree("weights/b")
    lose(CACHE, md5_of("train@b"))
    search = absent.search()
    assert [output.path for output in search.lost] == ["weights/b"]
    message = absent.way_out(search)
    assert "1 output of dvc.lock exists nowhere" in message
    command = message.split("`dvc repro ")[1].split("`")[0].split()
    assert command == ["-s", "train@b"]
    assert dvc.cli.main(["repro", "-q", *command]) == 0
    assert not absent.search().lost


def test_one_file_of_a_folder_is_gone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lose(CACHE, member("weights/a/two"))
    output = found()["weights/a"]
    assert (output.here, output.cache) == (True, absent.Stored(True, frozenset({"two"})))
    assert output.exists  # in the workspace
    shutil.rmtree("weights/a")
    output = found()["weights/a"]
    assert (output.stored, output.exists, output.lacking) == (False, False, {"two"})
    with pytest.raises(OvergenError, match=r"`dvc repro -s train@a`"):
        absent.check()
    assert "weights/a  nowhere (0.0 MB, 2 files); the cache lacks two; again: 2 min" in capsys.readouterr().out


def test_the_remote_has_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_remote()
    push("weights/a")
    shutil.rmtree("weights")
    shutil.rmtree(CACHE)
    outputs = found()
    assert outputs["weights/a"].cache == absent.Stored(False, frozenset({"one", "two"}))
    assert outputs["weights/a"].remote == WHOLE
    assert (outputs["weights/a"].exists, outputs["weights/b"].exists, outputs["data.txt"].exists) == (True, False, True)
    assert not CACHE.exists() or not list(CACHE.rglob("*.dir"))  # nothing is fetched
    with pytest.raises(OvergenError, match=r"Nor are they on the default remote, store.*`dvc repro -s train@b`"):
        absent.check()
    assert "`dvc pull` brings 1 output into the workspace." in capsys.readouterr().out


def test_cache_and_remote_together(here: Path) -> None:
    with_remote()
    push()
    first, second = member("weights/a/one"), member("weights/a/two")
    shutil.rmtree("weights/a")
    lose(CACHE, first)
    lose(Path("../store"), second)
    output = found()["weights/a"]
    assert (output.cache.lacking, output.remote and output.remote.lacking) == ({"one"}, {"two"})
    assert output.exists
    assert dvc.cli.main(["pull", "-q", "weights/a"]) == 0  # as is said
    assert found()["weights/a"].here
    lose(CACHE, first)
    shutil.rmtree("weights/a")
    lose(Path("../store"), first)
    assert not found()["weights/a"].exists


def test_a_broken_list_of_files_is_as_none(here: Path) -> None:
    shutil.rmtree("weights/a")
    path = stored(CACHE, md5_of("train@a"))
    path.chmod(0o644)
    path.write_text("[{")
    output = found()["weights/a"]
    assert (output.cache.lacking, output.exists) == (None, False)


def test_a_remote_that_cannot_be_asked(here: Path) -> None:
    with Path(".dvc/config").open("a") as file:
        file.write("    remote = nowhere\n")
    with pytest.raises(OvergenError, match="remote nowhere cannot be asked"):
        absent.search()


def test_what_was_never_made(here: Path) -> None:
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text + "  more:\n    cmd: echo > more\n    outs: [more]\n")
    search = absent.search()
    assert search.unlocked == ["more"]
    assert "more" not in [output.path for output in search.found]


def test_the_command(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["overgen", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.app()
        return int(ended.value.code or 0)

    assert run("--cache") == 0
    shutil.rmtree("weights/a")
    lose(CACHE, member("weights/b/two"))
    assert run("--cache") == 0  # in the workspace, or in the cache
    lose(CACHE, md5_of("train@a"))
    capsys.readouterr()
    assert run("--cache") == 1
    assert capsys.readouterr().err.startswith("error: 1 output of dvc.lock exists nowhere.")


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.26, "7.3 s"), (99, "99 s"), (210, "3.5 min"), (1800, "30 min"), (12240, "3.4 h")]
)
def test_times_are_spelt(seconds: float, text: str) -> None:
    assert absent.spell(seconds) == text
