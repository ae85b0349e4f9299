"""Images evolved to fool a network: MAP-Elites (Nguyen, Yosinski & Clune 2015, Section 2), and the direct encoding.

A genome is the image itself, C·H·W numbers in [0, 1], or, in the other encoding, a network that draws it
(`overgen.attacks.cppn`); the rest is the same for both. Of colour images a genome gives hue, saturation and value of
each pixel, as the paper's do (`overgen.attacks.colour`). The archive has one cell per class, held by the image with the
highest score of that class so far, its champion. A generation draws pairs of parents uniformly over the cells, crosses
and mutates them, and offers **every child to every cell**: one child may take several. (MAP-Elites proper offers a
child to one cell only.)

This follows the authors' published code, as read, in:
- 200 random genomes (images U[0, 1]) at the start (generation 0), 200 children a generation; nothing is lost from the
  archive.
- Mutation of images: each gene with probability 0.1, by the polynomial mutation of index 15 in its form without bounds,
  then clamped to [0, 1].
- Crossover of images: a pair of parents gives two children; with probability 0.5 by SBX of index 10 on every gene, else
  they are copies of the parents. The SBX is not that of Deb & Agrawal's article but the bounded one of Deb's own code:
  see `crossover`.
- A tie keeps the champion.

It departs from that code in three things:
- Genes that both parents share are inherited. The authors' SBX skips them and so leaves 0.5 in the child [?: a slip, or
  meant]; a parent crossed with itself gives a plain grey image there.
- Images are scored as they are; the authors' are first cut to 8 bits, floor(255·gene).
- Scores are compared as logarithms, which still differ where float32 probabilities have reached 1.
The paper halves the mutation rate every 1,000 generations; the authors' code does not, nor does this.

Several runs are scored in one batch. Each has its own random generator and, once every one of its cells has reached
the target, takes no further part: a run evolves as it would alone.

Memory, for R runs of N children on C classes and images of D numbers: a generation's images, R·N·D numbers; a genome
for each champion that differs from the others, at most R·C, of CPPNs some hundred bytes and of images D numbers; the
images of the champions of the classes that are kept. For 1,000 classes and D = 150,528 that is 120 MB for the children
of a run, and up to 600 MB of champions in the direct encoding. There `Direct` can hold genes in 8 bits: 150 MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from overgen import OvergenError
from overgen.attacks.direct import DIRECT
from overgen.data import pictures

TARGET = 0.9999  # the confidence at which the paper counts a class as fooled


class Scorer(Protocol):
    """What is attacked, as `overgen.confidence.ScaledOutput`: score = upper_bound + log_curvature, in log space."""

    def upper_bound(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W). Returns (N, K), of K classes."""

    def log_curvature(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W). Returns (N,), ≤ 0. Costly."""


def winners(archive_scores: Tensor, child_scores: Tensor) -> tuple[Tensor, Tensor]:
    """The archive rule: which cells change hands, and which child is best in each, the first of equal ones.

    archive_scores: (R, C), −inf for an empty cell; child_scores: (R, N, C). Returns (R, C) bool and (R, C) int64.
    Raises ValueError for a NaN among the children.
    """
    if bool(child_scores.isnan().any()):
        raise ValueError("a child's score is NaN: it compares with nothing")
    best, index = child_scores.max(dim=1)
    return best > archive_scores, index


def offer(
    archive_scores: Tensor, archive_genomes: Tensor, child_scores: Tensor, child_genomes: Tensor
) -> tuple[Tensor, Tensor]:
    """Offer every child to every cell: the best child takes a cell if its score is above the champion's (`winners`).

    The same archive as offering the children one after another: a cell ends with the maximum either way, a tie with the
    champion keeps the champion, and of tied children the first one wins.

    archive_scores: (R, C), −inf for an empty cell; archive_genomes: (R, C, D); child_scores: (R, N, C);
    child_genomes: (R, N, D). Returns the new scores and genomes. Raises ValueError for a NaN among the children.
    """
    better, index = winners(archive_scores, child_scores)
    best = child_scores.gather(1, index[:, None])[:, 0]
    challengers = child_genomes.gather(1, index[..., None].expand(-1, -1, child_genomes.shape[2]))
    return torch.where(better, best, archive_scores), torch.where(better[..., None], challengers, archive_genomes)


def exact_scores(scorer: Scorer, images: Tensor, bounds: Tensor, champions: Tensor, *, batch_size: int) -> Tensor:
    """Scores of the children that can take a cell, with the curvature; −inf for those that cannot.

    The curvature term only lowers a score, so a child matters only where its bound is above the champion's score and
    not below the best exact score among its siblings. The most promising child of each cell is scored first, which
    rules out most of the others.

    images: (R, N, ...); bounds: (R, N, C) of `scorer.upper_bound`; champions: (R, C) exact scores. Returns (R, N, C),
    NaN for a child whose curvature term is infinite, NaN or positive.
    """
    exact = torch.full_like(bounds, -torch.inf)
    known = torch.zeros(bounds.shape[:2], dtype=torch.bool, device=bounds.device)
    while True:
        open_cells = ~known[..., None] & (bounds > champions[:, None]) & (bounds >= exact.amax(1, keepdim=True))
        if not bool(open_cells.any()):
            return exact
        leading = torch.where(open_cells, bounds, -torch.inf).argmax(1, keepdim=True)  # (R, 1, C)
        chosen = torch.zeros_like(open_cells).scatter_(1, leading, open_cells.gather(1, leading)).any(2)  # (R, N)
        terms = torch.cat([scorer.log_curvature(block) for block in images[chosen].split(batch_size)]).to(bounds.dtype)
        terms = torch.where(terms.isfinite() & (terms <= 0), terms, torch.nan)
        exact[chosen] = bounds[chosen] + terms[:, None]
        known |= chosen


class Encoding(Protocol):
    """How images are written down as genomes. like: a tensor of the images' dtype, on their device."""

    def start(self, count: int, stream: torch.Generator, like: Tensor, shape: Sequence[int]) -> Sequence[Any]:
        """So many random genomes of images (C, H, W)."""

    def breed(self, champions: Sequence[Any], count: int, stream: torch.Generator) -> Sequence[Any]:
        """So many children of parents that are uniform over the champions: crossed, then mutated."""

    def images(self, population: Sequence[Any], shape: Sequence[int], like: Tensor) -> Tensor:
        """What the genomes are, (N, C, H, W) in [0, 1]; shape: (C, H, W)."""


