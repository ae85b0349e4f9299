"""What calibration changes: networks with all logits divided by a temperature, before and after.

    python -m overgen.run evaluate_calibration --dataset digits --models attacked   # or --model cnn

The study compares networks at fixed thresholds τ, which mean the same for all of them only if scores are calibrated. So
one temperature a network is fitted (Guo et al. 2017, arXiv:1706.04599), see `measures.calibration`: of a dAE it
calibrates y, and ỹ = c̃·y follows; of COOL it divides the logits of the units. By the likelihood of labels COOL's score
is not calibrated, since it does not sum to 1 over the classes: a second temperature is fitted by the log-loss of the
top score, as the chance that its class is right.

Held out are test images, by cross-fitting, since the networks saw all training images: each half of them is judged at
the temperature of the other half, so that no image is judged at one that it took part in. All else that is fixed was
written down before the run, with what decides it (docs/questions.md). What temperature training images would give is
measured beside.

An image that only passed τ before is easily put below it, and a score that is only rescaled can be followed further.
So the images in the cells of the attacks are scored again, and trials of `fool_gradient` are made anew against the
calibrated network, at the temperature of all test images, of which neither takes any.

Reads: data/<dataset>; models/<dataset>/networks/<model>/ (the first seed); the cells of the attacks on the model; test
images of the data sets that params.yaml names. Writes the cell: reliability.csv, a row a bin; kept.csv, a row an image
that had fooled; trials.csv, a row a new trial; successes.npz, what fooled the calibrated network, as in fool_gradient.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from overgen import OvergenError
from overgen.attacks import evidence, pictures
from overgen.attacks.attacked import Arrays, Attacked, Block, in_blocks
from overgen.data import borrow, unknowns
from overgen.measures.outputs import image_outputs, part, scores_of_images
from overgen.models import registry, temperature
from overgen.run import results
from overgen.run.files import LEFT_OUT, read_json, read_npz
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.evaluate_calibration import summary
from overgen.stages.fool_gradient.run import attack
from overgen.stages.fool_gradient.summary import gather

LEAST = 10  # labelled test images that a temperature is fitted on
OWN_ATTACKS = {"fool_fgn": ("y", "scaled")}  # whose other variants are left out, by what they follow


def main(stage: Stage) -> None:
    """Write the cell. Where there is nothing that a temperature could be fitted on, or divide, it says why."""
    attacked = Attacked(stage)
    attacked.refuse_black_box()
    settings, plain = stage.params(f"evaluate_calibration.{attacked.dataset}"), attacked.network(attacked.seeds[0])
    if why := refused(attacked, plain):
        if stage.rank == 0:
            rows, diagrams = summary.refused(why)
            write(attacked, settings, rows, tables={"reliability": diagrams})
        return
    stage.members(["seen"], lambda i, _: seen(attacked, settings, plain))
    arrays = read_npz(stage.progress / "seen.npz")  # on every rank
    found = summary.temperatures(
        part(arrays, "test"), part(arrays, "training"), attacked.classes, key=(attacked.dataset, attacked.model)
    )
    calibrated = temperature.at_temperature(plain, found.test.value)
    kept, images = committed(attacked)
    both = {"plain": plain, "calibrated": calibrated}
    stage.members(["kept"], lambda i, _: scores_of(attacked, kept, images, both))
    kept = kept.assign(**read_npz(stage.progress / "kept.npz"))
    blocks = blocks_of(attacked, settings.attack)
    outcomes = stage.members(
        [block.name for block in blocks], lambda i, _: attack(attacked, settings.attack, calibrated, blocks[i])
    )
    if stage.rank != 0:
        return
    trials, successes = trial_table(attacked, settings, calibrated, blocks, outcomes)
    kinds = [*settings.kinds, *(f"data_{other}" for other in settings.other_data)]
    rows, diagrams = summary.cell(
        part(arrays, "test"), {kind: part(arrays, kind) for kind in kinds}, found, paper_pairs(attacked), attacked.beta,
        classes=attacked.classes, bins=settings.bins, resamples=settings.resamples,
        key=(attacked.dataset, attacked.model),
    )  # fmt: skip
    rows += summary.kept_rows(kept) + summary.trial_rows(trials)
    tables = {"reliability": diagrams, "kept": kept, "trials": trials}
    write(attacked, settings, rows, tables=tables, successes=successes)


def refused(attacked: Attacked, network: nn.Module) -> str:
    """Why a network has no temperature; "" if it has one."""
    known = int((attacked.outputs["labels"] >= 0).sum())
    if known < 2 * LEAST:
        return f"{known} test images have a label, and each half of them needs {LEAST}"
    if (training := int((attacked.source.train_labels >= 0).sum())) < LEAST:
        return f"{training} training images have a label, and a temperature needs {LEAST}"
    images = attacked.source.test_images[: attacked.chunk].to(attacked.stage.device)
    return temperature.refused(network, images)


def seen(attacked: Attacked, settings: Any, network: nn.Module) -> Arrays:
    """What the network says of labelled test images, of training images and of each kind of unknown, by kind.

    `<kind>.logits` (N, C·ω), and where it reconstructs distance and gamma (N,), not of training images; of test and
    training images labels, too.
    """
    source, device = attacked.source, attacked.stage.device
    known = attacked.outputs["labels"] >= 0
    order = (source.train_labels >= 0).nonzero()[:, 0]
    order = order[torch.randperm(len(order), generator=generator("calibration", attacked.dataset, "training"))]
    chosen = order[: settings.training_images]
    arrays = {
        "training.logits": temperature.logits(network, source.train_images[chosen].to(device), chunk=attacked.chunk),
        "training.labels": source.train_labels[chosen].numpy(),
        "test.labels": attacked.outputs["labels"][known],
    }
    kinds = {kind: images.to(device) for kind, images in unknown_images(attacked, settings).items()}
    said = {kind: image_outputs(network, images, chunk=attacked.chunk, probes=attacked.probes)
            for kind, images in kinds.items()}  # fmt: skip
    kinds["test"] = source.test_images[torch.from_numpy(known)].to(device)
    said["test"] = {name: attacked.outputs[name][0][known] for name in ("log_y", *summary.OF_C)
                    if name in attacked.outputs}  # fmt: skip
    for kind, images in kinds.items():
        units = temperature.has_units(network)
        logits = temperature.logits(network, images, chunk=attacked.chunk) if units else said[kind]["log_y"]
        arrays[f"{kind}.logits"] = logits
        arrays |= {f"{kind}.{name}": said[kind][name] for name in summary.OF_C if name in said[kind]}
    return arrays


def unknown_images(attacked: Attacked, settings: Any) -> dict[str, torch.Tensor]:
    """Images of no class by kind, (N, C, H, W) uint8: made without a test image; and of other data sets."""
    streams = {kind: generator("calibration", attacked.dataset, kind) for kind in settings.kinds}
    kinds = unknowns.generated(attacked.source.train_images, settings.images, streams)
    for other in settings.other_data:
        borrowed = borrow.borrow(other, os.environ.get("OVERGEN_MIRROR") or None)
        if borrowed.shape != attacked.shape:
            raise OvergenError(
                f"params.yaml, evaluate_calibration.{attacked.dataset}.other_data: images of {other} are "
                f"{borrowed.shape}, those of {attacked.dataset} {attacked.shape}; name data sets of the same shape"
            )
        order = torch.randperm(len(borrowed.test_images), generator=generator("calibration", "data", other))
        kinds[f"data_{other}"] = borrowed.test_images[order[: settings.images]]
    return kinds


def paper_pairs(attacked: Attacked) -> list[tuple[float, float]]:
    """Each τ with its first α, which is the paper's, τ rising."""
    return sorted(dict(reversed(attacked.pairs)).items())


