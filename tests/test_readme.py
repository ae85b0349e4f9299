"""The README says what is so: its commands, its pipeline, its results."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pandas as pd
import pytest

from overgen.report import readme

from processes import environment
from workspace import ROOT

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
    assert readme.readme_is_current(ROOT / "README.md", ROOT / "reports"), "run `overgen readme`"


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


def test_what_others_see_in_the_generators_images_on_fashion_mnist() -> None:
    """The range over networks for FGN against dAE sym at τ = 0.99."""
    metric = "seen_as_target_rate@attack=fgn@attacked=dae_sym"
    rows = measured("fashion_mnist")
    found = [row for key, row in rows.items() if key[0] == "witness" and key[2:] == (metric, "0.99")]
    assert len(found) == 3
    low, high = (end(row["reproduced"] for row in found) for end in (min, max))
    (n,) = {row["n"] for row in found}
    assert f"in {low:.0f} to {high:.0f} % of the {n} that the generator made against dAE sym" in " ".join(
        README.split()
    )


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


def test_what_evolution_fools_is_counted_in_the_trials() -> None:
    """Of 100 pairs of run and class: all by CPPNs on all dAEs; by pixels as many as said; what the CNN sees in them."""
    text = " ".join(README.split())
    said = re.search(
        r"CPPNs draw pass ỹ > 0.99 of both dAEs in all of (\d+) pairs of run and class after ([\d,]+) generations, on "
        r"Fashion-MNIST too \(evolved pixels: in (\w+), there in (\w+)\). Of the (\d+) against dAE sym the CNN, which "
        r"took no part, calls (\d+) the target \[(\d+)–(\d+) %\]",
        text,
    )
    assert said
    by_pixels = []
    for dataset in ("mnist", "fashion_mnist"):
        by_pixels.append(0)
        for model in ("dae_sym", "dae_asym"):
            trials = pd.read_csv(ROOT / f"reports/cells/{dataset}/fool_evolution/{model}/trials.csv")
            fooled = trials[trials["confidence"] > 0.99]["encoding"].value_counts()
            assert fooled["cppn"] == int(said[1]) == (trials["encoding"] == "cppn").sum()
            by_pixels[-1] += fooled.get("direct", 0)
    assert [{0: "none"}.get(n, str(n)) for n in by_pixels] == [said[3], said[4]]
    row = measured("mnist")["witness", "cnn", "seen_as_target_rate@attack=evolution@attacked=dae_sym", "0.99"]
    share = int(row["n"]) * row["reproduced"] / 100
    accepted = "accepted_as_target_rate@attack=evolution@attacked={}"
    one, other = (
        "{:.0f} % {}[{:.0f}–{:.0f}]".format(row["reproduced"], of, row["low"], row["high"])
        for judge, attacked, of in (("dae_asym", "dae_sym", "of them "), ("dae_sym", "dae_asym", ""))
        for row in [measured("mnist")["witness", judge, accepted.format(attacked), "0.99"]]
    )
    assert f"carry over: dAE asym accepts {one} at the same τ, dAE sym {other} of those against dAE asym." in text
    assert [int(said[i]) for i in (5, 6, 7, 8)] == [int(row["n"]), round(share), round(row["low"]), round(row["high"])]


def test_what_others_see_in_evolved_images_on_fashion_mnist() -> None:
    """Against the dAEs at τ = 0.99: the range over networks, and what the other dAE accepts, beside gradients."""
    rows = measured("fashion_mnist")

    def row(judge: str, kind: str, attack: str, attacked: str) -> pd.Series:
        return rows["witness", judge, f"{kind}_as_target_rate@attack={attack}@attacked={attacked}", "0.99"]

    daes = ("dae_sym", "dae_asym")
    seen = [row(j, "seen", "evolution", a) for a in daes for j in ("cnn", "cool", *daes) if j != a]
    low, high = (end(found["reproduced"] for found in seen) for end in (min, max))
    n = [int(seen[i]["n"]) for i in (0, 3)]
    one, other = (row(judge, "accepted", "evolution", attacked) for judge, attacked in (daes[::-1], daes))
    gradient = {f"{row(j, 'accepted', 'gradient', a)['reproduced']:.0f}" for j, a in (daes, daes[::-1])}
    assert (
        f"they see the target in {low:.0f} to {high:.0f} % (n = {n[0]} and {n[1]}), dAE asym accepts "
        f"{one['reproduced']:.0f} % [{one['low']:.0f}–{one['high']:.0f}] of what fools dAE sym so, dAE sym "
        f"{other['reproduced']:.0f} % [{other['low']:.0f}–{other['high']:.0f}] of the reverse (by gradients: "
        f"{'/'.join(gradient)} % each)."
    ) in " ".join(README.split())


def test_the_published_fooling_images_are_as_many_as_said() -> None:
    counts = [
        len(np.load(ROOT / f"reports/cells/{dataset}/collect_fooling/attacked/examples.npz")["image"])
        for dataset in ("mnist", "fashion_mnist")
    ]
    assert f"holds {counts[0]} of them" in README
    assert f"`…/fashion_mnist/…` {counts[1]}." in README


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


def measured(dataset: str) -> dict[tuple[str, str, str, str], pd.Series]:
    """The rows of a data set's reproduced.csv by experiment, model, metric and τ."""
    frame = pd.read_csv(ROOT / f"reports/{dataset}/reproduced.csv", dtype=str)
    for name in ("reproduced", "low", "high", "value"):
        frame[name] = frame[name].astype(float)
    keys = zip(frame["experiment"], frame["model"], frame["metric"], frame["tau"].fillna(""), strict=True)
    return {key: row for key, (_, row) in zip(keys, frame.iterrows(), strict=True)}


