"""Training the members of a cell, and what the training stages write of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from overgen import OvergenError, data
from overgen.measures.accuracy import NO_LABELS
from overgen.measures.outputs import image_outputs, part
from overgen.models import SHAPE, check_shape, registry
from overgen.models.params import OF_TRAINING
from overgen.models.weights import network_folder, round_weights, save_weights
from overgen.run import results
from overgen.run.files import replace_directory, write_npz
from overgen.run.stage import Stage
from overgen.run.tracking import lightning_logger
from overgen.training.module import Training
from overgen.training.together import Together


def network_options(model: Any, classes: int) -> dict[str, Any]:
    """The arguments of `registry.build` for a network.

    model: its entry in the section `models` of params.yaml; classes: of the data set.
    """
    options = {k: v for k, v in model.model_dump().items() if k not in OF_TRAINING}
    return options if options["network"] == "autoencoder" else options | {"classes": classes}


def fit(
    stage: Stage,
    run: Any,
    images: Tensor,
    labels: Tensor,
    *,
    member: str,
    key: tuple[object, ...],
    epochs: int,
    classes: int,
    model: Any = None,
    training: Any = None,
) -> tuple[nn.Module, pd.DataFrame]:
    """Train a model on some images; a killed training goes on from its last whole epoch.

    stage: the cell at work; run: to log to.
    images: (N, C, H, W) uint8; labels: (N,) int64 in 0..classes−1.
    member: names the progress file; key: names the random streams.
    epochs: passes over the images; classes: of the data set.
    model, training: sections of params.yaml, by default that of the stage's model and `training_of` the stage.
    Returns the network, in evaluation mode with float16-rounded weights, and its curves: a row an epoch with loss,
    classification_loss, reconstruction_loss and accuracy (a fraction).
    Raises OvergenError if the loss stops being finite.
    """
    module = prepare(stage, images, labels, key=key, classes=classes, model=model, training=training)
    return train_together(stage, [run], {member: module}, epochs=epochs)[0]


def prepare(
    stage: Stage,
    images: Tensor,
    labels: Tensor,
    *,
    key: tuple[object, ...],
    classes: int,
    model: Any = None,
    training: Any = None,
    of_images: int | None = None,
) -> Training:
    """The training of one member of the stage's cell, before its first step; arguments as in `fit` and `Training`.

    Raises OvergenError if an image has no label, or the network cannot take such images.
    """
    model = model or stage.params(f"models.{stage.item['model']}")
    dataset, shape = stage.item.get("dataset", "of the stage"), images.shape[1:]
    if model.network in registry.NETWORKS:
        check_shape(model.network, shape, dataset)
    labelled = int((labels >= 0).sum())
    if labelled < max(1, len(labels)):
        raise OvergenError(
            f"data set {dataset}: of {len(labels)} training images {labelled} have a label, and {stage.item['model']} "
            "cannot be trained on the others; label them, leave them out, or adopt a trained network"
        )
    settings = training or training_of(stage)
    options = network_options(model, classes)
    network = registry.initialised(options.pop("network"), options, key)
    registry.checked(network, f"models.{stage.item['model']}, {model.network}", classes, shape)
    if stage.device.type == "cpu":
        network = network.to(memory_format=torch.channels_last)
    network = network.to(stage.device)
    denoises = hasattr(model, "reconstruction_weight")
    noisy = denoises or getattr(model, "classifier_input", "clean") == "noisy"
    return Training(
        network,
        images.to(stage.device),
        labels.to(stage.device),
        key=key,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        l2=settings.l2,
        of_images=of_images,
        noise_std=settings.noise_std if noisy else 0.0,
        draws=model.network not in registry.NETWORKS and registry.draws_in_training(network, shape),
        **({name: getattr(model, name) for name in OF_TRAINING if hasattr(model, name)} if denoises else {}),
    )


def training_of(stage: Stage) -> Any:
    """The `training` section of the stage's data set, with what the stage's own section changes for its model."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    training = stage.params(f"training.{dataset}")
    changes = getattr(stage.params(f"{stage.name}.{dataset}"), "training", {}).get(model)
    return changes.of(training) if changes else training