def committed(attacked: Attacked) -> tuple[pd.DataFrame, np.ndarray]:
    """What fooled the network, as the cells of the attacks keep it: a table as of `evidence.successes`, and pictures.

    The images at the paper's α of each τ; of FGN those of the attacks of `OWN_ATTACKS`.
    """
    tables, images = [], []
    for stage in evidence.ATTACKS:
        folder = folder_of(attacked, stage)
        if attacked.model not in attacked.stage.params(evidence.ATTACKED[stage]) or (folder / LEFT_OUT).exists():
            continue
        table, pictured = evidence.successes(folder, attacked.seeds[0])
        chosen = table["tau"].map(dict(paper_pairs(attacked))) == table["alpha"]
        if not attacked.reconstructs:
            chosen |= True  # α has no part in y, though cells of evolution have one
        if stage in OWN_ATTACKS:
            chosen &= table["variant"].isin(OWN_ATTACKS[stage])
        tables.append(table[chosen])
        images.append(pictured[chosen.to_numpy()])
    return pd.concat(tables, ignore_index=True).drop(columns=["score", "fooled"]), np.concatenate(images)


def scores_of(attacked: Attacked, table: pd.DataFrame, images: np.ndarray, networks: Mapping[str, nn.Module]) -> Arrays:
    """ỹ_t of images (N, H, W) or (N, H, W, 3) by some networks, (N,) each. table: their alpha and target."""
    rows, targets, alphas = np.arange(len(table)), table["target"].to_numpy(), table["alpha"].to_numpy()
    found = {}
    for name, network in networks.items():
        scores = scores_of_images(
            network, images, alphas, beta=attacked.beta, probes=attacked.probes, device=attacked.stage.device
        )
        found[name] = scores[rows, targets] if len(table) else np.zeros(0)
    return found


