"""Evolution: the archive rule, the genetic operators, the runs, and the tables of the cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.evolution import (
    Result,
    crossover,
    evolve,
    exact_scores,
    first_generation,
    mutate,
    offer,
    polynomial,
    select,
    uniform,
)
from overgen.measures.intervals import median_interval
from overgen.stages.fool_evolution.summary import attacked_score, cell_tables, fooling_rows, hits_of

# Lightning's own call into torch, at every fit; nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.* is deprecated:FutureWarning")


class LinearSoftmax:
    """log softmax(Wx) in float64, row by row, so that a row scores the same in any batch; a gate may lower it.

    gate: "none", or "stripes": log Γ = −2 for images whose first pixel is bright, else 0.
    """

    def __init__(self, classes: int = 10, gate: str = "none") -> None:
        self.weight = 0.5 * torch.randn(classes, 784, generator=stream(99), dtype=torch.float64)
        self.gate = gate
        self.curved: list[Tensor] = []

    def upper_bound(self, x: Tensor) -> Tensor:
        logits = torch.stack([self.weight @ row for row in x.double().flatten(1)])
        return logits - logits.logsumexp(1, keepdim=True)

    def log_curvature(self, x: Tensor) -> Tensor:
        self.curved.append(x)
        first = x[:, 0, 0, 0].double()
        return torch.where(first > 0.5, -2.0, 0.0).double() if self.gate == "stripes" else torch.zeros_like(first)


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def run(scorer: LinearSoftmax, *seeds: int, generations: int, population: int = 20, **options: object) -> Result:
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    return evolve(
        scorer, [stream(seed) for seed in seeds], trainer, generations=generations, population=population, **options
    )


def test_archive_rule_on_a_hand_worked_population():
    # One run, three cells, champions A, B, C (genes 0, 1, 2) and four children (genes 3 to 6).
    archive = torch.tensor([[0.5, 0.6, 0.2]])
    champions = torch.tensor([[[0.0], [1.0], [2.0]]])
    scores = torch.tensor(
        [
            [
                [0.7, 0.1, 0.3],  # 3: takes cell 0 and, at first, cell 2
                [0.7, 0.6, 0.1],  # 4: ties with 3 in cell 0 and with the champion in cell 1: takes neither
                [0.1, 0.5, 0.9],  # 5: takes cell 2 from 3
                [0.4, 0.5, 0.8],  # 6: takes nothing
            ]
        ]
    )
    children = torch.tensor([[[3.0], [4.0], [5.0], [6.0]]])
    new_scores, new_champions = offer(archive, champions, scores, children)
    assert torch.equal(new_scores, torch.tensor([[0.7, 0.6, 0.9]]))
    assert torch.equal(new_champions, torch.tensor([[[3.0], [1.0], [5.0]]]))


def test_one_child_may_take_every_cell_and_an_empty_cell_takes_any_child():
    scores, champions = offer(
        torch.full((1, 4), -torch.inf), torch.zeros(1, 4, 2), torch.full((1, 1, 4), -1e30), torch.ones(1, 1, 2)
    )
    assert torch.equal(champions, torch.ones(1, 4, 2))
    assert torch.equal(scores, torch.full((1, 4), -1e30))


def sequential(scores: np.ndarray, champions: np.ndarray, child_scores: np.ndarray, children: np.ndarray) -> None:
    """The rule as written in the authors' code: one child after another, in place. (C,), (C, D), (N, C), (N, D)."""
    for child, genome in zip(child_scores, children, strict=True):
        for cell in range(len(scores)):
            if child[cell] > scores[cell]:
                scores[cell] = child[cell]
                champions[cell] = genome


few = st.sampled_from([-1.0, -0.5, -0.25, 0.0])  # few values, so that ties are common


