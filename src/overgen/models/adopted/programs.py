"""Programs: torch.export, TorchScript, ONNX."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError
from overgen.models.adopted.archives import check_archive
from overgen.models.adopted.inputs import Input
from overgen.models.adopted.opening import Opened

PIECE = 64  # images at once for a program that has an upper bound
CHANNELS = (1, 3)
LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f])")  # of a TensorProto's external_data, with its length
TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}  # of ONNX


def kind_of(path: Path) -> str:
    """What a file is by what it holds: "export", "torchscript", "onnx", or "" for anything else.

    Raises OvergenError if there is no such file.
    """
    if path.suffix == ".onnx":
        return "onnx"
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError):
        return "export" if path.suffix == ".pt2" else ""
    if "archive_format" in members or path.suffix == ".pt2":
        return "export"
    return "torchscript" if "constants.pkl" in members and any(m.startswith("code/") for m in members) else ""


def export_program(path: Path) -> Opened:
    """A program that torch.export.save wrote, from one tensor of images. One of `overgen export` gives ỹ.

    Raises OvergenError for a file that is broken, could run code of its own, or takes anything else.
    """
    check_archive(path)
    extra = {"overgen.json": ""}
    try:
        program = torch.export.load(path, extra_files=extra)
        module: Any = program.module()
    except Exception as error:  # of many kinds: another version, another device, an unknown operation
        raise OvergenError(f"{path}: torch cannot load this program ({str(error).splitlines()[0]:.200})") from error
    names = program.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    if len(names) != 1 or not isinstance(values.get(str(names[0])), Tensor):
        raise OvergenError(f"{path}: takes {len(names)} inputs; a network takes one, a tensor of images")
    example = values[str(names[0])]
    size, *sides = example.shape
    batch = _piece(program, size) if isinstance(size, torch.SymInt) else int(size)
    dtype = {torch.float32: "float32", torch.uint8: "uint8"}.get(example.dtype)
    if dtype is None:
        raise OvergenError(f"{path}: takes images of {example.dtype}; export it for float32 or uint8")
    shape, layout = _shape(path, [None if isinstance(side, torch.SymInt) else int(side) for side in sides])
    ours = bool(extra["overgen.json"]) and "network" in json.loads(extra["overgen.json"])
    return Opened(
        module,
        "export",
        input=Input(layout=layout, dtype=dtype),
        shape=shape,
        batch=batch,
        outputs="scores" if ours else None,
        output=0 if ours else None,
        files=(path,),
    )


def _piece(program: Any, size: torch.SymInt) -> int | None:
    """How many images a program gets at once that takes several numbers of them; None: any number."""
    bounds = program.range_constraints.get(size.node.expr)
    if bounds is None:
        return None
    low, high = int(bounds.lower), bounds.upper
    bounded = bool(high < 2**31)
    return None if low <= 1 and not bounded else max(low, min(int(high), PIECE) if bounded else PIECE)


def _shape(path: Path, sides: Sequence[int | None]) -> tuple[tuple[int, int, int] | None, str]:
    """The (C, H, W) of images and their layout, from the sides behind the batch; None where one of them is open."""
    if len(sides) == 1:
        return None, "flat"
    if len(sides) != 3:
        raise OvergenError(f"{path}: takes {len(sides) + 1} dimensions; images have four, (N, C, H, W) or (N, H, W, C)")
    layout = "NHWC" if sides[2] in CHANNELS and sides[0] not in CHANNELS else "NCHW"
    first, second, third = (sides[2], sides[0], sides[1]) if layout == "NHWC" else sides
    if first is None or second is None or third is None:
        return None, layout
    return (first, second, third), layout


def torchscript(path: Path) -> Opened:
    """A program of TorchScript, which does not say for which images it is.

    Raises OvergenError if it cannot be loaded.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # torch prefers torch.export
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        raise OvergenError(f"{path}: torch cannot load this TorchScript ({str(error).splitlines()[0]:.200})") from error
    return Opened(module, "torchscript", files=(path,))


def onnx(path: Path) -> Opened:
    """A program of ONNX, run by onnxruntime on the CPU: a black box.

    Raises OvergenError if onnxruntime is not installed, cannot load it, or it takes anything but a tensor of images.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise OvergenError(f"{path}: onnxruntime is not installed; `pip install 'overgen[onnx]'` brings it") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise OvergenError(f"{path}: onnxruntime cannot load it ({str(error).splitlines()[0]:.200})") from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise OvergenError(f"{path}: takes {len(inputs)} inputs; a network takes one, a tensor of images")
    (images,) = inputs
    if images.type not in TYPES:
        raise OvergenError(f"{path}: takes {images.type}; write it for tensor(float) or tensor(uint8)")
    size, *sides = [side if isinstance(side, int) and side > 0 else None for side in images.shape]
    shape, layout = _shape(path, sides)
    names = [output.name for output in session.get_outputs()]

    def run(x: np.ndarray) -> dict[str, Any]:
        return dict(zip(names, session.run(None, {images.name: x}), strict=True))

    return Opened(
        black_box(run),
        "onnx",
        input=Input(layout=layout, dtype=TYPES[images.type]),
        shape=shape,
        batch=size,
        files=(path, *weights_beside(path)),
    )


def weights_beside(path: Path) -> list[Path]:
    """The files with weights of a program of ONNX, by the names that it holds: it may have been renamed since.

    Raises OvergenError for one in another folder, which would not lie there beside a copy.
    """
    content = path.read_bytes()
    names = []
    for match in LOCATION.finditer(content):
        name = content[match.end() : match.end() + match[1][0]].decode(errors="replace")
        if Path(name).name != name:
            raise OvergenError(f"{path}: its weights lie in {name}; write them beside it")
        names.append(name)
    return [path.with_name(name) for name in dict.fromkeys(names)]


def black_box(function: Callable[[np.ndarray], Any]) -> Callable[[Tensor], Any]:
    """A function of arrays as one of tensors, without a gradient. A dictionary of arrays becomes one of tensors."""

    def call(x: Tensor) -> Any:
        answer = function(np.ascontiguousarray(x.detach().cpu().numpy()))
        parts = answer if isinstance(answer, dict) else {"": answer}
        tensors = {
            key: torch.from_numpy(np.asarray(value)).to(x.device)
            for key, value in parts.items()
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
        }
        return tensors if isinstance(answer, dict) else tensors[""]

    return call