def train_together(
    stage: Stage, runs: Sequence[Any], members: Mapping[str, Training], *, epochs: int, precision: str | None = None
) -> list[tuple[nn.Module, pd.DataFrame]]:
    """Train members, in one `Together` if there are several; a killed training goes on from its last whole epoch.

    stage: the cell at work; runs: one for each member, to log to; members: by name.
    epochs: passes over the images; precision: the engine's, unless given.
    Returns for each what `fit` does for one.
    Raises OvergenError if a loss stops being finite; it names the member.
    """
    from pytorch_lightning.callbacks import ModelCheckpoint

    dataset = stage.item["dataset"]
    precision = precision or stage.params(f"engine.{dataset}").precision
    check_precision(precision, stage.device)
    first, *rest = members
    name = f"{first} and {len(rest)} more" if rest else first
    module = Together(members) if rest else members[first]
    progress = stage.progress / f"{first}.epochs"
    last = progress / "last.ckpt"
    if last.exists() and not _readable(last):
        last.unlink()
    if last.exists():
        print(f"{stage.name}: {name} goes on from its last whole epoch", file=sys.stderr)
    keep = ModelCheckpoint(dirpath=progress, filename="last", save_top_k=1, enable_version_counter=False)
    trainer = stage.trainer(
        epochs=epochs,
        precision="32-true" if precision == "32" else precision,
        callbacks=[keep],
        enable_checkpointing=True,
        reload_dataloaders_every_n_epochs=1,
        logger=[lightning_logger(run) for run in runs],
        num_sanity_val_steps=0,
    )
    try:
        trainer.fit(module, ckpt_path=str(last) if last.exists() else None, weights_only=False)
    except FloatingPointError as error:
        raise OvergenError(
            f"{stage.name} {dataset}/{stage.item['model']}, {name}: {error}; lower training.{dataset}.learning_rate "
            'or set engine precision to "32" in params.yaml'
        ) from error
    if isinstance(module, Together):
        module.unstack()
    trained = []
    for label, member in members.items():
        network = member.network.to(stage.device).eval().requires_grad_(False)  # Lightning leaves it on the CPU
        round_weights(network)
        shape = member.images.shape[1:]
        registry.checked(network, f"models.{stage.item['model']}, {label}, trained", shape=shape)
        trained.append((network, pd.DataFrame(member.curves)))
    return trained


def check_precision(precision: str, device: torch.device) -> None:
    """Raises OvergenError for bfloat16 on a processor that only emulates it (seen: 8 times slower than float32)."""
    if precision != "bf16-mixed" or device.type != "cpu":
        return
    capable = torch.cpu.get_capabilities()
    if not (capable.get("avx512_bf16") or capable.get("amx_bf16") or capable.get("bf16")):
        raise OvergenError(
            "params.yaml, engine.*.precision: this processor emulates bfloat16, which is slower than float32. "
            'Set it to "32" for this data set.'
        )


def _readable(checkpoint: Any) -> bool:
    try:
        torch.load(checkpoint, weights_only=False, map_location="cpu")
    except Exception:  # cut by a kill in the middle of a write: any error at all means it is of no use
        return False
    return True


def member_arrays(network: nn.Module, curves: pd.DataFrame, images: Tensor, engine: Any) -> dict[str, np.ndarray]:
    """A trained member as arrays for its progress file: `weight.*`, `curve.*` and `output.*`.

    network: as `fit` returns it; curves: a row an epoch; images: (N, C, H, W) uint8, on the network's device, that the
    outputs are of; engine: the section of params.yaml.
    """
    outputs = image_outputs(network, images, chunk=engine.chunk, probes=engine.probes)
    return weight_arrays(network) | curve_arrays(curves) | {f"output.{k}": v for k, v in outputs.items()}


def weight_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a network as `weight.*`: float16, and counters as they are."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    return {f"weight.{k}": v.detach().cpu().numpy() for k, v in state.items()}


