"""Weights as files: where they lie, how they are written and read, rounded to float16."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from overgen import OvergenError
from overgen.run.files import replace_file

ADOPTED = "adopted.json"  # beside the files of a network that was trained elsewhere: what it is


def save_weights(path: str | Path, state: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
    """Write weights as float16 safetensors, and counters as they are: what is published is what was measured.

    state: tensors by name, already rounded to float16 or exactly representable in it (see `round_weights`).
    metadata: JSON values, read back by `load_weights`.
    Raises OvergenError if a weight is not finite in float16.
    """
    from safetensors.torch import save

    half = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    for name, tensor in half.items():
        if not bool(tensor.isfinite().all()):
            raise OvergenError(
                f"{path}: weight {name} holds NaN or a value beyond float16's range; nothing was written. "
                "The training diverged: lower the learning rate or raise the precision in params.yaml."
            )
    with replace_file(path) as temporary:
        temporary.write_bytes(save(half, metadata={"overgen": json.dumps(metadata, sort_keys=True)}))


def load_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read weights as float32 and their metadata; OvergenError if missing, cut, not ours, or not finite."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["overgen"])
            state = {name: file.get_tensor(name).to(torch.float32) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; `dvc repro` trains it, `dvc pull` fetches it") from error
    except (SafetensorError, OSError) as error:
        raise OvergenError(f"{path}: not a readable safetensors file ({error}); delete it, then `dvc repro`") from error
    except (KeyError, json.JSONDecodeError) as error:
        raise OvergenError(f"{path}: carries no overgen metadata, so its network is unknown") from error
    for name, tensor in state.items():
        if not bool(tensor.isfinite().all()):
            raise OvergenError(f"{path}: weight {name} holds NaN or infinity; delete the file, then `dvc repro`")
    return state, metadata


def weights_path(dataset: str, model: str, seed: int) -> Path:
    """Where the trained weights of a seed lie."""
    return network_folder(dataset, model) / f"seed{seed}.safetensors"


def network_folder(dataset: str, model: str) -> Path:
    """Where a model's weights and outputs.npz, what they say of the test images, lie: of the whole training set."""
    return Path("models", dataset, "networks", model)


def member_folder(study: str, dataset: str, model: str) -> Path:
    """Where those of many small problems lie. study: openset or oneclass."""
    return Path("models", dataset, study, model)


def perceptron_path(dataset: str, name: str) -> Path:
    """Where the trained weights of one of the perceptrons lie, by its name in params.yaml."""
    return Path("models", dataset, "perceptrons", f"{name}.safetensors")


def round_weights(network: nn.Module) -> None:
    """Round weights and running averages to float16 in place, so that what is measured is what is saved."""
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().to(tensor.dtype))