@given(
    archive=hnp.arrays(np.float64, (2, 3), elements=few | st.just(-np.inf)),
    child_scores=hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 6), st.just(3)), elements=few),
)
@settings(max_examples=100, deadline=None)
def test_a_batch_is_offered_as_if_one_after_another(archive, child_scores):
    champions = np.arange(6.0).reshape(2, 3, 1)
    children = 100 + np.arange(child_scores.shape[0] * child_scores.shape[1], dtype=float).reshape(2, -1, 1)
    found = offer(*(torch.tensor(a) for a in (archive, champions, child_scores, children)))
    for r in range(2):
        sequential(archive[r], champions[r], child_scores[r], children[r])
    assert np.array_equal(found[0], archive)
    assert np.array_equal(found[1], champions)


def test_ribs_with_every_child_offered_to_every_cell_has_the_same_champions():
    archives = pytest.importorskip("ribs.archives", reason="the extra `oracle`")
    classes, genes = 5, 8
    theirs = archives.CategoricalArchive(solution_dim=genes, categories=[list(range(classes))])
    scores = torch.full((1, classes), -torch.inf, dtype=torch.float64)
    champions = torch.zeros(1, classes, genes, dtype=torch.float64)
    source = stream(0)
    for _ in range(30):
        children = torch.rand(1, 12, genes, generator=source, dtype=torch.float64)
        child_scores = torch.rand(1, 12, classes, generator=source, dtype=torch.float64).mul(50).round()  # with ties
        scores, champions = offer(scores, champions, child_scores, children)
        cells = np.tile(np.arange(classes), 12)[:, None]
        theirs.add(children[0].numpy().repeat(classes, axis=0), child_scores[0].numpy().ravel(), cells)
    elites = theirs.data()
    order = np.argsort(elites["index"])
    assert np.array_equal(elites["objective"][order], scores[0])
    assert np.array_equal(elites["solution"][order], champions[0])


def test_nan_is_not_offered():
    with pytest.raises(ValueError, match="NaN"):
        offer(torch.zeros(1, 1), torch.zeros(1, 1, 1), torch.full((1, 2, 1), torch.nan), torch.zeros(1, 2, 1))


def test_each_gene_is_mutated_with_the_rate_and_the_others_are_kept():
    genomes = torch.full((400, 784), 0.5)
    changed = (mutate(genomes, stream(0), rate=0.1) != genomes).double()
    n = changed.numel()
    assert abs(changed.mean() - 0.1) < 4 * (0.1 * 0.9 / n) ** 0.5
    assert torch.equal(mutate(genomes, stream(0), rate=0.0), genomes)
    assert bool((genomes == 0.5).all())  # the parents are not changed


@pytest.mark.parametrize("eta", [1.0, 15.0])
def test_mutation_steps_follow_the_polynomial_distribution(eta):
    genomes = torch.full((50, 1000), 0.5, dtype=torch.float64)
    steps = (mutate(genomes, stream(0), rate=1.0, eta=eta) - genomes).flatten().numpy()

    def cdf(d: np.ndarray) -> np.ndarray:
        return np.where(d < 0, (1 + d) ** (eta + 1) / 2, 1 - (1 - d) ** (eta + 1) / 2)

    inside = np.abs(steps) < 0.5  # beyond, the clamp has cut them
    low, high = cdf(np.array([-0.5, 0.5]))
    assert stats.kstest(steps[inside], lambda d: (cdf(d) - low) / (high - low)).pvalue > 0.01
    clamped = 1 - inside.mean()
    assert abs(clamped - (1 - high + low)) < 4 * ((1 - high + low) / len(steps)) ** 0.5 + 1e-9


def test_polynomial_step_at_chosen_points():
    u = torch.tensor([0.0, 0.25, 0.5, 0.75], dtype=torch.float64)
    expected = torch.tensor([-1.0, 0.5 ** (1 / 16) - 1, 0.0, 1 - 0.5 ** (1 / 16)], dtype=torch.float64)
    assert torch.allclose(polynomial(u), expected, rtol=0, atol=1e-15)


