"""README and docs: their commands, the pipeline, their links, their length; every number is one of the reports'."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import dvc.cli
import pytest

from overgen.report import pages

from processes import environment
from workspace import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text()


def test_the_commands_exist() -> None:
    for target in {target for page in PAGES for target in re.findall(r"make ([a-z]+)", page.read_text())}:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's use of pygtrie
def test_the_pipeline_is_what_dvc_draws(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert dvc.cli.main(["dag", "--collapse-foreach-matrix", "--mermaid"]) == 0
    said = capsys.readouterr().out

    def graph(text: str) -> set[tuple[str, ...]]:
        """Stages and edges by name: DVC does not always number the nodes in the same order."""
        names = dict(re.findall(r'(node\d+)\["(\w+)"\]', text))
        edges = re.findall(r"(node\d+)-->(node\d+)", text)
        return {(name,) for name in names.values()} | {(names[a], names[b]) for a, b in edges}

    drawn = (ROOT / "docs/pipeline.md").read_text().split("```mermaid\n")[1].split("```")[0]
    assert ("train_rings", "report_page") in graph(drawn)
    assert graph(drawn) == graph(said)


def test_the_pages_are_what_their_templates_give() -> None:
    for name, text in pages.render(ROOT).items():
        assert (ROOT / name).read_text() == text, f"{name}: run `overgen readme`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", page.read_text()):
        assert not target or target.startswith("https://") or (page.parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)]*)\)", page.read_text()):
        headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_finding_stands_in_their_list() -> None:
    folder = ROOT / "findings"
    listed = re.findall(r"(?m)^\| \[(\S+)\]\(\1\.sh\) \|", (folder / "README.md").read_text())
    assert listed == sorted(path.stem for path in folder.glob("*.sh"))


def test_the_readme_is_short() -> None:
    """At most 12 KB, and no sentence of more than 30 words."""
    assert len(README.encode()) <= 12_000
    prose = re.sub(r"(?m)^( {4}|\||#|!).*$", "\n\n", README)
    prose = re.sub(r"\]\([^)]*\)", "]", prose)
    blocks = re.split(r"\n\s*\n|\n(?=- |\d\. )", prose)
    sentences = [sentence for block in blocks for sentence in re.split(r"(?<=[.:;?])\s", " ".join(block.split()))]
    words = {sentence: len(re.findall(r"\w[\w.-]*", sentence)) for sentence in sentences}
    assert max(words.values()) <= 30, max(words, key=words.__getitem__)
