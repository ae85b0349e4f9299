"""Find the smallest change that makes each of the perceptrons see another class: Szegedy et al. 2013, Table 1.

    python -m overgen.run fool_lbfgs --dataset mnist --model perceptrons

Reads the trained perceptrons. Writes the cell: numbers of each network, a row for each image attacked, stability, the
first images, and every changed image that the network sees as the target.

Beside the smallest distortions stands what the other networks make of the changed images, at that distortion and at one
for all; and how often noise changes the label, of the same norm, and on more and more pixels.
"""

from __future__ import annotations

from overgen import data
from overgen.models import registry
from overgen.run import results
from overgen.run.stage import Stage
from overgen.stages.fool_lbfgs import summary
from overgen.stages.fool_lbfgs.attack import attack


def main(stage: Stage) -> None:
    """Write the cell. successes.npz: trial (K,), the row of trials.csv, and image (K, 28, 28) float32.

    The smallest change ends at the border between two classes, where 8 bits a pixel are too few.
    """
    dataset = stage.item["dataset"]
    names = list(stage.params("perceptrons"))
    attacked = stage.members(names, lambda i, _: attack(stage, names[i]))
    if stage.rank != 0:
        return
    settings = stage.params(key := f"fool_lbfgs.{dataset}")
    outcomes = dict(zip(names, attacked, strict=True))
    loaded = {name: registry.perceptron(dataset, name) for name in names}
    budget = next(iter(loaded.values()))[1]["budget"]
    budget |= {f"{key}.images": settings.images, f"{key}.draws": settings.draws}
    judges = {name: network for name, (network, _) in loaded.items()}
    source = data.load(dataset)
    transfer = summary.transfer(judges, outcomes, source, magnified=settings.magnified)
    results.write(
        stage.cell,
        budget=budget,
        metrics=summary.rows(outcomes, transfer, source, settings),
        tables=summary.tables(outcomes, transfer, source, settings),
        examples=summary.examples(outcomes, source),
        successes=summary.successes(outcomes),
    )
