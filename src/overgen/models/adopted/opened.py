"""Any network from elsewhere by what a user calls it: a file, a package, a name of torchvision's."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overgen import OvergenError
from overgen.models.adopted import estimators, packages, programs
from overgen.models.adopted.inputs import Input
from overgen.models.adopted.modules import in_file, split, whole_module
from overgen.models.adopted.network import Adopted
from overgen.models.adopted.opening import Opened

FILES = "a state dictionary (.pt, .pth, .safetensors) with its network, .pt2, .ts, .onnx, .joblib or .pkl"


def open_network(
    what: str | Path,
    *,
    weights: Path | None = None,
    module: str | None = None,
    options: Mapping[str, Any] | None = None,
    shape: Sequence[int] | None = None,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    outputs: str | None = None,
    output: str | int | None = None,
    features: str | None = None,
    unsafe_pickle: bool = False,
    **input: Any,
) -> Adopted:
    """A network from elsewhere, checked.

    what: a file; "torchvision/<name>"; "efficientnet-lite0", 1 or 2; or "<file>.py:<Name>" with `weights`.
    weights: a file of them, where `what` is a name. module: "<file>.py:<Name>", the module that a state dictionary is
    of; options: the arguments of its constructor.
    shape: (C, H, W) of the images, where the file does not say it or the images are others; classes, class_names: what
    there must be. features: the layer whose output are its features, see `features.seen`.
    outputs, output: see `Adopted.of`. input: the fields of `Input` that are not what the file says.
    unsafe_pickle: read pickles, which can run any code.
    Raises OvergenError as `Adopted.of` does, and for files that are missing, broken, unsafe, or do not fit.
    """
    if str(what).rpartition(":")[0].endswith(".py"):
        if weights is None:
            raise OvergenError(f"{what}: needs its weights: --weights FILE")
        what, weights, module = weights, None, str(what)
    found = opened(what, weights, module, options=options or {}, classes=classes, unsafe=unsafe_pickle)
    name = str(what)
    taken = found.input.changed(**{key: value for key, value in input.items() if value is not None})
    inner = found.shape
    if shape is None and inner is None:
        raise OvergenError(f"{name}: does not say for which images it is: give --shape CHANNELS,HEIGHT,WIDTH")
    size = (int(shape[0]), int(shape[1]), int(shape[2])) if shape is not None else inner
    assert size is not None
    if inner is not None and found.any_size and taken.size is None:
        inner = (inner[0], *size[1:])
    if inner is not None and taken.of(size) != inner:
        taken = _fitted(taken, size, inner, name)
    names = _names(class_names, found.class_names, name)
    network = Adopted.of(
        found.function,
        shape=size,
        name=name,
        input=taken,
        outputs=outputs or found.outputs,
        output=found.output if output is None else output,
        features=features,
        batch=found.batch,
        classes=classes,
        class_names=names,
    )
    network.files = found.files
    network.metadata = described(network, found, module=module, options=options or {}, unsafe=unsafe_pickle)
    return network


def opened(
    what: str | Path,
    weights: Path | None,
    module: str | None,
    *,
    options: Mapping[str, Any],
    classes: int | None,
    unsafe: bool,
) -> Opened:
    """The network as its files hold it; arguments as of `open_network`."""
    text = str(what)
    group, _, name = text.partition("/")
    if group == "torchvision" and name:
        return packages.torchvision(name, weights, unsafe=unsafe)
    if text in packages.LITE:
        return packages.efficientnet_lite(text, weights, unsafe=unsafe)
    path = Path(what)
    if not path.is_file():
        others = f"torchvision/<name>, {', '.join(packages.LITE)}"
        raise OvergenError(f"{path}: missing; a network is a file, {FILES}, or one of {others}")
    if module is not None:
        return in_file(module, path, options=options, classes=classes, unsafe=unsafe)
    if path.suffix in estimators.SUFFIXES:
        return estimators.estimator(path, unsafe=unsafe)
    readers = {"export": programs.export_program, "torchscript": programs.torchscript, "onnx": programs.onnx}
    if kind := programs.kind_of(path):
        return readers[kind](path)
    return whole_module(path, unsafe=unsafe)


def _names(wanted: Sequence[str] | None, found: Sequence[str] | None, name: str) -> Sequence[str] | None:
    """The names of the classes. Raises OvergenError where those that are wanted are those of the file in another order.

    Other names are taken for other words.
    """
    if wanted is None or found is None or list(wanted) == list(found):
        return found if wanted is None else wanted
    if set(wanted) == set(found):
        raise OvergenError(
            f"{name}: its classes come in the order {', '.join(found[:5])} …, those of the data in the order "
            f"{', '.join(wanted[:5])} …; name the folders of the classes so that both are the same"
        )
    return wanted


def _fitted(taken: Input, shape: tuple[int, int, int], inner: tuple[int, int, int], name: str) -> Input:
    """The input with channels and size changed to what the network takes, which is said."""
    changes: dict[str, Any] = {}
    if shape[0] != inner[0] and {shape[0], inner[0]} == {1, 3}:
        changes["channels"] = inner[0]
    if shape[1:] != inner[1:]:
        changes["size"] = inner[1:]
    fitted = taken.changed(**changes)
    if fitted.of(shape) != inner:
        raise OvergenError(
            f"{name}: takes images of {inner}, not of {shape}, and no --channels or --size makes them so"
        )
    said = ", ".join(f"{key} {value}" for key, value in changes.items())
    print(f"{name}: takes images of {inner}; those of {shape} become that inside it ({said})", file=sys.stderr)
    return fitted


def described(
    network: Adopted, found: Opened, *, module: str | None, options: Mapping[str, Any], unsafe: bool
) -> dict[str, Any]:
    """What adopted.json says of a network: all that opens it again from its files, and what it is."""
    return {
        "kind": found.kind,
        "files": {path.name: sha256(path) for path in found.files},
        "module": None if module is None else split(module)[1],
        "options": dict(options),
        "unsafe_pickle": unsafe,
        "shape": list(network.shape),
        "input": network.input.described(),
        "outputs": network.outputs,
        "output": network.output,
        "features": network.features_layer and network.features_layer.removeprefix("function."),
        "classes": network.classes,
        "class_names": None if network.class_names is None else list(network.class_names),
        "differentiable": network.differentiable,
        "parameters": network.parameter_count,
        "resize": found.resize,
        "interpolation": found.interpolation,
    }


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