def prose(after: str, before: str) -> str:
    """The README between two texts, on one line."""
    return " ".join(README.partition(after)[2].partition(before)[0].split())


def test_the_open_set_is_as_measured() -> None:
    """F-measure after 10 and 100 epochs beside the reported, AUROCs of scores, as the README says them of MNIST."""
    rows, text = measured("mnist"), prose("- Open set: who wins", "![What CPPNs draw")
    short, longer, theirs = [], [], []
    for model in ("cnn", "cool", "dae_sym"):
        row = rows["open_set", model, "f_measure@known=5", "0.99"]
        short.append(row["reproduced"])
        theirs.append(row["value"])
        longer.append(rows["open_set_longer", model, "f_measure_longer@known=5", "0.99"]["reproduced"])
    said = "are {:.2f} for the CNN, {:.2f} for COOL and {:.2f} for dAE sym".format(*short)
    said += "; after the paper's 100 epochs the same networks have {:.2f}, {:.2f} and {:.2f}".format(*longer)
    said += " (reported {:.2f}, {:.2f}, {:.2f})".format(*theirs)
    assert said in text

    def auroc(model: str, method: str, at: str = "") -> pd.Series:
        return rows["scores", model, f"auroc{at}@method={method}", ""]

    best = auroc("cnn", "knn_normalised")
    dae = max((auroc("dae_sym", f"scaled_output_alpha{alpha}") for alpha in (2, 3, 20)), key=lambda r: r["reproduced"])
    assert "mean AUROC {:.3f} [{:.3f}–{:.3f}]".format(*best[["reproduced", "low", "high"]]) in text
    assert (
        "against {:.3f} [{:.3f}–{:.3f}] for dAE sym's ỹ (the best of its three α)".format(
            *dae[["reproduced", "low", "high"]]
        )
        in text
    )
    softmax, openmax = (f"{auroc('cnn', name)['reproduced']:.3f}" for name in ("softmax", "openmax"))
    assert softmax == openmax
    assert f"{softmax} for the CNN's softmax and for OpenMax, and " in text
    assert f"{auroc('cool', 'scaled_output')['reproduced']:.3f} for COOL's ỹ" in text
    after = [
        rows["open_set_longer", m, "auroc_longer@known=5", "0.99"]["reproduced"] for m in ("cool", "dae_sym", "cnn")
    ]
    assert "ahead of it ({:.3f} against {:.3f}; softmax {:.3f})".format(*after) in text
    noise, classes = (auroc("cnn", "other_uniform", at)["reproduced"] for at in ("_uniform", ""))
    assert f"knows noise ({noise:.3f}), not classes ({classes:.3f})" in text
    every = [row["reproduced"] for key, row in rows.items() if re.fullmatch(r"auroc@method=\w+", key[2])]
    assert f"Of {len(every)} open-set scores" in text
    assert max(every) == best["reproduced"]


