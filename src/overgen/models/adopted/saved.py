"""Adopted networks as they lie beside trained ones: their files as they came, and `adopted.json` about them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from overgen import OvergenError
from overgen.models.adopted.network import Adopted
from overgen.models.adopted.opened import open_network, sha256
from overgen.models.weights import ADOPTED
from overgen.run.files import read_json, write_json

BUDGET = {"adopt.trained_elsewhere": 1}  # in place of epochs


def save(folder: Path, network: Adopted, files: Mapping[str, Path], *, dataset: str, model: str) -> None:
    """Write a network into a folder. files: by the names in its `metadata["files"]`, where they lie now."""
    for name in network.metadata["files"]:
        shutil.copyfile(files[name], folder / name)
    about = {"dataset": dataset, "model": model, "network": "adopted", "budget": BUDGET}
    write_json(folder / ADOPTED, about | network.metadata)


def load(folder: Path, *, dataset: str, model: str) -> tuple[Adopted, dict[str, Any]]:
    """The network of a folder that `save` wrote, checked, and what `adopted.json` says of it.

    Raises OvergenError if it is another model's, a file of it is missing or another than it was, or a check fails.
    """
    about = read_json(folder / ADOPTED)
    again = f"`dvc repro adopt@{dataset}-{model}` makes it again"
    try:
        if (about["dataset"], about["model"], about["network"]) != (dataset, model, "adopted"):
            other = f"{about['dataset']}/{about['model']}"
            raise OvergenError(f"{folder / ADOPTED}: is of {other}, not {dataset}/{model}; {again}")
        for name, digest in about["files"].items():
            if not (folder / name).is_file():
                raise OvergenError(f"{folder / name}: missing; {again}")
            if sha256(folder / name) != digest:
                raise OvergenError(f"{folder / name}: is not the file that was adopted (its SHA-256 differs); {again}")
        first, *others = about["files"]
        source = next((name for name in others if name.endswith(".py")), None)
        packaged = "/" in about["kind"] or about["kind"].startswith("efficientnet")
        with redirect_stderr(io.StringIO()):  # what was said when it was adopted
            network = open_network(
                about["kind"] if packaged else folder / first,
                weights=folder / first if packaged else None,
                module=f"{folder / source}:{about['module']}" if source else None,
                options=about["options"],
                shape=about["shape"],
                classes=about["classes"],
                class_names=about["class_names"],
                outputs=about["outputs"],
                output=about["output"],
                features=about["features"],
                unsafe_pickle=about["unsafe_pickle"],
                **about["input"],
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise OvergenError(f"{folder / ADOPTED}: does not say what it must ({error!r}); {again}") from error
    network.name = f"{dataset}/{model}"
    return network, about
