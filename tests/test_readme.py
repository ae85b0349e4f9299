"""The README says what is so: its commands, its pipeline, its results."""

from __future__ import annotations

import json
import re
import subprocess

import pandas as pd
import pytest

from overgen import tables

from conftest import ROOT, environment

README = (ROOT / "README.md").read_text()


def test_the_commands_exist() -> None:
    for target in re.findall(r"make ([a-z]+)", README):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


def test_the_pipeline_is_what_dvc_draws() -> None:
    done = subprocess.run(
        ["dvc", "dag", "--collapse-foreach-matrix", "--mermaid"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    def graph(text: str) -> set[tuple[str, ...]]:
        """Stages and edges by name: DVC does not always number the nodes in the same order."""
        names = dict(re.findall(r'(node\d+)\["(\w+)"\]', text))
        edges = re.findall(r"(node\d+)-->(node\d+)", text)
        return {(name,) for name in names.values()} | {(names[a], names[b]) for a, b in edges}

    drawn = README.split("```mermaid\n")[1].split("```")[0]
    assert ("train_rings", "report_rings") in graph(drawn)
    assert graph(drawn) == graph(done.stdout)


def test_the_results_are_those_of_the_reports() -> None:
    assert tables.readme_is_current(ROOT / "README.md", ROOT / "reports"), "run `overgen readme`"


def test_what_other_networks_call_the_fooling_images_is_measured() -> None:
    """The two ranges over networks and attacks that the README gives for MNIST at τ = 0.99."""
    found: dict[bool, list[tuple[float, int]]] = {True: [], False: []}
    for cell in (ROOT / "reports/cells/mnist/evaluate_fooling").glob("*/metrics.json"):
        for row in json.loads(cell.read_text())["metrics"]:
            if row["metric"].startswith("seen_as_target_rate") and row["tau"] == 0.99 and row["n"]:
                found["attacked=dae" in row["metric"]].append((row["reproduced"], row["n"]))
    text = " ".join(README.split())
    for dae, before in ((True, "networks that took no part label"), (False, "the CNN or COOL there")):
        rates, counts = zip(*found[dae], strict=True)
        said = re.search(re.escape(before) + r" (\d+) to (\d+) % .*?\(n = (\d+) to (\d+)\)", text)
        assert said
        assert [*map(int, said.groups())] == [round(min(rates)), round(max(rates)), min(counts), max(counts)]


def test_what_fools_the_daes_of_fashion_mnist_is_counted_in_the_trials() -> None:
    """How many of 200 trials fool, by attack and threshold, and how many pass before any update."""
    text = " ".join(README.split())
    said = re.search(
        r"fools dAE sym in (\d+) of 200 trials at τ = 0.9 and in (\d+) at 0.99 \(in (\d+) and (\d+) of the classes\), "
        r"dAE asym in (\d+) and (\d+); the attack on ỹ fools dAE sym in (\d+) at 0.99. (\d+) of each",
        text,
    )
    assert said
    counts, classes, at_once = [], [], set()
    for model, objective in (("dae_sym", "y"), ("dae_asym", "y"), ("dae_sym", "scaled")):
        trials = pd.read_csv(ROOT / f"reports/cells/fashion_mnist/fool_fgn/{model}/trials.csv")
        mine = trials[trials["objective"] == objective]
        assert len(mine) == 200
        for tau in (0.9, 0.99):
            fooled = mine[mine[next(c for c in mine if c.startswith(f"step@tau={tau},"))].notna()]
            if objective == "scaled" and tau == 0.9:
                continue
            counts.append(len(fooled))
            classes.append(fooled["target"].nunique())
            at_once.add(int((fooled.filter(like=f"step@tau={tau},").iloc[:, 0] == 0).sum()))
    sym, asym, scaled = counts[:2], counts[2:4], counts[4:]
    assert [*map(int, said.groups())] == [*sym, *classes[:2], *asym, *scaled, *at_once]


@pytest.mark.parametrize(("dataset", "alpha"), [("mnist", 3), ("fashion_mnist", 2)])
def test_what_gradients_fool_is_counted_in_the_trials(dataset: str, alpha: int) -> None:
    """All of 170 trials of each start on each dAE at the paper's α; the last update; those that fool in 8 bits."""
    text = " ".join(README.split("What it says on MNIST")[1].split())
    text = text.partition("On Fashion-MNIST ([")[2 * (dataset == "fashion_mnist")]
    said = re.search(
        r"radients of ỹ pass both thresholds on both dAEs in all of 510 trials each.*? at τ = 0.99 after ([\d,]+) "
        r"updates at most\..*? As pictures of 8 bits (\d+) of the ([\d,]+) at τ = 0.99 still fool",
        text,
    )
    assert said
    high = []
    for model in ("dae_sym", "dae_asym"):
        trials = pd.read_csv(ROOT / f"reports/cells/{dataset}/fool_gradient/{model}/trials.csv")
        for tau, strength in ((0.9, 20), (0.99, alpha)):
            mine = trials[(trials["tau"] == tau) & (trials["alpha"] == strength)]
            assert mine["start"].value_counts().tolist() == [170, 170, 170]
            assert mine["step"].notna().all()
        high.append(mine)
    both = pd.concat(high)
    counted = [int(both["step"].max()), int((both["score_in_8_bits"] > 0.99).sum()), len(both)]
    assert [int(text.replace(",", "")) for text in said.groups()] == counted
    if dataset == "mnist":
        noise = high[1][high[1]["start"] == "noise"]
        assert f"dAE asym falls in only {(noise['step'] <= 1000).sum()} of the 170 from noise" in text


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([a-z_/0-9.]+)\)", README))))
def test_what_it_links_to_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_tree_names_what_is_there() -> None:
    """Every file that the annotated tree names exists; every module of the package is named."""
    tree = README.split("budgets/paper.txt         ")[1].split("models/<dataset>")[0]
    named = set(re.findall(r"\b([a-z_]+\.(?:py|csv))", tree))
    there = {path.name for path in (ROOT / "src/overgen").glob("*.py") if path.name != "__init__.py"}
    assert there <= named
    assert all(list((ROOT / "src/overgen").rglob(name)) for name in named)