def blocks_of(attacked: Attacked, settings: Any) -> list[Block]:
    """The trials of `fool_gradient` that are made anew, at the paper's α of each τ. settings: of the attack."""
    trials = list(product(settings.starts, attacked.targets(settings.classes), range(settings.restarts)))
    in_turn = in_blocks(trials, attacked.side_by_side(settings.block))
    return [
        Block(f"tau{pair[0]:g}.{i}", attacked.seeds[0], pair, some)
        for pair in paper_pairs(attacked)
        for i, some in enumerate(in_turn)
    ]


def trial_table(
    attacked: Attacked, settings: Any, calibrated: nn.Module, blocks: list[Block], outcomes: list[Arrays]
) -> tuple[pd.DataFrame, Arrays]:
    """The new trials, a row each as in fool_gradient, and the pictures that fooled.

    Two further columns: step_before, after how many updates the same trial fooled the network as it was, empty where it
    did not; score_in_8_bits, of the calibrated network, of the pictures that fooled it.
    """
    table = gather(blocks, outcomes, settings.attack.attacks)
    images = np.concatenate([outcome["image"] for outcome in outcomes])
    hits = np.flatnonzero(table["step"].notna())
    saved = pictures.rounded(images[hits], attacked.shape)
    table["score_in_8_bits"] = np.nan
    again = scores_of(attacked, table.iloc[hits], pictures.images(saved), {"calibrated": calibrated})
    table.loc[hits, "score_in_8_bits"] = again["calibrated"]
    folder = folder_of(attacked, "fool_gradient")
    return summary.with_steps_before(table, pd.read_csv(folder / "trials.csv"), folder), {"trial": hits, "image": saved}


def write(
    attacked: Attacked,
    settings: Any,
    rows: list[dict[str, Any]],
    *,
    tables: dict[str, pd.DataFrame],
    successes: Arrays | None = None,
) -> None:
    """Write the cell. Its budget has that of the attacks whose images were scored again, too."""
    spent: dict[str, int] = {name: getattr(settings, name) for name in ("resamples", "training_images", "images")}
    spent |= {"attack.restarts": settings.attack.restarts, "attack.attacks": len(settings.attack.attacks)}
    spent["attack.updates"] = sum(each.updates for each in settings.attack.attacks)
    own = {f"evaluate_calibration.{attacked.dataset}.{name}": count for name, count in spent.items()}
    _, metadata = registry.trained(attacked.dataset, attacked.model)
    attacks = tables["kept"]["attack"].unique() if "kept" in tables else ()
    before = [read_json(folder_of(attacked, attack) / "metrics.json")["budget"] for attack in attacks]
    budget = evidence.smallest_budget([metadata["budget"], *before]) | own
    results.write(attacked.stage.cell, budget=budget, metrics=rows, tables=tables, successes=successes)


def folder_of(attacked: Attacked, attack: str) -> Path:
    """The cell of an attack on the model."""
    return Path("reports/cells", attacked.dataset, attack, attacked.model)
