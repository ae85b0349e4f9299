"""Take in a network that was trained elsewhere: its file, what it says of the test images, accuracy and calibration.

    python -m overgen.run adopt --dataset mnist --model mine

Reads: data/<dataset>, and the files that models.<model> in params.yaml names, which must have the SHA-256 given there.
Writes: models/<dataset>/networks/<model>/: the files as they came; adopted.json, what the network is; outputs.npz, what
it says of the test images.
And the cell: about.csv, what the network is; reliability.csv, a row a bin; accuracy and calibration.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overgen import OvergenError, data
from overgen.data import Dataset
from overgen.measures.outputs import image_outputs
from overgen.measures.thresholds import threshold_pairs
from overgen.models.adopted import Adopted, open_network, saved
from overgen.models.adopted.opened import sha256
from overgen.models.params import AdoptedModel
from overgen.models.weights import network_folder
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.stages.adopt import summary


def main(stage: Stage) -> None:
    """Write the network's folder and the cell."""
    dataset, model = data.load(stage.item["dataset"]), stage.item["model"]
    described, settings = stage.params(f"models.{model}"), stage.params("adopt")
    chunk, probes = (stage.params(f"engine.{dataset.name}.{name}") for name in ("chunk", "probes"))
    network = adopted(model, described, dataset)

    def evaluate(i: int, run: object) -> dict[str, np.ndarray]:
        on_device = network.to(stage.device)
        return image_outputs(on_device, dataset.test_images.to(stage.device), chunk=chunk, probes=probes)

    members = stage.members(["network"], evaluate)
    if stage.rank != 0:
        return
    labels = dataset.test_labels.numpy()
    outputs = {"labels": labels, "seeds": np.zeros(1, np.int64)} | {k: v[None] for k, v in members[0].items()}
    with replace_directory(network_folder(dataset.name, model)) as folder:
        files = {name: next(path for path in paths(described) if path.name == name) for name in described.sha256}
        saved.save(folder, network, files, dataset=dataset.name, model=model)
        write_npz(folder / "outputs.npz", **outputs)
    confidence = stage.params(f"confidence.{dataset.name}")
    pairs = threshold_pairs(confidence.thresholds, reconstructs=False)
    rows, diagram = summary.cell(outputs, pairs, settings.bins, settings.resamples, key=(dataset.name, model))
    tables = {"about": summary.about(network), "reliability": diagram}
    results.write(stage.cell, budget=saved.BUDGET, metrics=rows, tables=tables)


def paths(described: AdoptedModel) -> list[Path]:
    """Where a network's files are: that of its weights, that of its class, and what stands beside these."""
    first = Path(described.file)
    found = [first, *([Path(described.module.rpartition(":")[0])] if described.module else [])]
    return [*found, *(first.with_name(name) for name in described.sha256 if name not in {path.name for path in found})]


def adopted(model: str, described: AdoptedModel, dataset: Dataset) -> Adopted:
    """The network that params.yaml describes, checked, for a data set.

    Raises OvergenError as `open_network` does, and for a file that is missing or has another SHA-256 than is given.
    """
    key = f"params.yaml, models.{model}.sha256"
    for path in paths(described):
        if not path.is_file():
            raise OvergenError(f"{path}: missing; params.yaml, models.{model} names it")
        if (digest := sha256(path)) != described.sha256.get(path.name):
            given = described.sha256.get(path.name, "none")
            raise OvergenError(f"{path}: its SHA-256 is {digest}, and {key} says {given}; put it there if it is meant")
    network = open_network(
        described.package or described.file,
        weights=Path(described.file) if described.package else None,
        module=described.module,
        options=described.options,
        shape=dataset.shape,
        classes=len(dataset.classes),
        class_names=dataset.classes,
        outputs=described.outputs,
        output=described.output,
        features=described.features,
        unsafe_pickle=described.unsafe_pickle,
        **described.input(),
    )
    if lacking := set(network.metadata["files"]) - set(described.sha256):
        raise OvergenError(f"{key}: lacks {', '.join(sorted(lacking))}, which the network is read from, too")
    return network
