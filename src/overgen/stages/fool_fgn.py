"""Fool a network with the Fooling Generator Network: Tables 1 and 2, Figure 3.

Attacks y, as the paper does, and for networks that reconstruct also the scaled output ỹ. (For a softmax the two are
one; for COOL the gradients of its training loss and of −log ỹ_t are proportional, so the attack below is both.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overgen import cells, data, networks, runtime
from overgen.artifacts import OvergenError, read_npz
from overgen.attacks import fgn_summary as summary
from overgen.attacks.fgn import FoolingGenerator, start
from overgen.confidence import threshold_pairs


def main(dataset: str, model: str) -> None:
    """Write the cell: rates and steps at each threshold, a row for each trial, images."""
    with runtime.stage("fool_fgn", dataset=dataset, model=model) as stage:
        settings, engine = stage.params(f"fool_fgn.{dataset}"), stage.params(f"engine.{dataset}")
        confidence = stage.params(f"confidence.{dataset}")
        outputs = read_npz(networks.weights_path(dataset, model, 0).parent / "members" / "outputs.npz")
        reconstructs = "distance" in outputs
        seeds = outputs["seeds"].tolist()
        pairs = threshold_pairs(confidence.thresholds, reconstructs=reconstructs)
        if not reconstructs and settings.scaled.get(model):
            raise OvergenError(f"params.yaml, fool_fgn.{dataset}.scaled: {model} does not reconstruct, so ỹ = y for it")
        attacks = [summary.Attack("y", None, {})]
        attacks += [summary.Attack("scaled", alpha, {}) for alpha in settings.scaled.get(model, [])]
        attacks += [summary.Attack(v.name, None, v.options) for v in settings.variants if model in v.models]
        classes = len(data.load(dataset).classes)
        trials = [(target, trial) for target in range(classes) for trial in range(settings.trials)]
        blocks = [trials[i : i + settings.block] for i in range(0, len(trials), settings.block)]
        work = [(seed, attack, block) for seed in seeds for attack in attacks for block in blocks]

        def run_block(i: int, run: Any) -> dict[str, np.ndarray]:
            seed, attack, block = work[i]
            network, _ = networks.load(networks.weights_path(dataset, model, seed))
            network = network.to(stage.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            options = {name: getattr(settings, name) for name in ("learning_rate", "optimizer", "input", "initial")}
            options |= attack.options
            z, a = start(
                [runtime.generator(dataset, seed, "fgn", target, trial) for target, trial in block],
                options["input"],
                initial=options["initial"],
            )
            module = FoolingGenerator(
                network,
                z.to(stage.device),
                a.to(stage.device),
                torch.tensor([target for target, _ in block], device=stage.device),
                thresholds=attack.judged(pairs),
                beta=confidence.beta,
                probes=engine.probes,
                learning_rate=options["learning_rate"],
                optimizer=options["optimizer"],
                alpha=attack.alpha,
                clip=options.get("clip"),
            )
            passage = module.run(stage.trainer(epochs=1), settings.updates)
            return {name: t.numpy() for name, t in vars(passage).items()}

        names = [f"seed{seed}-{attack.objective}-{i}" for i, (seed, attack, _) in enumerate(work)]
        found = stage.members(names, run_block)
        if stage.rank != 0:
            return
        table, images = summary.gather(work, found, pairs)
        rows = summary.fooling_rows(table, pairs)
        if reconstructs:
            rows += summary.curvature_rows(outputs, table)
        _, metadata = networks.load(networks.weights_path(dataset, model, 0))
        budget = metadata["budget"] | {
            f"fool_fgn.{dataset}.trials": settings.trials,
            f"fool_fgn.{dataset}.updates": settings.updates,
        }
        shown = summary.examples(table, images, pairs, classes, confidence.beta)
        cells.write(stage.cell, budget=budget, metrics=rows, tables={"trials": table}, examples=shown)


if __name__ == "__main__":
    runtime.command(main)
