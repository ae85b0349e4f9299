"""Networks by name: built, and loaded from their weights; the user's own too."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from overgen import OvergenError
from overgen.models.autoencoders import Autoencoder, DenoisingAutoencoder
from overgen.models.cnn import CNN, COOL, LeNet
from overgen.models.perceptrons import Perceptron

# The `network` of a model in params.yaml; users' own stand in src/own, see `own`.
NETWORKS: dict[str, type[nn.Module]] = {
    "cnn": CNN,
    "cool": COOL,
    "lenet": LeNet,
    "dae": DenoisingAutoencoder,
    "autoencoder": Autoencoder,
    "perceptron": Perceptron,
}


def build(network: str, **options: Any) -> nn.Module:
    """A network by its name in `NETWORKS`, or the user's own as "src/own/<file>.py:<Class>", with its options.

    Raises OvergenError for an unknown name or option.
    """
    if network not in NETWORKS and ":" not in network:
        raise OvergenError(
            f"network {network!r} is unknown; there are {', '.join(NETWORKS)}, and src/own/<file>.py:<Class> for yours"
        )
    made = NETWORKS[network] if network in NETWORKS else own(network)
    try:
        return made(**options)
    except TypeError as error:
        raise OvergenError(f"network {network!r} does not take these options: {options} ({error})") from error


def own(network: str) -> type[nn.Module]:
    """The user's class that "src/own/<file>.py:<Class>" names. Raises OvergenError if there is no such thing."""
    path, _, name = network.partition(":")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; network {network!r} is there; run from the repository's root") from error
    # Not imported: that would leave a __pycache__ in a folder that stages depend on as a whole.
    module = ModuleType(f"own.{Path(path).stem}")
    sys.modules[module.__name__] = module  # where dataclasses and pickle look
    exec(compile(text, path, "exec"), module.__dict__)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise OvergenError(f"{path}: has no torch module {name!r}, which network {network!r} names")
    return found


def load(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """A trained network from its weights file, in evaluation mode, float32; and the file's metadata.

    Raises OvergenError if the file is missing, broken, not finite or does not fit the network that it names.
    """
    from overgen.models.weights import load_weights

    state, metadata = load_weights(path)
    network = build(**metadata["network"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise OvergenError(f"{path}: the weights do not fit the network {metadata['network']}: {error}") from error
    return network.eval().requires_grad_(False), metadata
