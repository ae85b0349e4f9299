"""Attacks on networks of any shape: colour, not square, more classes than are kept, without a gradient, with NaN."""

from __future__ import annotations

import colorsys
import math
from random import Random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn

from overgen import OvergenError
from overgen.attacks import attacked, cppn, evolution, fgn, gradient, pictures
from overgen.attacks.colour import rgb_of_hsv
from overgen.attacks.cppn import Cppn, Genome
from overgen.attacks.direct import Direct
from overgen.attacks.evolution import Result, evolve
from overgen.confidence import ScaledOutput
from overgen.measures.outputs import image_outputs, scores_of_images
from overgen.models import Output
from overgen.run.streams import generator

from attacking import stream, trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.* is deprecated:FutureWarning")

SHAPES = [(1, 20, 12), (3, 32, 32)]


class Linear(nn.Module):
    """A linear softmax on images of any shape, with as many classes as wanted."""

    def __init__(self, shape: tuple[int, ...], classes: int = 3) -> None:
        super().__init__()
        size = math.prod(shape)
        weight = torch.randn(size, classes, generator=generator("linear", *shape), dtype=torch.float64) / size**0.5
        self.weight = nn.Parameter(4 * weight, requires_grad=False)

    def forward(self, x: Tensor) -> Output:
        return Output(F.log_softmax(x.flatten(1) @ self.weight.to(x.dtype), dim=1), None)


class OfMean(nn.Module):
    """A gray network on the mean of an image's channels."""

    def __init__(self, gray: nn.Module) -> None:
        super().__init__()
        self.gray = gray

    def forward(self, x: Tensor) -> Output:
        return self.gray(x.mean(1, keepdim=True))