@dataclass(frozen=True)
class Result:
    """What R runs on C classes came to. Confidences are exp(score), in [0, 1]; G is the last generation of any run.

    confidence: (G+1, R, C) float32, of the champions after each generation; generation 0 is the random start. After a
    run has ended its last values are repeated: going on could only have raised them.
    ended: (R,) int64, the last generation of each run.
    kept: (K,) int64, the classes whose champions are kept as images: those asked for, else all.
    stored: (S,) int64, generations of which run 0's champions are kept: those asked for, and its last.
    images: (S, K, H, W) or (S, K, H, W, 3) float32, these champions as pictures.
    champions: (R, K, C·H·W) float32, the last champions of all runs.
    """

    confidence: np.ndarray
    ended: np.ndarray
    kept: np.ndarray
    stored: np.ndarray
    images: np.ndarray
    champions: np.ndarray


def first_generation(confidence: np.ndarray, target: float = TARGET) -> np.ndarray:
    """The first generation at which each confidence reached the target, −1 where never. (G+1, ...) to (...)."""
    reached = confidence >= np.float32(target)
    return np.where(reached.any(axis=0), reached.argmax(axis=0), -1)


class Evolution(pl.LightningModule):
    """Several runs of the evolution against one network; one training step is one generation of all of them.

    scorer: attacked, frozen (a module is moved to the device and set to evaluation). generators: one for each run,
    which alone decides that run's random numbers. encoding: of the images. shape: (C, H, W) of these. classes: how many
    the network has. kept: those whose champions are held as images, all by default; the others are held as genomes.
    population: random genomes at the start, and children a generation. stored_generations: of which run 0's champions
    are kept. stop_when_reached: a run ends when all its cells have reached `target`. batch_size: images scored at a
    time, at most. first_run: number of the first run, for messages.
    """

    step_name = "generation"  # for who watches

    def __init__(
        self,
        scorer: Scorer,
        generators: Sequence[torch.Generator],
        *,
        shape: Sequence[int],
        encoding: Encoding = DIRECT,
        classes: int = 10,
        kept: Sequence[int] | None = None,
        population: int = 200,
        stored_generations: Sequence[int] = (0, 50, 200, 1000),
        stop_when_reached: bool = False,
        target: float = TARGET,
        batch_size: int = 500,
        first_run: int = 0,
    ) -> None:
        super().__init__()
        if not generators:
            raise ValueError("evolution needs a generator for each run, and at least one run: generators is empty")
        for name, value in {"classes": classes, "population": population, "batch_size": batch_size}.items():
            if value < 1:
                raise ValueError(f"{name} = {value}: must be at least 1")
        self.automatic_optimization = False
        # In a tuple, so that Lightning does not take the attacked network for a part of what is trained here.
        self.attacked = (scorer,)
        self.streams, self.encoding, self.population = list(generators), encoding, population
        self.shape, self.kept = tuple(shape), list(range(classes) if kept is None else kept)
        self.stored_generations = set(stored_generations)
        self.stop_when_reached, self.target, self.batch_size = stop_when_reached, target, batch_size
        self.first_run = first_run
        runs = len(generators)
        self.scores = torch.full((runs, classes), -torch.inf)
        self.champions = torch.zeros(runs, len(self.kept), math.prod(shape))  # images of the kept classes
        self.genomes: list[list[Any]] = [[None] * classes for _ in range(runs)]  # of the champions
        self.running = list(range(runs))
        self.ended = np.zeros(runs, np.int64)
        self.history: list[np.ndarray] = []
        self.pictures: dict[int, np.ndarray] = {}  # run 0's champions, by generation

    def configure_optimizers(self) -> list[Any]:
        return []  # nothing is optimised by gradient; None would mean the same with a warning

    def on_fit_start(self) -> None:
        self.champions = self.champions.to(self.device)
        if isinstance(self.scorer, torch.nn.Module):
            self.scorer.to(self.device).eval()

    @property
    def scorer(self) -> Scorer:
        return self.attacked[0]

    @torch.no_grad()
    def training_step(self, generation: int) -> None:
        """One generation of the runs that have not ended."""
        rows = self.running
        # One run after another: vectorised powers round by an element's place, so a batch of runs would differ.
        populations = [self.offspring(r, generation) for r in rows]
        images = [self.encoding.images(p, self.shape, self.champions) for p in populations]
        children = torch.stack(images) if len(rows) > 1 else images[0][None]  # (R, N, C, H, W)
        bounds = self.bounds(children)
        self.refuse(~bounds.isfinite(), "a child's score is NaN or infinite", generation)
        self.scores = self.scores.to(bounds)
        exact = bounds
        if getattr(self.scorer, "reconstructs", True):  # else there is no curvature to ask for
            exact = exact_scores(self.scorer, children, bounds, self.scores[rows], batch_size=self.batch_size)
        self.refuse(exact.isnan(), "a child's curvature term is NaN, infinite or positive", generation)
        taken, best = winners(self.scores[rows], exact)
        for k, r in enumerate(rows):
            self.replace(r, populations[k], taken[k].tolist(), best[k].tolist())
        cells = self.kept
        _, self.champions[rows] = offer(
            self.scores[rows][:, cells], self.champions[rows], exact[..., cells], children.flatten(2)
        )
        self.scores[rows] = torch.where(taken, exact.gather(1, best[:, None])[:, 0], self.scores[rows])
        self.record(generation)

    def replace(self, run: int, population: Sequence[Any], taken: Sequence[bool], best: Sequence[int]) -> None:
        """Give the cells of a run that change hands the genomes of their best children."""
        # A copy of each winner, once, however many cells it takes: a view would hold the whole population in memory.
        new = {i: population[i] for t, i in zip(taken, best, strict=True) if t}
        new = {i: genome.clone() if isinstance(genome, Tensor) else genome for i, genome in new.items()}
        cells = zip(taken, best, self.genomes[run], strict=True)
        self.genomes[run] = [new[i] if t else champion for t, i, champion in cells]

    def offspring(self, run: int, generation: int) -> Sequence[Any]:
        """The genomes that a run offers in a generation."""
        if generation == 0:
            return self.encoding.start(self.population, self.streams[run], self.champions, self.shape)
        return self.encoding.breed(self.genomes[run], self.population, self.streams[run])

    def bounds(self, children: Tensor) -> Tensor:
        """Upper bounds of the children's scores, (R, N, C)."""
        images = children.flatten(0, 1)
        bounds = torch.cat([self.scorer.upper_bound(block) for block in images.split(self.batch_size)])
        if bounds.shape != (len(images), self.scores.shape[1]):
            raise ValueError(
                f"the scorer gives {tuple(bounds.shape)} for {len(images)} images and {self.scores.shape[1]} classes"
            )
        return bounds.view(*children.shape[:2], -1)

    def refuse(self, wrong: Tensor, what: str, generation: int) -> None:
        """OvergenError if any of the scores, (R, N, C), is marked as wrong: it never counts as "not fooled"."""
        marked = wrong.flatten(1).any(1).tolist()
        if any(marked):
            runs = ", ".join(str(self.first_run + r) for r, bad in zip(self.running, marked, strict=True) if bad)
            raise OvergenError(
                f"evolution, generation {generation}, run {runs}: {what}. The attacked network's weights or "
                "activations overflow: look at its training curves; train it at a lower learning rate or in float32."
            )

    def record(self, generation: int) -> None:
        """Note the champions' confidence, keep run 0's images where asked, and end the runs that are done."""
        confidence = self.scores.double().exp().clamp(max=1).float().cpu().numpy()  # COOL's may round to above 1
        self.history.append(confidence)
        self.ended[self.running] = generation
        if generation in self.stored_generations and 0 in self.running:
            self.pictures[generation] = self.champions[0].cpu().numpy().copy()  # the archive changes in place
        if self.stop_when_reached:
            self.running = [r for r in self.running if confidence[r].min() < np.float32(self.target)]

    def on_train_batch_end(self, *_: Any) -> None:
        if not self.running:
            self.trainer.should_stop = True

    def result(self) -> Result:
        """What the runs came to so far."""
        champions = self.champions.cpu().numpy().copy()
        drawn = self.pictures | {int(self.ended[0]): champions[0]}
        images = np.stack([drawn[g] for g in sorted(drawn)]).reshape(len(drawn), -1, *self.shape)
        return Result(
            confidence=np.stack(self.history),
            ended=self.ended.copy(),
            kept=np.array(self.kept),
            stored=np.array(sorted(drawn)),
            images=pictures(torch.from_numpy(images)),
            champions=champions,
        )


def evolve(
    scorer: Scorer, generators: Sequence[torch.Generator], trainer: pl.Trainer, *, generations: int, **options: Any
) -> Result:
    """Evolve as many runs as there are generators, for at most so many generations after the random start.

    trainer: for one epoch, without logger and checkpoints; it decides on device and progress bar. options: of
    `Evolution`. Raises OvergenError if a score is not finite, naming generation and run.
    """
    module = Evolution(scorer, generators, **options)
    trainer.fit(module, train_dataloaders=range(generations + 1))
    return module.result()