def test_mutation_is_clamped_not_reflected():
    found = mutate(torch.tensor([[0.0, 1.0] * 500]), stream(0), rate=1.0)
    assert found.min() == 0
    assert found.max() == 1
    assert abs(float((found[..., 0::2] == 0).double().mean()) - 0.5) < 0.1  # half of the steps point outwards


def test_crossover_follows_deb_gene_by_gene():
    """Against a plain loop over pairs and genes with the same random numbers."""
    first, second = torch.rand(2, 6, 9, generator=stream(5), dtype=torch.float64)
    second[:, 0] = first[:, 0]  # a shared gene
    second[0], first[1, 1], second[1, 1] = first[0], 0.0, 1.0  # equal parents; genes at the bounds
    children = crossover(first, second, stream(7), rate=0.7)
    source = stream(7)
    chosen = uniform((6,), first, source) < 0.7
    assert 0 < chosen.sum() < 6
    u, turned = torch.full((6, 9), torch.nan, dtype=torch.float64), torch.zeros(6, 9, dtype=torch.bool)
    u[chosen] = uniform((int(chosen.sum()), 9), first, source)
    turned[chosen] = uniform((int(chosen.sum()), 9), first, source) < 0.5
    for pair in range(6):
        for gene in range(9):
            a, b = float(first[pair, gene]), float(second[pair, gene])
            expected = [a, b]
            if chosen[pair] and a != b:
                low, high = min(a, b), max(a, b)
                expected = []
                for bound, sign in ((low, -1), (1 - high, 1)):
                    alpha = 2 - (1 + 2 * bound / (high - low)) ** -11
                    x = float(u[pair, gene]) * alpha
                    spread = x ** (1 / 11) if x <= 1 else (1 / (2 - x)) ** (1 / 11)
                    expected.append(((low + high) + sign * spread * (high - low)) / 2)
                if turned[pair, gene]:
                    expected.reverse()
            found = children[2 * pair : 2 * pair + 2, gene]
            assert torch.allclose(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


@given(hnp.arrays(np.float32, (2, 5), elements=st.floats(0, 1, width=32)), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_children_stay_in_the_unit_interval(parents, seed):
    first, second = torch.tensor(parents[:1]), torch.tensor(parents[1:])
    source = stream(seed)
    children = mutate(crossover(first, second, source, rate=1.0), source, rate=0.5)
    assert bool(((children >= 0) & (children <= 1)).all())  # NaN fails too


def test_crossover_keeps_the_mean_of_a_pair_and_equal_parents():
    first, second = torch.rand(2, 2000, 4, generator=stream(3), dtype=torch.float64) * 0.2 + 0.4
    children = crossover(first, second, stream(4), rate=1.0)
    # far from the bounds both spreads are alike, so the two children lie symmetrically about the parents
    assert torch.allclose(children[0::2] + children[1::2], first + second, rtol=0, atol=1e-2)
    assert torch.equal(crossover(first, first, stream(4), rate=1.0)[1::2], first)


def test_parents_are_drawn_uniformly_over_the_cells():
    drawn = select(torch.arange(5.0)[:, None], 5000, stream(0))[:, 0].long()
    assert stats.chisquare(torch.bincount(drawn, minlength=5).numpy()).pvalue > 0.01


def test_champions_never_get_worse_and_are_what_is_reported():
    scorer = LinearSoftmax(gate="stripes")
    found = run(scorer, 0, 1, generations=15, stored_generations=(0, 7))
    assert found.confidence.shape == (16, 2, 10)
    assert bool((np.diff(found.confidence, axis=0) >= 0).all())
    assert found.confidence[-1].mean() > found.confidence[0].mean()
    assert found.stored.tolist() == [0, 7, 15]
    assert np.array_equal(found.images[-1].reshape(10, 784), found.champions[0])
    for generation, images in zip(found.stored, found.images, strict=True):
        x = torch.from_numpy(images)[:, None]
        scores = (scorer.upper_bound(x) + scorer.log_curvature(x)[:, None]).diagonal().exp().float()
        assert np.array_equal(scores, found.confidence[generation, 0])


def test_a_run_alone_equals_the_same_run_in_a_batch():
    options = {"generations": 30, "stop_when_reached": True, "target": 0.5, "classes": 4}
    together = run(LinearSoftmax(4), 0, 1, 2, **options)
    assert len(set(together.ended.tolist())) > 1  # one run leaves the batch while others go on
    for r in range(3):
        alone = run(LinearSoftmax(4), r, **options)
        last = together.ended[r]
        assert alone.ended[0] == last
        assert alone.champions[0].tobytes() == together.champions[r].tobytes()
        assert alone.confidence[:, 0].tobytes() == together.confidence[: last + 1, r].tobytes()
        assert bool((together.confidence[last:, r] == together.confidence[last, r]).all())


def test_a_linear_softmax_is_fooled_and_the_runs_end_there():
    found = run(LinearSoftmax(4), 0, 1, generations=200, stop_when_reached=True, classes=4)
    assert found.confidence[-1].min() >= np.float32(0.9999)
    assert len(found.confidence) - 1 == found.ended.max() < 200
    first = first_generation(found.confidence)
    assert np.array_equal(first.max(axis=1), found.ended)
    assert found.stored.tolist() == sorted({0, int(found.ended[0])} | ({50} if found.ended[0] > 50 else set()))


def test_without_the_option_runs_go_on():
    found = run(LinearSoftmax(), 0, generations=3, target=0.0)
    assert found.ended.tolist() == [3]


def always_exact(scorer, genomes, bounds, champions, *, batch_size):
    """The scores without any short cut: the curvature of every child."""
    terms = scorer.log_curvature(genomes.reshape(-1, 1, 28, 28))
    return bounds + terms.view(bounds.shape[0], -1, 1)


def test_skipping_the_curvature_changes_nothing_and_saves_most_of_it(monkeypatch):
    sparing = LinearSoftmax(gate="stripes")
    found = run(sparing, 0, 1, generations=15)
    monkeypatch.setattr("overgen.attacks.evolution.exact_scores", always_exact)
    lavish = LinearSoftmax(gate="stripes")
    reference = run(lavish, 0, 1, generations=15)
    assert found.confidence.tobytes() == reference.confidence.tobytes()
    assert found.champions.tobytes() == reference.champions.tobytes()
    spent, all_children = sum(map(len, sparing.curved)), sum(map(len, lavish.curved))
    assert all_children == 2 * 20 * 16
    assert spent < all_children / 2


@given(
    bounds=hnp.arrays(np.float64, (2, 5, 3), elements=few),
    champions=hnp.arrays(np.float64, (2, 3), elements=few | st.just(-np.inf)),
    terms=hnp.arrays(np.float64, (2, 5), elements=st.sampled_from([0.0, -0.25, -0.5])),
)
@settings(max_examples=100, deadline=None)
def test_curvature_only_where_a_cell_can_change_hands(bounds, champions, terms):
    class Table:
        """Looks the curvature up by the number that an image's first pixel holds."""

        asked: list[int]

        def log_curvature(self, x: Tensor) -> Tensor:
            self.asked += x[:, 0, 0, 0].long().tolist()
            return torch.from_numpy(terms.ravel())[x[:, 0, 0, 0].long()]

    table = Table()
    table.asked = []
    genomes = torch.zeros(2, 5, 784)
    genomes[:, :, 0] = torch.arange(10.0).view(2, 5)
    archive = torch.from_numpy(champions), torch.zeros(2, 3, 784)
    exact = exact_scores(table, genomes, torch.from_numpy(bounds), archive[0], batch_size=4)
    reference = torch.from_numpy(bounds + terms[..., None])
    for found, expected in zip(offer(*archive, exact, genomes), offer(*archive, reference, genomes), strict=True):
        assert torch.equal(found, expected)
    assert len(table.asked) == len(set(table.asked))
    useful = (bounds > champions[:, None]).any(axis=2).ravel()
    assert bool(useful[table.asked].all())


class Broken(LinearSoftmax):
    """Gives a bad number from the third call on, for the second run's first child."""

    def __init__(self, bad: float, where: str) -> None:
        super().__init__()
        self.bad, self.where, self.calls = bad, where, 0

    def upper_bound(self, x: Tensor) -> Tensor:
        scores = super().upper_bound(x)
        self.calls += 1
        if self.where == "bound" and self.calls == 3:
            scores[20, 4] = self.bad
        return scores

    def log_curvature(self, x: Tensor) -> Tensor:
        terms = super().log_curvature(x)
        if self.where == "curvature" and self.calls == 3:
            terms[-1] = self.bad
        return terms


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_names_generation_and_run(bad):
    with pytest.raises(OvergenError, match=r"generation 2, run 11: .*NaN or infinite"):
        run(Broken(bad, "bound"), 0, 1, generations=5, first_run=10)


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), 0.5])
def test_a_curvature_that_is_not_finite_or_raises_the_score_is_an_error(bad):
    with pytest.raises(OvergenError, match=r"generation 2, run 11: a child's curvature term is"):
        run(Broken(bad, "curvature"), 0, 1, generations=5, first_run=10)


