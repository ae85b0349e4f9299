"""Take the classifier out of a trained denoising autoencoder: a control in which nothing but the gate is missing.

    python -m overgen.run remove_gate --dataset mnist --model dae_sym

The new model <dae>_gate_off has the encoder's and the classifier's weights, and no decoder; so ỹ = y. Where it is
fooled and the dAE is not, the confidence c̃ makes the difference; where neither is, the training does.

Reads: data/<dataset>; models/<dataset>/networks/<dae>/, the weights of each seed.
Writes: models/<dataset>/networks/<dae>_gate_off/: weights; outputs.npz, what they say of the test images. And the cell:
the accuracy on the test images.
"""

from __future__ import annotations

import numpy as np

from overgen import data
from overgen.measures.outputs import image_outputs
from overgen.models import registry
from overgen.models.weights import network_folder, save_weights
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.stages.remove_gate.params import GATE_OFF
from overgen.training.members import network_options


def main(stage: Stage) -> None:
    """Write weights, outputs and the cell."""
    if stage.rank != 0:
        return
    dataset, base = stage.item["dataset"], stage.item["model"]
    source, model = data.load(dataset), base + GATE_OFF
    engine, seeds = stage.params(f"engine.{dataset}"), stage.params(f"remove_gate.{dataset}.seeds")
    options = network_options(stage.params(f"models.{model}"), len(source.classes))
    images, outputs = source.test_images.to(stage.device), []
    with replace_directory(network_folder(dataset, model)) as folder:
        for seed in seeds:
            whole, about = registry.trained(dataset, base, seed)
            weights, path = whole.state_dict(), folder / f"seed{seed}.safetensors"
            own = {name: weights[name] for name in registry.build(**options).state_dict()}
            common = {"model": model, "dataset": dataset, "network": options, "budget": about["budget"], "seed": seed}
            save_weights(path, own, common)
            classifier, _ = registry.of_model(path, dataset, model, device=stage.device, seed=seed)
            outputs.append(image_outputs(classifier, images, chunk=engine.chunk, probes=engine.probes))
        stacked = {name: np.stack([each[name] for each in outputs]) for name in outputs[0]}
        write_npz(folder / "outputs.npz", labels=source.test_labels.numpy(), seeds=np.array(seeds), **stacked)
    hits = [int((each["log_y"].argmax(1) == source.test_labels.numpy()).sum()) for each in outputs]
    row = results.rate_row("train", "test_accuracy", hits, len(images), of="test images", model=model)
    results.write(stage.cell, budget=about["budget"], metrics=[row], tables={})
