"""State dictionaries of other people's: read without running anything, taken out of checkpoints, and fitted."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overgen import OvergenError

NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "module", "ema", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
SHOWN = 5  # keys that differ, in an error
PICKLE = (
    "a pickle can run any code when it is read. If you trust whoever made it: --unsafe-pickle (unsafe_pickle: true in "
    "params.yaml); better, save `network.state_dict()` by torch.save or safetensors, or a program by torch.export"
)


def read_pickle(path: Path, *, unsafe: bool) -> Any:
    """What torch.save wrote: tensors, containers and numbers only, unless `unsafe`.

    Raises OvergenError for a file that is missing or broken, and for one that holds more than that.
    """
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if start != b"PK" and start[:1] != b"\x80":  # neither an archive nor a pickle
            raise OvergenError(f"{path}: not a file that torch.save wrote")
        return torch.load(path, map_location="cpu", weights_only=not unsafe)
    except OvergenError:
        raise
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing") from error
    except pickle.UnpicklingError as error:
        if unsafe or "weights_only" not in str(error).lower():
            raise OvergenError(f"{path}: not a whole file of torch.save ({_first_line(error)})") from error
        raise OvergenError(f"{path}: holds more than tensors, a whole module perhaps; {PICKLE}") from error
    except Exception as error:  # zip's, torch's and what a pickle's own code raises
        raise OvergenError(f"{path}: not a file that torch.save wrote ({_first_line(error)})") from error


def read_state(path: Path, *, unsafe: bool = False) -> dict[str, Tensor]:
    """The state dictionary in a file of torch.save or safetensors, out of what it is nested in; that is said.

    Raises OvergenError for a file that is none, has none, or holds a value that is not finite.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            held: Any = load_file(path)
        except FileNotFoundError as error:
            raise OvergenError(f"{path}: missing") from error
        except (SafetensorError, OSError) as error:
            raise OvergenError(f"{path}: not a whole safetensors file ({error})") from error
    else:
        held = read_pickle(path, unsafe=unsafe)
    state = found_state(held, str(path))
    for key, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise OvergenError(f"{path}: {key} holds {float(tensor[~tensor.isfinite()][0])}; the training diverged")
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def found_state(held: Any, place: str) -> dict[str, Tensor]:
    """The state dictionary in what a checkpoint holds. Raises OvergenError naming what is there instead."""
    if isinstance(held, nn.Module):
        return dict(held.state_dict())
    if isinstance(held, Mapping):
        if held and all(isinstance(value, Tensor) for value in held.values()):
            return dict(held)
        for key in NESTED:
            inner = held.get(key)
            if isinstance(inner, Mapping) and inner and all(isinstance(value, Tensor) for value in inner.values()):
                print(f"{place}: the state dictionary is its {key!r}", file=sys.stderr)
                return dict(inner)
    there = ", ".join(map(repr, list(held)[:8])) if isinstance(held, Mapping) else type(held).__name__
    raise OvergenError(f"{place}: has no state dictionary, which is tensors by name; there is {there or 'nothing'}")


def fit_state(network: nn.Module, state: Mapping[str, Tensor], place: str) -> None:
    """Load a state dictionary, without prefixes that a wrapper put before all its names; those are said.

    Raises OvergenError with the first keys that differ, and what such a difference often means.
    """
    own = dict(network.state_dict())
    stripped = ""
    while state and not set(state) & set(own):
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in state)), None)
        if prefix is None:
            break
        stripped += prefix
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    if stripped and set(state) & set(own):
        print(f"{place}: the names in it begin with {stripped!r}, which was taken off", file=sys.stderr)
    counters = {key for key in own if key.endswith("num_batches_tracked")}  # which no answer hangs on
    missing = [key for key in own if key not in state and key not in counters]
    further = [key for key in state if key not in own]
    reshaped = [key for key in own if key in state and own[key].shape != state[key].shape]
    if missing or further or reshaped:
        raise OvergenError(_difference(type(network).__name__, own, state, missing, further, reshaped, place))
    network.load_state_dict(dict(state), strict=False)


def _difference(
    kind: str,
    own: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    missing: list[str],
    further: list[str],
    reshaped: list[str],
    place: str,
) -> str:
    """What differs between a network and a state dictionary, in at most `SHOWN` keys, and what it may mean."""
    shapes = ((key, tuple(state[key].shape), tuple(own[key].shape)) for key in reshaped)
    lines = [f"{key} is {theirs} in the file and {ours} in {kind}" for key, theirs, ours in shapes]
    lines += [f"{key} is not in the file" for key in missing] + [f"{key} is in the file only" for key in further]
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    hints = []
    averages = [key for key in missing if key.endswith(("running_mean", "running_var"))]
    if averages and len(averages) == len(missing):
        hints.append("the running averages of batch normalisation were not saved; save state_dict(), not parameters()")
    weights = [key for key in own if own[key].dim() > 1]
    if weights and weights[-1] in reshaped and own[weights[-1]].shape[0] != state[weights[-1]].shape[0]:
        hints.append(
            f"it was trained for {state[weights[-1]].shape[0]} classes: give {kind} its own option for that (--option)"
        )
    if weights and weights[0] in reshaped and weights[0] != weights[-1]:
        hints.append("its first layer is for other images, or of another stem")
    if not set(own) & set(state):
        hints.append("no name agrees: it is of another network")
    hint = f". Perhaps {'; '.join(hints)}" if hints else ""
    fits = len(own) - len(missing) - len(reshaped)
    return f"{place}: {fits} of {len(own)} tensors of {kind} fit: {'; '.join(lines[:SHOWN])}{more}{hint}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
