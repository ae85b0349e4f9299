"""Train autoencoders of every size of the code: plain, denoising, linear, variational, and with two losses.

    python -m overgen.run train_codes --dataset mnist --model codes

Reads: data/<dataset>.
Writes: models/<dataset>/codes/<kind>_k<size>_seed<seed>.safetensors, the weights of each; `overgen.models.codes` loads
them. And the cell: curves.csv, a row a network and epoch; the error of each kind and size after the last.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from overgen import OvergenError, data
from overgen.data.corruptions import corrupted
from overgen.measures.means import mean_row
from overgen.measures.outputs import part
from overgen.models import codes
from overgen.run import results
from overgen.run.devices import limited_to
from overgen.run.files import replace_directory
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.train_codes.module import CodeTraining
from overgen.stages.train_codes.params import Member, members_of
from overgen.training.members import curve_arrays, save_member, train_together, weight_arrays

COLUMNS = ["network", "kind", "size", "seed", "epoch", "loss", "test_error", "test_psnr"]


def main(stage: Stage) -> None:
    """Write weights and the cell."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(key := f"train_codes.{source.name}")
    for name, there in (("images", source.train_images), ("test_images", source.test_images)):
        if (asked := getattr(settings, name)) > len(there):
            raise OvergenError(f"params.yaml, {key}.{name}: {asked}, but {source.name} has {len(there)}")
    members = members_of(settings)
    with limited_to(settings.threads):
        trained = stage.members([m.name for m in members], lambda i, run: train(stage, run, members[i]))
    if stage.rank != 0:
        return
    budget = {f"{key}.images": settings.images, f"{key}.epochs": settings.epochs}
    with replace_directory(codes.folder(source.name)) as folder:
        for member, arrays in zip(members, trained, strict=True):
            save_member(folder / f"{member.name}.safetensors", arrays, about(stage, member, budget))
    curves = [
        pd.DataFrame(part(arrays, "curve")).assign(network=m.name, kind=m.kind, size=m.size, seed=m.seed)
        for m, arrays in zip(members, trained, strict=True)
    ]
    table = pd.concat(curves)[COLUMNS].astype({"epoch": int})
    own = {kind: {f"{key}.codes.{kind}.epochs": c.epochs} for kind, c in settings.codes.items() if c.epochs}
    results.write(stage.cell, budget=budget, metrics=rows(table, own), tables={"curves": table})


def network_of(member: Member, settings: Any, pixels: int) -> dict[str, Any]:
    """What `codes.build` takes. settings: the section; pixels: of an image."""
    network = settings.codes[member.kind].network
    hidden = {} if network == "linear" else {"hidden": settings.hidden}
    return {"network": network, "pixels": pixels, "size": member.size} | hidden


def about(stage: Stage, member: Member, budget: dict[str, int]) -> dict[str, Any]:
    """What stands in the file of a network besides its weights."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"train_codes.{source.name}")
    described = settings.codes[member.kind]
    own = {f"train_codes.{source.name}.epochs": described.epochs} if described.epochs else {}
    return {
        "dataset": source.name,
        "name": member.name,
        "kind": member.kind,
        "size": member.size,
        "seed": member.seed,
        "network": network_of(member, settings, math.prod(source.shape)),
        "shape": list(source.shape),
        "loss": described.loss,
        "noise_std": described.noise_std(stage.params(f"training.{source.name}")),
        "budget": budget | own,
    }


def train(stage: Stage, run: Any, member: Member) -> dict[str, np.ndarray]:
    """One network: its `weight.*` and its `curve.*`. run: to log to."""
    source = data.load(stage.item["dataset"])
    settings = stage.params(f"train_codes.{source.name}")
    described = settings.codes[member.kind]
    sigma = described.noise_std(stage.params(f"training.{source.name}"))
    # Not the kind: where two differ in the loss or in the noise alone, all else is the same.
    key = (source.name, "codes", member.size, member.seed)
    network = codes.build(network_of(member, settings, math.prod(source.shape)))
    network.initialise(generator(*key, "weights"))
    clean = data.floats(source.test_images[: settings.test_images])
    given = corrupted(clean, "gaussian", sigma, source.name)
    module = CodeTraining(
        network.to(stage.device),
        source.train_images[: settings.images].to(stage.device),
        loss=described.loss,
        tested=(clean.flatten(1).to(stage.device), given.flatten(1).to(stage.device)),
        key=key,
        batch_size=settings.batch_size,
        learning_rate=described.learning_rate or settings.learning_rate,
        noise_std=sigma,
    )
    epochs = described.epochs or settings.epochs
    trained, curves = train_together(stage, [run], {member.name: module}, epochs=epochs, precision="32")[0]
    return weight_arrays(trained) | curve_arrays(curves)


def rows(curves: pd.DataFrame, own: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """The error of each kind and size after its last epoch, a mean over seeds.

    curves: a row a network and epoch; own: what kinds spent in place of the cell's budget.
    """
    last = curves.groupby("network", sort=False).tail(1)
    made = []
    for kind, size in last[["kind", "size"]].drop_duplicates().itertuples(index=False):
        group = last[(last["kind"] == kind) & (last["size"] == size)]
        metric = results.metric("test_error", kind=kind, size=size)
        values = group["test_error"].to_numpy()
        row = mean_row("codes", metric, values, unit="squared error per pixel", over="seeds", bounds=(0, np.inf))
        made.append(row | ({"budget": own[kind]} if kind in own else {}))
    return made
