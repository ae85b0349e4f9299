"""CPPNs: the rules by which they change, and the renderer against neat-python, pixel by pixel."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from overgen.attacks import cppn, direct, evolution
from overgen.attacks.cppn import ACTIVATIONS, BOUND, INPUTS, OUTPUT, Cppn, Genome, Rates
from overgen.attacks.encodings import encoding_of
from overgen.run.params import load

from workspace import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.* is deprecated:FutureWarning")


FUNCTIONS = {
    "sine": math.sin,
    "sigmoid": lambda s: 2 * (1 / (1 + math.exp(-s)) - 0.5),
    "gaussian": lambda s: math.exp(-(s**2)),
    "linear": lambda s: min(max(s, -3.0), 3.0) / 3,
}


NONE = Rates(0, 15, 0, 0, 0, 0, 0)


def grown(seed: int, mutations: int) -> Genome:
    draw = Random(seed)
    genome = cppn.minimal(draw)
    for _ in range(mutations):
        genome = cppn.mutate(genome, draw, Rates())
    return genome


genomes = st.builds(grown, st.integers(0, 10**9), st.integers(0, 15))  # deeper, sines multiply the last bit too often


def acyclic(genome: Genome) -> bool:
    """Kahn: nodes without sources can be taken away until none is left."""
    left, edges = set(genome.activations), [(s, t) for s, t in genome.weights if s >= OUTPUT]
    while free := {n for n in left if not any(t == n and s in left for s, t in edges)}:
        left -= free
    return not left


def valid(genome: Genome) -> bool:
    known = {*range(INPUTS), *genome.activations}
    return (
        OUTPUT in genome.activations
        and set(genome.activations.values()) <= set(range(len(ACTIVATIONS)))
        and all({source, target} <= known for source, target in genome.weights)
        and all(target >= OUTPUT and source != OUTPUT for source, target in genome.weights)
        and all(abs(weight) <= BOUND for weight in genome.weights.values())
        and acyclic(genome)
    )


def by_neat(genome: Genome, places: list[int]) -> list[float]:
    """The pixels at some places by neat-python's network, its order of evaluation included."""
    graphs = pytest.importorskip("neat.graphs", reason="the extra `oracle`")
    from neat.nn import FeedForwardNetwork

    layers, _ = graphs.feed_forward_layers(list(range(INPUTS)), [OUTPUT], list(genome.weights))
    nodes = [node for layer in layers for node in sorted(layer)]
    nodes += [] if OUTPUT in nodes else [OUTPUT]
    evaluations = []
    for node in nodes:
        links = [(source, weight) for (source, target), weight in genome.weights.items() if target == node]
        evaluations.append((node, FUNCTIONS[ACTIVATIONS[genome.activations[node]]], sum, 0.0, 1.0, links))
    network = FeedForwardNetwork(list(range(INPUTS)), [OUTPUT], evaluations)
    found = []
    for place in places:
        y, x = divmod(place, 28)
        d = math.hypot(x / 13.5 - 1, y / 13.5 - 1)
        found.append(abs(network.activate([x, y, d, 1.0])[0]))
    return found