def test_one_class_is_as_measured() -> None:
    """AUROC on both data sets, with the reported, of a one-class SVM, dAE sym and COOL, and of pixels alone."""
    text = prose("Trained on one class, ", "At the paper's budget")
    both = {name: measured(name) for name in ("mnist", "fashion_mnist")}
    for dataset, rows in both.items():
        found = [rows["one_class", model, "auroc", ""] for model in ("ocsvm", "dae_sym", "cool")]
        numbers = [number for row in found for number in (row["reproduced"], row["value"])]
        said = "{:.3f} for a one-class SVM (reported {:.3f}), {:.3f} for dAE sym ({:.3f}) and {:.3f} for COOL ({:.3f})"
        said = said if dataset == "mnist" else "{:.3f} ({:.3f}), {:.3f} ({:.3f}) and {:.3f} ({:.3f})"
        assert said.format(*numbers) in text
    pixels = [both[name]["one_class", "pixels", f"auroc@score={score}", ""]["reproduced"]
              for score in ("pca_pixels", "knn_pixels") for name in both]  # fmt: skip
    assert "has {:.3f} and {:.3f}, the distance to the fifth neighbour {:.3f} and {:.3f}".format(*pixels) in text


def test_attacks_of_the_generator_on_mnist_are_as_measured() -> None:
    """FGN on ỹ, with λ_L2 = 10 too, and on sigmoid units, at τ = 0.99."""
    rows, text = measured("mnist"), prose("- The generator itself does it", "- Open set")
    scaled, decayed = (
        rows["fgn_on_scaled_output", model, "fooling_rate", "0.99"] for model in ("dae_sym", "dae_sym_l2_10")
    )
    trials = pd.read_csv(ROOT / "reports/cells/mnist/fool_fgn/dae_sym/trials.csv")
    hits = int(trials.loc[trials["objective"] == "scaled", "step@tau=0.99,alpha=3"].notna().sum())
    ends = ["reproduced", "low", "high", "value"]
    said = "in {} of 200 trials at τ = 0.99 within 10,000 updates, {:.1f} % [{:.0f}–{:.0f}] (reported {:.0f} %)"
    assert said.format(hits, *scaled[ends]) in text
    assert "with λ_L2 = 10 in {:.1f} % [{:.0f}–{:.0f}] (reported {:.0f} %)".format(*decayed[ends]) in text
    (cool, steps), (_, fast), (dae, _) = (
        [rows["fgn_sigmoid_units", model, name, "0.99"] for name in ("fooling_rate", "mean_steps_to_fool")]
        for model in ("cool", "cnn", "dae_sym")
    )
    assert "COOL is fooled at τ = 0.99 in {:.1f} % [{:.0f}–{:.0f}] of 200 trials".format(*cool[ends[:3]]) in text
    said = "a mean of {:,.0f} updates (reported {:g} %, {:,.0f})"
    assert said.format(steps["reproduced"], cool["value"], steps["value"]) in text
    assert "the CNN in all ({:.0f} updates; reported 91 %, {:.0f})".format(*fast[["reproduced", "value"]]) in text
    assert (dae["reproduced"], f"dAE sym in none [0–{dae['high']:.1f} %]" in text) == (0, True)


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
