"""A network from elsewhere put into the study: what `overgen adopt` does."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overgen import OvergenError, arguments
from overgen.fool import at_hand
from overgen.models.adopted import Adopted, open_network
from overgen.run import params
from overgen.run.edits import with_values
from overgen.run.files import replace_directory, write_text

LISTS = ("attacked", "evolved")  # where a network goes unless others are named; a black box only where no gradient is
NO_GRADIENT = ("evolved",)
OF_INPUT = ("mean", "std", "scale", "layout", "channels", "size", "dtype")


def adopt(
    what: str,
    cell: str,
    *,
    weights: Path | None = None,
    module: str | None = None,
    into: Sequence[str] | None = None,
    root: Path = Path(),
    **options: Any,
) -> tuple[Adopted, list[str]]:
    """Check a network, copy its files to models/<dataset>/adopted/<name>/, and write it into params.yaml.

    what, weights, module, options: of `open_network`. cell: "<dataset>/<name>". into: the lists of params.yaml that get
    the name beside `adopted`; by default `LISTS`, of a black box those that need no gradient.
    Returns the network and the lists. Nothing is written unless all of it can be.
    Raises OvergenError as `open_network` does; for a data set or a list that params.yaml does not have, a name that is
    taken, and a network that some list cannot take.
    """
    dataset, _, name = cell.partition("/")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise OvergenError(f"--as {cell}: must be DATASET/NAME, a name of small letters, digits and _: mnist/mine")
    target = root / "params.yaml"
    settings = params.load(target)
    if dataset not in settings.datasets:
        known = ", ".join(settings.datasets)
        raise OvergenError(f"--as {cell}: params.yaml has no data set {dataset!r}; it has {known}")
    if name in settings.models and settings.models[name].model_dump().get("network") != "adopted":
        raise OvergenError(f"--as {cell}: params.yaml has a model {name!r}, which is trained here; choose another name")
    source = at_hand(dataset)
    network = open_network(
        what, weights=weights, module=module, shape=source.shape, classes=len(source.classes),
        class_names=source.classes, **options,
    )  # fmt: skip
    lists = list(dict.fromkeys(into if into is not None else LISTS if network.differentiable else NO_GRADIENT))
    if unfit := [each for each in lists if each not in settings.sections or params.module_of(each)]:
        raise OvergenError(f"--into {unfit[0]}: params.yaml has no such list")
    if not network.differentiable and "attacked" in lists:
        raise OvergenError(f"{what}: is a black box, and what is in attacked needs a gradient; --into evolved")
    folder = Path("models", dataset, "adopted", name)
    entry = entry_of(what, folder, network, dataset, given=options)
    text = with_values(target, _changes(settings, name, entry, lists))
    params.load(target, text=text)
    with replace_directory(root / folder) as temporary:
        for path in network.files:
            shutil.copyfile(path, temporary / path.name)
    write_text(target, text)
    return network, ["adopted", *lists]


def entry_of(
    what: str,
    folder: Path,
    network: Adopted,
    dataset: str,
    *,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """The network's entry in `models` of params.yaml: what was given, and what its outputs were found to be."""
    entry: dict[str, Any] = {"network": "adopted", "file": (folder / network.files[0].name).as_posix()}
    source = next((path.name for path in network.files if path.suffix == ".py"), None)
    if source is not None:
        entry["module"] = f"{(folder / source).as_posix()}:{network.metadata['module']}"
    if what.startswith("torchvision/") or what in arguments.PACKAGED:
        entry["package"] = what
    entry |= {"sha256": network.metadata["files"], "datasets": [dataset], "outputs": network.outputs}
    for key in ("options", "output", "features", "unsafe_pickle", *OF_INPUT):
        value = given.get(key)
        if value is not None and value != {}:
            entry[key] = list(value) if isinstance(value, tuple) else value
    return entry


def _changes(
    settings: params.Params, name: str, entry: dict[str, Any], lists: Sequence[str]
) -> dict[tuple[str, ...], Any]:
    """What changes in params.yaml, by key path."""
    changes: dict[tuple[str, ...], Any] = {("models", name): entry}
    for key in ("adopted", *lists):
        if name not in (names := settings.names(key)):
            changes[(key,)] = [*names, name]
    if "attacked" in lists and "fool_fgn" in settings.sections:  # which has a line for each
        for dataset, section in settings.fool_fgn.items():
            if name not in section.models:
                changes["fool_fgn", dataset, "models", name] = {}
            if isinstance(section.updates, dict) and name not in section.updates:  # as many as any other
                changes["fool_fgn", dataset, "updates", name] = max(section.updates.values())
    return changes