def test_the_number_of_classes_must_be_the_scorers():
    with pytest.raises(ValueError, match=r"\(20, 3\) for 20 images and 10 classes"):
        run(LinearSoftmax(classes=3), 0, generations=1)


def test_a_population_may_be_odd_and_the_chunks_uneven():
    found = run(LinearSoftmax(), 0, generations=3, population=7)
    again = run(LinearSoftmax(), 0, generations=3, population=7, batch_size=3)
    assert found.champions.tobytes() == again.champions.tobytes()


def result(confidence: np.ndarray, stored: list[int]) -> Result:
    confidence = confidence.astype(np.float32)
    runs, classes = confidence.shape[1:]
    ended = np.full(runs, len(confidence) - 1)
    images = np.zeros((len(stored), classes, 28, 28), np.float32)
    return Result(confidence, ended, np.array(stored), images, np.zeros((runs, classes, 784), np.float32))


def test_tables_of_a_cell_worked_by_hand():
    # Two runs of two classes: the first block ends at generation 2, the second goes on to 4.
    early = np.array([[0.2, 0.4], [0.5, 0.99995], [1.0, 1.0]])[:, None]
    late = np.array([[0.1, 0.3], [0.2, 0.3], [0.3, 0.9999], [0.4, 1.0], [0.6, 1.0]])[:, None]
    rows, tables, examples = cell_tables(
        [(7, [0]), (7, [1])],
        [result(early, [0, 2]), result(late, [0, 4])],
        encoding="direct",
        generations=4,
        stored_generations=[0, 4, 9],
        note="by hand",
    )
    by_metric = {row["metric"]: row for row in rows}
    assert list(by_metric) == [
        "median_confidence@generation=0",
        "median_confidence@generation=4",
        "generations_to_0.9999",
    ]
    start, end, to = by_metric.values()
    assert start["experiment"] == "evolution_direct"
    assert start["reproduced"] == pytest.approx(25, abs=1e-5)  # of 0.2 0.4 0.1 0.3
    assert (start["low"], start["high"]) == (pytest.approx(20, abs=1e-5), pytest.approx(30, abs=1e-5))
    assert start["interval"] == "95 % percentile bootstrap of the median over 2 runs"
    assert start["note"] == "by hand"
    assert end["reproduced"] == 100  # of 1 1 (since generation 2) 0.6 1
    assert end["note"].startswith("by hand; 1 of 2 runs ended earlier")
    assert to["reproduced"] == 2  # of 2 1 never 2
    assert (to["low"], to["high"]) == (None, None)  # of the second run alone half never came: no upper end
    assert "the interval has no upper end" in to["note"]
    assert to["n"] == 4
    assert "1 of 4 never reached it" in to["note"]
    assert tables["trials"]["generations_to_0.9999"].tolist()[:2] == [2, 1]
    assert tables["trials"]["generations_to_0.9999"].isna().tolist() == [False, False, True, False]
    assert tables["trials"]["run"].tolist() == [0, 0, 1, 1]
    assert tables["trials"]["target"].tolist() == [0, 1, 0, 1]
    assert tables["trials"]["confidence"].tolist() == np.float32([1, 1, 0.6, 1]).tolist()
    assert list(tables["trials"]) == ["encoding", "seed", "run", "target", "confidence", "generations_to_0.9999"]
    curve = tables["generations"]
    assert list(curve) == ["encoding", "generation", "seed", "median", "q25", "q75", "min"]
    assert curve["generation"].tolist() == [0, 1, 2, 3, 4]
    assert curve["min"].tolist() == np.float32([0.1, 0.2, 0.3, 0.4, 0.6]).tolist()
    assert set(curve["seed"]) == {7}
    assert examples["generation"].tolist() == [0, 2]
    assert examples["encoding"].tolist() == ["direct", "direct"]
    assert examples["confidence"].tolist() == np.float32([[0.2, 0.4], [1, 1]]).tolist()
    assert examples["image"].shape == (2, 2, 28, 28)