@given(st.lists(genomes, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_the_renderer_is_neats_network_at_every_pixel(population):
    places = [0, 27, 28, 405, 406, 700, 783]
    images = cppn.render(population, dtype=torch.float64)
    assert images.shape == (len(population), 1, 28, 28)
    for genome, image in zip(population, images.flatten(1), strict=True):
        assert image[places].tolist() == pytest.approx(by_neat(genome, places), rel=0, abs=1e-6)


def test_whole_images_of_deep_networks_are_neats():
    population = [grown(seed, 60) for seed in range(4)]
    assert max(cppn.levels(genome)[OUTPUT] for genome in population) >= 4
    for genome, image in zip(population, cppn.render(population, dtype=torch.float64).flatten(1), strict=True):
        assert image.tolist() == pytest.approx(by_neat(genome, list(range(784))), rel=0, abs=1e-6)


def test_single_precision_draws_the_same_image_where_the_network_is_shallow():
    population = [cppn.minimal(Random(seed)) for seed in range(50)]
    single, double = (cppn.render(population, dtype=dtype) for dtype in (torch.float32, torch.float64))
    assert float((single - double).abs().max()) < 1e-4


def test_a_network_worked_by_hand():
    # node 5 = sin(0.1x), output = linear(2·node5 − 1); node 6 leads nowhere, node 7 receives nothing: exp(0) = 1
    genome = Genome({4: 3, 5: 0, 6: 1, 7: 2}, {(0, 5): 0.1, (5, 4): 2.0, (3, 4): -1.0, (1, 6): 9.0, (7, 4): 0.5})
    assert cppn.levels(genome) == {7: 0, 5: 0, 4: 1}
    image = cppn.render([genome], dtype=torch.float64)[0, 0]
    expected = np.abs(2 * np.sin(0.1 * np.arange(28)) - 0.5) / 3
    assert np.allclose(image.numpy(), expected[None], rtol=0, atol=1e-12)


def test_an_output_that_receives_nothing_is_its_function_of_zero():
    images = cppn.render([Genome({OUTPUT: function}, {}) for function in range(4)]).flatten(1)
    assert images[:, 0].tolist() == [0, 0, 1, 0]
    assert bool((images == images[:, :1]).all())


@given(st.integers(0, 10**9), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_networks_stay_valid(seed, mutations):
    assert valid(grown(seed, mutations))


@given(genomes, genomes, st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_crossover_of_any_two_networks_only_swaps(first, second, seed):
    children = cppn.crossover(first, second, Random(seed))
    assert children in ((first, second), (second, first))
    assert all(valid(cppn.mutate(child, Random(seed), Rates())) for child in children)


def test_parents_are_not_changed():
    parent = grown(3, 30)
    before = (dict(parent.activations), dict(parent.weights))
    for seed in range(50):
        cppn.mutate(parent, Random(seed), Rates(1, 15, 1, 1, 1, 1, 1))
    assert parent == Genome(*before)


def test_the_same_stream_gives_the_same_bytes():
    def population(seed: int) -> torch.Tensor:
        stream = torch.Generator().manual_seed(seed)
        encoding, like = Cppn(), torch.zeros(1)
        champions = encoding.start(20, stream, like, (1, 28, 28))
        for _ in range(10):
            champions = encoding.breed(champions, 21, stream)
        return encoding.images(champions, (1, 28, 28), like)

    assert population(1).numpy().tobytes() == population(1).numpy().tobytes()
    assert not torch.equal(population(1), population(2))


def test_a_run_starts_without_hidden_nodes():
    population = Cppn().start(2000, torch.Generator().manual_seed(0), torch.zeros(1), (1, 28, 28))
    assert all(list(genome.weights) == [(i, OUTPUT) for i in range(4)] for genome in population)
    assert all(list(genome.activations) == [OUTPUT] for genome in population)
    weights = np.array([weight for genome in population for weight in genome.weights.values()])
    assert stats.kstest(weights, stats.uniform(-10, 20).cdf).pvalue > 0.01
    kinds = np.bincount([genome.activations[OUTPUT] for genome in population], minlength=4)
    assert stats.chisquare(kinds).pvalue > 0.01


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("add_connection", lambda a, b: len(b.weights) - len(a.weights) == 1 and a.activations == b.activations),
        ("remove_connection", lambda a, b: len(a.weights) - len(b.weights) == 1 and a.activations == b.activations),
        ("add_node", lambda a, b: len(b.activations) - len(a.activations) == len(b.weights) - len(a.weights) == 1),
        ("remove_node", lambda a, b: len(a.activations) - len(b.activations) == 1),
    ],
)
def test_each_structural_mutation_comes_with_its_probability(name, changed):
    parent = grown(5, 12)
    assert len(parent.activations) > 2
    draw, n = Random(1), 2000
    hits = 0
    for _ in range(n):
        child = cppn.mutate(parent, draw, NONE._replace(**{name: 0.3}))
        assert child == parent or changed(parent, child)
        hits += child != parent
    assert abs(hits / n - 0.3) < 4 * math.sqrt(0.3 * 0.7 / n)


def test_a_node_is_added_in_the_middle_of_a_connection():
    parent = Genome({OUTPUT: 0}, {(2, OUTPUT): 7.5})
    child = cppn.mutate(parent, Random(0), NONE._replace(add_node=1))
    assert child.weights == {(2, 5): 7.5, (5, OUTPUT): 7.5}
    back = cppn.mutate(child, Random(0), NONE._replace(remove_node=1))
    assert back == Genome({OUTPUT: 0}, {})


def test_where_no_connection_is_possible_none_is_added():
    full = cppn.minimal(Random(0))
    assert cppn.mutate(full, Random(0), NONE._replace(add_connection=1)) == full


def test_weights_take_the_polynomial_step_of_their_range():
    parent = Genome({OUTPUT: 0}, {(0, OUTPUT): 0.0})
    draw = Random(2)
    weights = np.array([cppn.mutate(parent, draw, NONE._replace(weight=1.0)).weights[0, OUTPUT] for _ in range(4000)])

    def cdf(w: np.ndarray) -> np.ndarray:
        d = w / 20
        return np.where(d < 0, (1 + d) ** 16 / 2, 1 - (1 - d) ** 16 / 2)

    assert stats.kstest(weights, cdf).pvalue > 0.01
    u = torch.tensor([0.0, 0.1, 0.5, 0.9, 0.999], dtype=torch.float64)
    same = [cppn.polynomial(float(x), eta=15) for x in u]
    assert same == pytest.approx(direct.polynomial(u, eta=15).tolist(), rel=0, abs=1e-15)


def test_weights_and_functions_change_with_their_rates():
    parent, draw, n = grown(5, 12), Random(3), 1000
    weights = functions = 0
    for _ in range(n):
        child = cppn.mutate(parent, draw, NONE._replace(weight=0.1, activation=0.2))
        weights += sum(child.weights[pair] != weight for pair, weight in parent.weights.items())
        functions += sum(child.activations[node] != function for node, function in parent.activations.items())
    for hits, rate, each in ((weights, 0.1, parent.weights), (functions, 0.2 * 3 / 4, parent.activations)):
        assert abs(hits / (n * len(each)) - rate) < 5 * math.sqrt(rate / (n * len(each)))


class Bright:
    """Two classes: the brightness of the left and of the right half, log scores."""

    def upper_bound(self, x: torch.Tensor) -> torch.Tensor:
        halves = torch.stack([x[..., :14].mean((1, 2, 3)), x[..., 14:].mean((1, 2, 3))], 1).double()
        return torch.log_softmax(8 * halves, 1)

    def log_curvature(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(len(x))


def test_champions_are_what_their_genomes_draw_and_a_run_alone_is_the_same():
    def run(*seeds: int) -> evolution.Evolution:
        streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        module = evolution.Evolution(Bright(), streams, shape=(1, 28, 28), encoding=Cppn(), classes=2, population=15)
        trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
                             enable_model_summary=False, enable_progress_bar=False)  # fmt: skip
        trainer.fit(module, train_dataloaders=range(9))
        return module

    both = run(0, 1)
    for r in range(2):
        drawn = cppn.render(both.genomes[r]).flatten(1)
        assert torch.allclose(drawn, both.champions[r], rtol=0, atol=1e-4)  # another batch: the last bits may differ
        scores = Bright().upper_bound(both.champions[r].view(-1, 1, 28, 28)).diagonal()
        assert torch.equal(scores, both.scores[r])
        assert run(r).champions[0].numpy().tobytes() == both.champions[r].numpy().tobytes()
    assert both.result().confidence[-1].min() > both.result().confidence[0].min()


def test_the_declared_rates_are_the_authors():
    section = load(ROOT / "params.yaml").fool_evolution["mnist"]
    assert encoding_of("cppn", section) == Cppn()
    assert encoding_of("direct", section) == direct.Direct()
