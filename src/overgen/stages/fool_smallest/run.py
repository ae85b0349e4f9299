"""Find the smallest change of test images that makes a trained network of any shape see another class.

    python -m overgen.run fool_smallest --dataset mnist --model cnn

By box-constrained L-BFGS (Szegedy et al. 2013, Section 4.1), as `fool_lbfgs` does with the paper's own networks. Reads
the model's trained networks. Writes the cell: how large the changes are, a row for each image, the first ones of them,
and every changed image that the network sees as the class that was asked for.

Only images that the network labels right are changed: where there is none, the numbers are "not testable", n = 0.
An image counts as changed when the network labels it as the target. c̃ multiplies the scores of all classes alike, so
that the label under ỹ is that under y: whether a defence would also reject the image, ỹ ≤ τ, is not asked here. At the
border between two classes no score is high.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.attacks.attacked import Arrays, Attacked, Block, in_blocks
from overgen.attacks.lbfgs import smallest_change
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_smallest import summary


def main(stage: Stage) -> None:
    """Write the cell. successes.npz: trial (K,), the row of trials.csv, and image (K, H, W[, 3]) uint16.

    A smallest change ends at the border between two classes, where 8 bits a pixel are often too few: `seen_in_8_bits`
    of trials.csv is the label of the image in 8 bits, `score_in_16_bits` y_t of the picture that is kept.
    """
    attacked = Attacked(stage)
    attacked.refuse_black_box()
    settings = stage.params(f"fool_smallest.{attacked.dataset}")
    work = []
    for seed in attacked.seeds:
        index = chosen(attacked, attacked.network(seed), settings.images)
        work += list(product([seed], in_blocks(index, attacked.side_by_side(settings.block))))
    blocks = [Block(f"block{i}", seed, None, trials) for i, (seed, trials) in enumerate(work)]
    outcomes = attacked.run(blocks, partial(attack, attacked, settings))
    if stage.rank != 0:
        return
    table, images = summary.gather(blocks, outcomes, attacked.shape)
    attacked.write(
        summary.rows(table, math.prod(attacked.shape)),
        spent={"images": settings.images, "iterations": settings.iterations},
        tables={"trials": table},
        examples=summary.examples(table, images, attacked.source.test_images),
        successes=summary.successes(table, images),
    )


@torch.no_grad()
def chosen(attacked: Attacked, network: nn.Module, count: int) -> list[int]:
    """Test images that a network labels right, `count` of them spread over the classes, or as many as there are.

    An image without a label counts as what the network sees in it. The order of a class's images is drawn by data set.
    """
    source = attacked.source
    order = torch.randperm(len(source.test_labels), generator=generator(source.name, "smallest", "images"))
    seen = torch.cat([labels(network, block, attacked) for block in source.test_images[order].split(attacked.chunk)])
    right = (source.test_labels[order] == seen) | (source.test_labels[order] < 0)
    order, seen = order[right], seen[right]
    place = torch.zeros(len(order), dtype=torch.long)  # among the images of its class
    for name in seen.unique():
        place[seen == name] = torch.arange(int((seen == name).sum()))
    return order[place.argsort(stable=True)][:count].tolist()


def labels(network: nn.Module, images: Tensor, attacked: Attacked) -> Tensor:
    """What a network labels images (N, …) uint8 as, (N,), on the CPU."""
    return network(data.floats(images).to(attacked.stage.device)).log_y.argmax(1).cpu()


def target_of(dataset: str, index: int, label: int, classes: int) -> int:
    """The class that a test image shall be seen as: one of the others, drawn for the image whatever the network."""
    step = int(torch.randint(1, classes, (), generator=generator(dataset, "smallest", "target", index)))
    return (label + step) % classes


def attack(attacked: Attacked, settings: Any, network: nn.Module, block: Block) -> Arrays:
    """The smallest changes of a block of N test images, by number.

    Returns index, label (what the network sees unchanged), target, c, fooled, score (y of the target), score_in_16_bits
    and seen_in_8_bits, the label of the image in 8 bits, all (N,); change (N,), ‖r‖₂; and image (N, C, H, W).
    Raises OvergenError if a score or gradient is not finite.
    """
    source, device = attacked.source, attacked.stage.device
    index = torch.tensor(block.trials)
    images = data.floats(source.test_images[index]).to(device)
    with torch.no_grad():
        label = network(images).log_y.argmax(1).cpu()
    target = torch.tensor(
        [target_of(source.name, i, c, attacked.classes) for i, c in zip(block.trials, label.tolist(), strict=True)]
    )
    wanted = target.to(device)

    def log_score(rows: Tensor, x: Tensor) -> Tensor:
        return network(x).log_y.gather(1, wanted[rows][:, None])[:, 0]

    def succeeds(rows: Tensor, x: Tensor) -> Tensor:
        log_y = network(x).log_y
        return (log_y.argmax(1) == wanted[rows]) & ~log_y.isnan().any(1)  # of which argmax takes one for the largest

    options = {"c": settings.c, "bisections": settings.bisections, "iterations": settings.iterations}
    try:
        change = smallest_change(log_score, succeeds, images, **options)
    except FloatingPointError as error:
        raise OvergenError(f"{attacked.dataset}/{attacked.model}, seed {block.seed}: {error}") from error
    every = torch.arange(len(index), device=device)
    with torch.no_grad():
        score, in_16_bits = (log_score(every, x).exp() for x in (change.image, as_saved(change.image, 65535)))
        seen = network(as_saved(change.image, 255)).log_y.argmax(1)
    arrays = {
        "index": index,
        "label": label,
        "target": target,
        "c": change.c,
        "fooled": change.succeeded,
        "score": score,
        "score_in_16_bits": in_16_bits,
        "seen_in_8_bits": seen,
        "change": (change.image - images).flatten(1).double().norm(dim=1),
        "image": change.image,
    }
    return {name: values.cpu().numpy() for name, values in arrays.items()}


def as_saved(x: Tensor, steps: int) -> Tensor:
    """Pixels in [0, 1] as a picture of that many steps holds them."""
    return ((x.double() * steps).round() / steps).to(x.dtype)