def test_fooling_champions_worked_by_hand():
    trials = pd.DataFrame(
        {"encoding": ["direct"] * 4 + ["cppn"] * 2, "seed": 0, "target": [0, 1, 0, 1, 0, 1],
         "confidence": np.float32([0.995, 0.99, 1, 0.2, 0.1, 0.3])}
    )  # fmt: skip
    hits = hits_of(trials, (0.99, 3.0))
    assert hits.to_dict("list") == {
        "trial": [0, 2], "seed": [0, 0], "target": [0, 0], "tau": [0.99, 0.99], "alpha": [3.0, 3.0]
    }  # fmt: skip
    trials["score_in_8_bits"] = [0.985, np.nan, 0.9999, np.nan, np.nan, np.nan]
    rows = {(row["experiment"], row["metric"]): row for row in fooling_rows(trials, 0.99)}
    assert {key: row["reproduced"] for key, row in rows.items()} == {
        ("evolution_direct", "fooling_rate"): 50, ("evolution_direct", "fooling_rate_in_8_bits"): 25,
        ("evolution_cppn", "fooling_rate"): 0, ("evolution_cppn", "fooling_rate_in_8_bits"): 0,
    }  # fmt: skip
    assert {row["tau"] for row in rows.values()} == {0.99}
    assert [row["n"] for row in rows.values()] == [4, 4, 2, 2]
    assert rows["evolution_direct", "fooling_rate"]["low"] == pytest.approx(15.0, abs=0.1)  # Wilson, 2 of 4


def test_no_median_where_most_never_reach_it_and_no_interval_for_one_run():
    never = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 1.0]])[:, None]
    rows, _, _ = cell_tables(
        [(0, [0])], [result(never, [0, 1])], encoding="cppn", generations=1, stored_generations=[1]
    )
    assert rows[-1]["reproduced"] is None
    assert "2 of 3 never reached it, so there is no median" in rows[-1]["note"]
    assert all(row["low"] is None and row["high"] is None and row["interval"] == "none" for row in rows)


def test_several_seeds_are_drawn_whole():
    values = np.array([[1.0, 1.0], [1.0, 1.0], [5.0, 5.0], [5.0, 5.0]])
    assert median_interval(values, np.array([0, 0, 1, 1])) == (1.0, 5.0)
    assert median_interval(values, np.zeros(4)) is None


def test_the_note_says_what_a_confidence_of_a_reconstructing_network_needs():
    assert attacked_score(0.0) == "of y"
    assert attacked_score(3.0).endswith("< 0.026")  # exp(-(3 / 784) * 0.026) is 0.9999