def curve_arrays(curves: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of curves as `curve.*`."""
    return {f"curve.{name}": curves[name].to_numpy() for name in curves}


def restore(stage: Stage, arrays: dict[str, np.ndarray]) -> nn.Module:
    """The trained network of a member from its arrays, float32, in evaluation mode."""
    classes = len(data.load(stage.item["dataset"]).classes)
    network = registry.build(**network_options(stage.params(f"models.{stage.item['model']}"), classes))
    network.load_state_dict({k: torch.from_numpy(v).float() for k, v in part(arrays, "weight").items()})
    return network.eval().requires_grad_(False)


@dataclass(frozen=True)
class Member:
    """A member of a cell. key: names its random streams; classes: those whose images it is trained on."""

    name: str
    key: tuple[object, ...]
    classes: Sequence[int]


def train_members(
    stage: Stage, members: Sequence[Member], *, epochs: int, test_curve: bool = False
) -> list[dict[str, np.ndarray]]:
    """Train the stage's model once for each member, `engine.*.together` of them at a time, alike in size.

    Images without a label take no part. test_curve: whether their curves hold the accuracy on the test images; nothing
    that is trained hangs on it.
    Returns their `member_arrays` (outputs are of the test images), in order, on rank 0.
    """
    source = data.load(stage.item["dataset"])
    engine = stage.params(f"engine.{source.name}")
    labelled, tested = source.train_labels[source.train_labels >= 0], source.test_labels >= 0
    counts = torch.bincount(labelled, minlength=len(source.classes))

    def train(chunk: Sequence[int], runs: Sequence[Any]) -> list[Any]:
        test_images, test_labels = source.test_images.to(stage.device), source.test_labels.to(stage.device)
        modules = {}
        for member in (members[i] for i in chunk):
            images, labels = data.select(source.train_images, source.train_labels, member.classes)
            modules[member.name] = prepare(
                stage, images, labels, key=member.key, classes=len(source.classes), of_images=len(labelled)
            )
            if test_curve and bool(tested.any()):
                modules[member.name].test = test_images[tested], test_labels[tested]
        trained = train_together(stage, runs, modules, epochs=epochs)
        return [partial(member_arrays, network, curves, test_images, engine) for network, curves in trained]

    largest_first = sorted(range(len(members)), key=lambda i: -int(counts[list(members[i].classes)].sum()))
    size = engine.together_on(stage.device.type)
    if size > 1 and (reason := alone(stage.params(f"models.{stage.item['model']}"), source)):
        print(f"{stage.name}: {stage.item['model']} {reason}: its members train one after another", file=sys.stderr)
        size = 1
    chunks = [largest_first[i : i + size] for i in range(0, len(members), size)]
    return stage.chunks([member.name for member in members], chunks, train)


def alone(model: Any, dataset: data.Dataset) -> str:
    """Why members of a network of the user's own cannot train as one stack, in words; "" if they can.

    model: its entry in the section `models` of params.yaml.
    """
    if model.network in registry.NETWORKS:
        return ""
    options = network_options(model, len(dataset.classes))
    network = registry.initialised(options.pop("network"), options, ("alone",))
    if buffers := [name for name, _ in network.named_buffers()]:
        return f"has buffers ({', '.join(buffers[:3])})"
    return "draws at random in training, as dropout does" if registry.draws_in_training(network, dataset.shape) else ""


def train_seeds(stage: Stage) -> list[dict[str, np.ndarray]]:
    """Train the stage's model on all classes, one member a seed. Returns their `member_arrays`, in order, on rank 0."""
    dataset = data.load(stage.item["dataset"])
    settings = stage.params(f"{stage.name}.{dataset.name}")
    every = range(len(dataset.classes))
    members = [Member(f"seed{seed}", (dataset.name, stage.item["model"], seed), every) for seed in settings.seeds]
    return train_members(stage, members, epochs=epochs_of(stage), test_curve=settings.tests(stage.item["model"]))


def accuracies(stage: Stage, trained: list[dict[str, np.ndarray]]) -> tuple[list[int], int]:
    """How many test images each seed labels right, and how many have a label."""
    labels = data.load(stage.item["dataset"]).test_labels.numpy()
    return [int((t["output.log_y"].argmax(1) == labels).sum()) for t in trained], int((labels >= 0).sum())


def epochs_of(stage: Stage) -> int:
    """For how many epochs the stage trains its model."""
    return stage.for_model(f"{stage.name}.{stage.item['dataset']}.epochs")


def budget(stage: Stage) -> dict[str, int]:
    """What a training stage spends, by params.yaml path."""
    settings = stage.params(key := f"{stage.name}.{stage.item['dataset']}")
    return {f"{key}.epochs": epochs_of(stage), f"{key}.seeds": len(settings.seeds)}


def metadata(stage: Stage, spent: Mapping[str, int]) -> dict[str, Any]:
    """What stands in the weights files of a stage's model besides the weights, common to its members."""
    dataset, model = stage.item["dataset"], stage.item["model"]
    source = data.load(dataset)
    network = network_options(stage.params(f"models.{model}"), len(source.classes))
    shape = {} if source.shape == SHAPE else {"shape": list(source.shape)}
    return {"model": model, "dataset": dataset, "network": network, "budget": spent} | shape


def stacked_outputs(trained: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The `output.*` arrays of members, stacked: (M, ...) each."""
    return {k: np.stack([part(t, "output")[k] for t in trained]) for k in part(trained[0], "output")}


def save_member(path: Path, arrays: dict[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write a trained member's weights and, as their metadata, `about`. path: of the .safetensors file."""
    save_weights(path, {k: torch.from_numpy(v) for k, v in part(arrays, "weight").items()}, about)


def train_classifiers(stage: Stage) -> None:
    """All that a stage does which trains a classifier: its seeds, their weights and outputs, and its cell."""
    trained = train_seeds(stage)
    if stage.rank == 0:
        hits, n = accuracies(stage, trained)
        if not n:
            row = results.row("train", "test_accuracy", None, unit="percent", n=0, note=NO_LABELS)
            return write_trained(stage, trained, [row])
        rows = [results.rate_row("train", "test_accuracy", hits, n, of="test images")]
        if stage.params(f"models.{stage.item['model']}").network == "lenet":  # of which its paper gives the error
            rows.append(
                results.rate_row("test_error", "test_error", [n - right for right in hits], n, of="test images")
            )
        write_trained(stage, trained, rows)


def write_trained(
    stage: Stage,
    trained: list[dict[str, np.ndarray]],
    metrics: list[dict[str, Any]],
    examples: dict[str, np.ndarray] | None = None,
) -> None:
    """Write the weights and outputs of all seeds, and the cell.

    trained: `member_arrays` of each seed; metrics: the rows of the cell; examples: images to show.
    models/<dataset>/networks/<model>/: the weights of each seed, seed<k>.safetensors; and outputs.npz: labels (N,),
    seeds (S,), and the `image_outputs` of the test images stacked over seeds. All of it is published: on another type
    of processor the same weights give outputs of other bytes, and so another study.
    """
    dataset = data.load(stage.item["dataset"])
    settings = stage.params(f"{stage.name}.{dataset.name}")
    common = metadata(stage, budget(stage))
    with replace_directory(network_folder(dataset.name, stage.item["model"])) as folder:
        for seed, arrays in zip(settings.seeds, trained, strict=True):
            save_member(folder / f"seed{seed}.safetensors", arrays, common | {"seed": seed})
        outputs = stacked_outputs(trained)
        write_npz(folder / "outputs.npz", labels=dataset.test_labels.numpy(), seeds=np.array(settings.seeds), **outputs)
    columns = ["seed", "epoch", "loss", "classification_loss", "reconstruction_loss", "accuracy"]
    columns += ["test_accuracy"] * all("curve.test_accuracy" in t for t in trained)
    curves = [pd.DataFrame(part(t, "curve")).assign(seed=s) for s, t in zip(settings.seeds, trained, strict=True)]
    table = pd.concat(curves)[columns].astype({"epoch": int})
    results.write(stage.cell, budget=budget(stage), metrics=metrics, tables={"curves": table}, examples=examples)