class BlackBox(nn.Module):
    """A network whose output has no gradient, as of another framework."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Output:
        return Output(torch.from_numpy(self.inner(x.detach()).log_y.numpy().copy()), None)


def fooled_by_fgn(network: nn.Module, shape: tuple[int, ...], z: Tensor, a: Tensor, **options: object) -> fgn.Passage:
    arguments: dict[str, object] = {"thresholds": [(0.9, 0.0)], "beta": 10.0, "probes": 2, "learning_rate": 1e-3}
    module = fgn.FoolingGenerator(network, z, a, torch.arange(len(z)), shape=shape, **(arguments | options))
    return module.run(trainer(), 60)


def descended(network: nn.Module, shape: tuple[int, ...], images: Tensor, rate: float = 0.01) -> fgn.Passage:
    module = gradient.GradientAttack(
        network, images, torch.arange(len(images)), shape=shape, threshold=(0.9, 0.0), beta=10.0, probes=2,
        learning_rate=rate, objective="margin", check=20,
    )  # fmt: skip
    return module.run(trainer(), 100)


def evolved(network: nn.Module, shape: tuple[int, ...], encoding: object, **options: object) -> Result:
    arguments: dict[str, object] = {"classes": 3, "population": 20, "generations": 8}
    scorer = ScaledOutput(network, alpha=0.0, beta=10.0)
    draws = [stream(0), stream(1)]
    return evolve(scorer, draws, trainer(), shape=shape, encoding=encoding, **(arguments | options))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_attack_takes_every_shape(shape: tuple[int, ...]) -> None:
    """Each ends at images of the shape in [0, 1] that the network sees as the attack says."""
    network, size = Linear(shape), math.prod(shape)
    z, a = fgn.start([generator("s", i) for i in range(3)], "normal", pixels=size)
    start = torch.rand(3, size, generator=stream(5))
    for passage in (fooled_by_fgn(network, shape, z, a), descended(network, shape, start)):
        assert int(passage.step.min()) >= 0
        assert int(passage.step.max()) > 0
        image = passage.image[:, 0]
        assert image.shape == (3, size)
        assert 0 <= float(image.min()) < float(image.max()) <= 1
        score = network(image.view(3, *shape)).log_y.diagonal().exp()
        assert bool((score > 0.9).all())
    for encoding in (Direct(), Cppn(), Direct(in_8_bits=True)):
        found = evolved(network, shape, encoding)
        assert found.champions.shape == (2, 3, size)
        assert 0 <= found.champions.min() < found.champions.max() <= 1
        score = network(torch.from_numpy(found.champions[0]).view(3, *shape)).log_y.diagonal().exp()
        assert score.numpy() == pytest.approx(found.confidence[-1, 0], abs=1e-6)
        assert (found.confidence[-1] > found.confidence[0]).any()
        assert found.images.shape == (2, 3, *((20, 12) if len(shape) == 1 or shape[0] == 1 else (32, 32, 3)))


def test_a_network_of_the_mean_of_the_channels_is_attacked_as_the_gray_one() -> None:
    """From gray images: three equal channels, of which each has a third of the gradient, so Adam's steps are the same.

    The gray run's images are those of the colour run, channel by channel, at the same updates.
    """
    gray, images = Linear((1, 9, 7)).double(), torch.rand(3, 63, generator=stream(1), dtype=torch.float64)
    one = descended(gray, (1, 9, 7), images)
    three = descended(OfMean(gray), (3, 9, 7), images.repeat(1, 3))
    assert int(one.step.min()) >= 0
    assert int(one.step.max()) > 5
    assert torch.equal(one.step, three.step)
    torch.testing.assert_close(three.image, one.image.repeat(1, 1, 3), rtol=0, atol=1e-6)  # Adam's ε counts for more


def test_evolution_of_gray_genomes_is_the_same_where_the_network_sees_their_mean() -> None:
    """With images and genomes alike: an encoding that repeats the gray picture."""

    class Repeated(Direct):
        def start(self, count: int, stream: torch.Generator, like: Tensor, shape: object) -> object:
            return super().start(count, stream, like, (1, 9, 7))

        def images(self, population: object, shape: object, like: Tensor) -> Tensor:
            return super().images(population, (1, 9, 7), like).expand(-1, 3, -1, -1)

    gray = Linear((1, 9, 7)).double()
    one, three = evolved(gray, (1, 9, 7), Direct()), evolved(OfMean(gray), (3, 9, 7), Repeated())
    np.testing.assert_allclose(three.confidence, one.confidence, rtol=1e-5)
    np.testing.assert_array_equal(three.images, one.images[..., None].repeat(3, -1))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_collapsed_generator_is_the_literal_one_in_colour(optimizer: str) -> None:
    """3 × 5 × 6: 90 × 90 weights and 90 biases a trial, float64, against 90 numbers."""
    shape, trials = (3, 5, 6), 2
    network, size = Linear(shape).double(), math.prod(shape)
    z, _ = fgn.start([generator("z", t) for t in range(trials)], "normal", torch.float64, pixels=size)
    weight = torch.randn(trials, size, size, generator=generator("W"), dtype=torch.float64).div_(9).requires_grad_()
    bias = torch.randn(trials, size, generator=generator("b"), dtype=torch.float64).requires_grad_()
    a = nn.Parameter((torch.einsum("tij,tj->ti", weight, z) + bias).detach())
    literal = (torch.optim.Adam if optimizer == "adam" else torch.optim.SGD)([weight, bias], lr=1e-3)
    collapsed = (fgn.CollapsedAdam if optimizer == "adam" else fgn.CollapsedSGD)(a, z, lr=1e-3)
    start = a.detach().clone()
    for _ in range(30):
        for optimiser, pre in ((literal, torch.einsum("tij,tj->ti", weight, z) + bias), (collapsed, a)):
            optimiser.zero_grad()
            log_y = network(torch.sigmoid(pre).view(-1, *shape)).log_y
            F.nll_loss(log_y, torch.arange(trials), reduction="sum").backward()
            optimiser.step()
    end = (torch.einsum("tij,tj->ti", weight, z) + bias).detach()
    assert float((end - start).abs().max()) > 0.01
    torch.testing.assert_close(a.detach(), end, rtol=0, atol=1e-9)


def test_a_table_made_in_blocks_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    z = torch.randn(2, 50, generator=stream(3), dtype=torch.float64)
    whole = fgn.InputSum(z, 1e-8)
    monkeypatch.setattr(fgn, "TABULATED", 50 * 7)
    blocks = fgn.InputSum(z, 1e-8)
    torch.testing.assert_close(blocks.values, whole.values, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(blocks.slopes, whole.slopes, rtol=1e-12, atol=1e-14)


# Colour


@given(hnp.arrays(np.float64, (3, 2, 3), elements=st.floats(0, 1)))
@settings(max_examples=200, deadline=None)
def test_colours_are_those_of_colorsys(hsv: np.ndarray) -> None:
    found = rgb_of_hsv(torch.from_numpy(hsv)).numpy()
    expected = np.array([[colorsys.hsv_to_rgb(*hsv[:, y, x]) for x in range(3)] for y in range(2)])
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), rtol=0, atol=1e-12)
    assert 0 <= found.min() <= found.max() <= 1
    np.testing.assert_allclose(found.max(0), hsv[2], atol=1e-12)  # the value is the largest channel


def test_colours_of_batches_are_those_of_matplotlib() -> None:
    from matplotlib.colors import hsv_to_rgb

    hsv = torch.rand(4, 3, 6, 5, generator=stream(0), dtype=torch.float64)
    hsv[0, :, 0] = torch.tensor([0.0, 1.0, 1 / 6, 1 / 3, 2 / 3], dtype=torch.float64)  # ends of the sectors
    expected = hsv_to_rgb(hsv.movedim(1, -1).numpy())
    np.testing.assert_allclose(rgb_of_hsv(hsv).movedim(1, -1).numpy(), expected, atol=1e-12)


@given(hnp.arrays(np.float32, (3, 1, 4), elements=st.floats(0, 1, width=32)))
def test_single_precision_colours_stay_in_the_unit_interval(hsv: np.ndarray) -> None:
    found = rgb_of_hsv(torch.from_numpy(hsv))
    assert bool(((found >= 0) & (found <= 1)).all())


# CPPNs in colour and at any size


def grown(seed: int, mutations: int, outputs: int = 3) -> Genome:
    draw = Random(seed)
    genome = cppn.minimal(draw, outputs)
    for _ in range(mutations):
        genome = cppn.mutate(genome, draw, cppn.Rates())
    return genome


def by_hand(genome: Genome, x: float, y: float) -> list[float]:
    """The outputs at one place, node by node."""
    functions = [math.sin, lambda s: math.tanh(s / 2), lambda s: math.exp(-s * s), lambda s: min(max(s, -3), 3) / 3]
    inputs = [x, y, math.hypot(x / 13.5 - 1, y / 13.5 - 1), 1.0]

    def node(number: int) -> float:
        if number < 4:
            return inputs[number]
        total = sum(w * node(source) for (source, target), w in genome.weights.items() if target == number)
        return functions[genome.activations[number]](total)

    return [abs(node(4 + output)) for output in range(genome.outputs)]


@pytest.mark.parametrize("seed", range(6))
def test_networks_of_three_outputs_draw_what_their_nodes_say(seed: int) -> None:
    genome = grown(seed, 12)
    drawn = cppn.render([genome], height=5, width=9, dtype=torch.float64)[0]
    for row, column in ((0, 0), (2, 7), (4, 8)):
        x, y = 28 * (column + 0.5) / 9 - 0.5, 28 * (row + 0.5) / 5 - 0.5
        assert drawn[:, row, column].tolist() == pytest.approx(by_hand(genome, x, y), abs=1e-6)


@given(st.integers(0, 10**9), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_outputs_stay_and_hidden_nodes_come_after_them(seed: int, mutations: int) -> None:
    genome = grown(seed, mutations)
    assert {4, 5, 6} <= set(genome.activations)
    assert all(target > 3 and source not in (4, 5, 6) for source, target in genome.weights)
    assert set(cppn.levels(genome)) >= {4, 5, 6}
    drawn = cppn.render([genome], height=4, width=4)
    assert drawn.shape == (1, 3, 4, 4)
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1


def test_coordinates_of_28_are_the_column_and_the_row() -> None:
    x, y, distance, one = cppn.coordinates().view(4, 28, 28)
    assert x[3].tolist() == list(range(28))
    assert y[:, 5].tolist() == list(range(28))
    assert float(distance[0, 0]) == 2**0.5
    assert float(one.min()) == 1


def test_one_genome_gives_the_same_picture_at_any_size() -> None:
    """Shallow networks of small weights, so that a pixel is as smooth as its neighbours: means of blocks agree."""
    genome = Genome({4: 0, 5: 1, 6: 2}, {(0, 4): 0.1, (1, 5): 0.05, (2, 6): 0.5, (3, 4): 0.3, (3, 6): -0.2}, 3)
    large = cppn.render([genome], height=224, width=224, dtype=torch.float64)
    for size in (28, 32, 56, 112):
        small = cppn.render([genome], height=size, width=size, dtype=torch.float64)
        assert float((F.adaptive_avg_pool2d(large, size) - small).abs().max()) < 1e-2
    wide = cppn.render([genome], height=28, width=56, dtype=torch.float64)
    assert float((F.adaptive_avg_pool2d(wide, 28) - F.adaptive_avg_pool2d(large, 28)).abs().max()) < 1e-2


def test_large_pictures_are_drawn_in_blocks_of_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    population = [grown(seed, 6) for seed in range(9)]
    whole = cppn.render(population, height=30, width=40, dtype=torch.float64)
    calls = []
    drawn = cppn._drawn
    monkeypatch.setattr(cppn, "_drawn", lambda genomes, *rest: calls.append(len(genomes)) or drawn(genomes, *rest))
    monkeypatch.setattr(cppn, "AT_ONCE", 12 * 30 * 40)
    blocks = cppn.render(population, height=30, width=40, dtype=torch.float64)
    assert len(calls) > 3
    assert sum(calls) == 9
    torch.testing.assert_close(blocks, whole, rtol=0, atol=1e-9)


# Many classes


def test_genomes_of_all_classes_live_and_images_of_the_kept_ones() -> None:
    """A run that keeps three of 40 classes goes as one that keeps them all."""
    shape, network = (3, 6, 6), Linear((3, 6, 6), 40)
    options = {"classes": 40, "generations": 5}
    for encoding in (Direct(), Cppn(), Direct(in_8_bits=True)):
        whole = evolved(network, shape, encoding, **options)
        some = evolved(network, shape, encoding, kept=[3, 17, 39], **options)
        assert some.confidence.tobytes() == whole.confidence.tobytes()
        assert some.champions.tobytes() == np.ascontiguousarray(whole.champions[:, [3, 17, 39]]).tobytes()
        assert some.kept.tolist() == [3, 17, 39]
        assert some.images.shape == (2, 3, 6, 6, 3)


def test_a_champion_does_not_hold_its_generation_in_memory() -> None:
    scorer = ScaledOutput(Linear((1, 4, 4), 5), alpha=0.0, beta=1.0)
    module = evolution.Evolution(scorer, [stream(0)], shape=(1, 4, 4), classes=5, population=50)
    trainer().fit(module, train_dataloaders=range(4))
    assert all(genome.untyped_storage().nbytes() == 16 * 4 for genome in module.genomes[0])


def test_genes_in_8_bits_are_multiples_of_1_255() -> None:
    found = evolved(Linear((1, 5, 5)), (1, 5, 5), Direct(in_8_bits=True))
    np.testing.assert_allclose(found.champions * 255, np.rint(found.champions * 255), atol=1e-4)
    saved = pictures.images(pictures.rounded(found.champions[0], (1, 5, 5)))
    np.testing.assert_array_equal(saved.reshape(3, 25), found.champions[0])


def test_classes_are_sampled_by_the_key_and_all_are_taken_where_they_are_few() -> None:
    assert attacked.sampled(10, 10, "x") == list(range(10))
    some = attacked.sampled(1000, 10, "x")
    assert some == sorted(set(some)) == attacked.sampled(1000, 10, "x") != attacked.sampled(1000, 10, "y")
    assert len(some) == 10
    assert pictures.columns(range(10)) == {}
    assert pictures.columns(some)["target"].tolist() == some


# Pictures


@pytest.mark.parametrize("shape", [(1, 4, 6), (3, 4, 6)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pictures_of_a_shape_keep_every_pixel_in_its_place(shape: tuple[int, ...], depth: pictures.Depth) -> None:
    flat = np.random.default_rng(0).random((3, math.prod(shape)), np.float32)
    saved = pictures.rounded(flat, shape, depth)
    assert (saved.shape, saved.dtype) == ((3, 4, 6) if shape[0] == 1 else (3, 4, 6, 3), depth)
    planes = flat.reshape(3, *shape)
    back = pictures.images(saved)
    channels = back[..., None] if shape[0] == 1 else back
    np.testing.assert_allclose(channels, planes.transpose(0, 2, 3, 1), rtol=0, atol=0.51 / np.iinfo(depth).max)
    np.testing.assert_array_equal(pictures.pictured(flat, shape), pictures.pictured(flat[None], shape)[0])


def test_colour_pictures_are_scored_as_the_images_that_they_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    network, flat = Linear((3, 8, 5)), torch.rand(7, 120, generator=stream(2))
    expected = network(flat.view(7, 3, 8, 5)).log_y.double().exp().numpy()
    saved = pictures.pictured(flat.numpy(), (3, 8, 5))
    found = scores_of_images(network, saved, np.zeros(7), beta=1.0, probes=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    monkeypatch.setattr("overgen.measures.outputs.TOGETHER", 250)  # two at a time
    np.testing.assert_allclose(scores_of_images(network, saved, np.zeros(7), beta=1.0, probes=1), found, rtol=1e-6)


# Training images


def test_nearest_images_without_labels_and_classes_without_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(0, 256, (30, 3, 4, 5), generator=stream(0)).byte()
    labels = torch.where(torch.arange(30) % 3 == 0, -1, torch.arange(30) % 2)
    x, targets = images[[3, 4]].flatten(1) / 255, torch.tensor([1, 5])
    whole = gradient.nearest(x, images, labels, targets)
    assert whole[0].tolist() == [-1, 0]
    assert whole[1].tolist() == pytest.approx([0, 0], abs=1e-5)
    of_class = np.linalg.norm((images[labels == 1].flatten(1) / 255 - x[0]).numpy(), axis=1).min()
    assert float(whole[2][0]) == pytest.approx(of_class, abs=1e-5)
    assert bool(whole[2][1].isnan())
    monkeypatch.setattr(gradient, "BLOCK", 60 * 4)
    for found, expected in zip(gradient.nearest(x, images, labels, targets), whole, strict=True):
        torch.testing.assert_close(found.double(), expected.double(), rtol=0, atol=1e-5, equal_nan=True)


def test_starts_of_images_that_are_all_of_the_target_are_refused() -> None:
    images = torch.zeros(4, 3, 2, 2, dtype=torch.uint8)
    draws = [generator("a")]
    x, index = gradient.starts(["other_class"], draws, [1], images, torch.full((4,), -1))
    assert x.shape == (1, 12)
    assert index[0] in range(4)
    with pytest.raises(OvergenError, match="other_class: all 4 training images are labelled 1"):
        gradient.starts(["other_class"], draws, [1], images, torch.ones(4, dtype=torch.long))


def test_the_mean_of_many_images_is_summed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(0, 256, (50, 3, 4, 4), generator=stream(0)).byte()
    whole = gradient.mean_image(images)
    monkeypatch.setattr(gradient, "WHOLE", 0)
    monkeypatch.setattr(gradient, "BLOCK", 48 * 7)
    torch.testing.assert_close(gradient.mean_image(images), whole, rtol=1e-12, atol=0)


# Black boxes and NaN


def test_evolution_needs_no_gradient() -> None:
    network = Linear((3, 6, 6))
    for encoding in (Direct(), Cppn()):
        boxed, open_ = (evolved(each, (3, 6, 6), encoding) for each in (BlackBox(network), network))
        assert boxed.confidence.tobytes() == open_.confidence.tobytes()


class NanAbove(nn.Module):
    """Answers NaN, for all classes or for the target's rivals only, where an image is brighter than a limit."""

    def __init__(self, limit: float, rivals: bool = False) -> None:
        super().__init__()
        self.inner, self.limit, self.rivals = Linear((1, 6, 6)), limit, rivals

    def forward(self, x: Tensor) -> Output:
        log_y = self.inner(x).log_y
        bright = (x.flatten(1).mean(1) > self.limit)[:, None].expand_as(log_y).clone()
        if self.rivals:
            bright[:, 0] = False
        return Output(torch.where(bright, torch.nan, log_y), None)


