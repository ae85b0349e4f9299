"""Evolution: the archive rule, the genetic operators, the runs, and the tables of the cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.direct import Direct, crossover, mutate, polynomial, select, uniform
from overgen.attacks.evolution import exact_scores, first_generation, offer

from attacking import LinearSoftmax, run, stream

# Lightning's own call into torch, at every fit; nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.* is deprecated:FutureWarning")


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


def always_exact(scorer, images, bounds, champions, *, batch_size):
    """The scores without any short cut: the curvature of every child."""
    terms = scorer.log_curvature(images.flatten(0, 1))
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
    images = torch.zeros(2, 5, 1, 28, 28)
    images[..., 0, 0, 0] = torch.arange(10.0).view(2, 5)
    genomes = images.flatten(2)
    archive = torch.from_numpy(champions), torch.zeros(2, 3, 784)
    exact = exact_scores(table, images, torch.from_numpy(bounds), archive[0], batch_size=4)
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


def test_genes_in_8_bits_are_the_nearest_of_256() -> None:
    genes = uniform((5, 12), torch.zeros(()), stream(0))
    encoding = Direct(in_8_bits=True)
    held = encoding.held(genes)
    assert held.dtype == torch.uint8
    images = encoding.images(held, (1, 3, 4), genes).flatten(1)
    assert float((images - genes).abs().max()) <= 0.5 / 255 + 1e-6
    assert torch.equal(encoding.held(images), held)
