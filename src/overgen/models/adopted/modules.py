"""Modules in Python files of the user's own."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from overgen import OvergenError
from overgen.models.adopted.opening import Opened
from overgen.models.adopted.state import fit_state, found_state, read_pickle, read_state

CLASS_COUNTS = ("classes", "num_classes", "n_classes")  # what a constructor calls the number of classes


def in_file(module: str, weights: Path, *, options: Mapping[str, Any], classes: int | None, unsafe: bool) -> Opened:
    """A module "<file>.py:<Name>" with its weights.

    The file is run, since the user names it. Name: a class of modules, or a function that makes one; options: its
    arguments; classes: for the argument `classes` or `num_classes`, if it has one that nothing else gives.
    Raises OvergenError if there is no such thing, it does not take the options, or the weights do not fit.
    """
    path, name = split(module)
    make = _named(path, name)
    given = dict(options)
    parameters = inspect.signature(make).parameters
    for key in CLASS_COUNTS:
        needed = key in parameters and parameters[key].default is inspect.Parameter.empty
        if needed and key not in given and classes is not None:
            given[key] = classes
    try:
        with torch.random.fork_rng(devices=[]):  # the weights that it draws are replaced
            network = make(**given)
    except Exception as error:
        raise OvergenError(f"{module}: does not take these options (--option): {given} ({error})") from error
    if not isinstance(network, nn.Module):
        raise OvergenError(f"{module}: makes a {type(network).__name__}, not a torch module")
    fit_state(network, read_state(weights, unsafe=unsafe), str(weights))
    return Opened(network, "module", files=(weights, path))


def whole_module(path: Path, *, unsafe: bool) -> Opened:
    """A module that torch.save wrote as a whole: a pickle, which can run any code when it is read.

    Raises OvergenError without `unsafe`, and for a file of weights alone.
    """
    held = read_state(path) if path.suffix == ".safetensors" else read_pickle(path, unsafe=unsafe)
    if not isinstance(held, nn.Module):
        found_state(held, str(path))  # says what is there
        raise OvergenError(f"{path}: holds weights alone; name their network with --network FILE.py:CLASS")
    return Opened(held.float(), "pickle", files=(path,))


def split(module: str) -> tuple[Path, str]:
    """File and name of "<file>.py:<Name>". Raises OvergenError for another form."""
    path, colon, name = module.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise OvergenError(f"{module}: must be FILE.py:CLASS, a module class in a Python file")
    return Path(path), name


def _named(path: Path, name: str) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; {name} is there") from error
    except (OSError, UnicodeError) as error:
        raise OvergenError(f"{path}: cannot be read ({error})") from error
    # Not imported: a second file of this name would be taken for the first. Named after its text, for pickle.
    module = ModuleType(f"adopted_{path.stem}_{hashlib.sha256(text.encode()).hexdigest()[:8]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except ModuleNotFoundError as error:
        raise OvergenError(
            f"{path}: imports {error.name}, which is not installed; the network must stand in one file, or come as "
            "a program: torch.export.save"
        ) from error
    except Exception as error:
        raise OvergenError(f"{path}: cannot be run ({type(error).__name__}: {error})") from error
    if not callable(found := getattr(module, name, None)):
        names = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, nn.Module)]
        raise OvergenError(f"{path}: has no {name!r}; its modules are {', '.join(names) or 'none'}")
    return found