def test_nan_ends_an_evolution() -> None:
    with pytest.raises(OvergenError, match=r"generation 0, run 0, 1: a child's score is NaN"):
        evolved(NanAbove(0.5), (1, 6, 6), Direct())


@pytest.mark.parametrize("rivals", [False, True])
def test_nan_ends_attacks_by_gradients(rivals: bool) -> None:
    """Also where the score of the target itself is a number."""
    images = torch.full((1, 36), 0.9)
    with pytest.raises(OvergenError, match=r"score of some class is not finite after 0 updates"):
        descended(NanAbove(0.5, rivals), (1, 6, 6), images)


def test_nan_ends_the_generator() -> None:
    z, a = fgn.start([generator("n")], "normal", pixels=36)
    with pytest.raises(OvergenError, match="score of some class is not finite after 0 updates"):
        fooled_by_fgn(NanAbove(0.0), (1, 6, 6), z, a)


def test_nan_is_no_score_of_attacks_in_turn() -> None:
    ended = fgn.Passage(
        step=torch.tensor([[-1], [3]]), image=torch.zeros(2, 1, 4), log_y=torch.tensor([math.nan, -0.1]),
        distance=torch.full((2,), math.nan), gamma=torch.full((2,), math.nan),
    )  # fmt: skip
    with pytest.raises(OvergenError, match="attack 0 in turn: the score of trial 0 is NaN"):
        gradient.in_turn([(lambda rows: ended, 5)], trials=2, pixels=4, alpha=0, beta=1)


def test_nan_is_neither_a_score_of_a_picture_nor_an_output() -> None:
    """numpy's argmax takes NaN for the largest: the image would be seen as that class."""
    images = np.stack([np.full((6, 6), grey, np.float32) for grey in (0.1, 0.9)])
    with pytest.raises(OvergenError, match="NanAbove gives a score of NaN for image 1 of 2"):
        scores_of_images(NanAbove(0.5), images, np.zeros(2), beta=1.0, probes=1)
    with pytest.raises(OvergenError, match="NanAbove gives a log_y of NaN for image 1"):
        image_outputs(NanAbove(0.5), torch.from_numpy(images * 255).byte()[:, None], chunk=1, probes=1)
