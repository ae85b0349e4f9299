"""Networks by name: built, checked, and loaded from their weights; the user's own too.

Weights are loaded by what they shall be of (`trained`, `of_model`, `perceptron`). A file that says otherwise is
refused, so that weights in the wrong place are never taken for a cell's.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models import SHAPE, Output, sized
from overgen.models.autoencoders import Autoencoder, DenoisingAutoencoder
from overgen.models.cnn import CNN, COOL, LeNet
from overgen.models.outputs import log_y_of
from overgen.models.perceptrons import Perceptron
from overgen.models.weights import ADOPTED, load_weights, network_folder, perceptron_path, weights_path
from overgen.run.own import named
from overgen.run.pipeline import read_yaml
from overgen.run.streams import generator

DYNAMIC = ()  # see `trained`
# The `network` of a model in params.yaml; users' own stand in src/own, see `own`.
NETWORKS: dict[str, type[nn.Module]] = {
    "cnn": CNN,
    "cool": COOL,
    "lenet": LeNet,
    "dae": DenoisingAutoencoder,
    "autoencoder": Autoencoder,
    "perceptron": Perceptron,
}
ROUNDING = 1e-3  # log y may lie so far above 0: a softmax and COOL's product of ten round to 1e-6 or so in float32


def build(network: str, **options: Any) -> nn.Module:
    """A network by its name in `NETWORKS`, or the user's own as "src/own/<file>.py:<Class>", with its options.

    Of the user's own the option `outputs` says what it returns where that is a plain tensor, see `models.outputs`.
    Raises OvergenError for an unknown name or option.
    """
    try:
        if network in NETWORKS:
            return class_of(network)(**options)
        outputs = options.pop("outputs", None)
        built = class_of(network)(**options)
        if outputs is not None:
            built.register_forward_hook(partial(_as_output, str(outputs)))
        return built
    except TypeError as error:
        raise OvergenError(f"network {network!r} does not take these options: {options} ({error})") from error


def initialised(network: str, options: Mapping[str, Any], key: tuple[object, ...]) -> nn.Module:
    """A network with its initial weights, which depend on the key alone.

    One with a method `initialise(generator)` draws them by it, one without as torch does for its layers. Raises
    OvergenError as `build` does.
    """
    draws = generator(*key, "weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draws.initial_seed())
        built = build(network, **options)
    if callable(getattr(built, "initialise", None)):
        built.initialise(draws)  # type: ignore[operator]
    return built


def _as_output(outputs: str, network: nn.Module, images: Any, answer: Any) -> Any:
    """A forward hook: a plain tensor as an `Output`."""
    return Output(log_y_of(answer, outputs), None) if isinstance(answer, Tensor) else answer


@torch.no_grad()
def draws_in_training(network: nn.Module, shape: Sequence[int]) -> bool:
    """Whether a network draws at random while it is trained, as dropout does. shape: (C, H, W) of the images."""
    copied, answers = copy.deepcopy(network).train(), []
    images = torch.rand(8, *shape, generator=generator("draws")).to(next(network.parameters(), torch.zeros(0)))
    with torch.random.fork_rng():
        for seed in range(2):
            torch.manual_seed(seed)
            answers.append(copied(images))
    return any(a is not None and not torch.equal(a, b) for a, b in zip(*answers, strict=True))


def class_of(network: str) -> type[nn.Module]:
    """The class that a `network` of params.yaml names. Raises OvergenError if there is none."""
    if network in NETWORKS:
        return NETWORKS[network]
    if ":" in network:
        return own(network)
    raise OvergenError(
        f"network {network!r} is unknown; there are {', '.join(NETWORKS)}, and src/own/<file>.py:<Class> for yours"
    )


def own(network: str) -> type[nn.Module]:
    """The user's class that "src/own/<file>.py:<Class>" names. Raises OvergenError if there is no such thing."""
    path, _, name = network.partition(":")
    network_class = named(network, "network")
    if not (isinstance(network_class, type) and issubclass(network_class, nn.Module)):
        raise OvergenError(f"{path}: has no torch module {name!r}, which network {network!r} names")
    return network_class


@torch.no_grad()
def checked(network: nn.Module, name: str, classes: int | None = None, shape: Sequence[int] = SHAPE) -> nn.Module:
    """The network itself, after one forward pass of four images has shown that its output is an `Output`.

    name: of the network in errors; classes: K, if known; shape: (C, H, W). The images are black, white and two of
    noise, of the network's type and on its device; the pass is in evaluation mode, so that running averages stay as
    they are.
    Raises OvergenError if the network cannot take such images, or the output is of another type or shape, is not
    finite, or has log y > 0, as raw logits have.
    (The scores need not sum to 1 over the classes: COOL's do not.)
    """
    like = next(network.parameters(), torch.zeros(0))
    size = math.prod(shape)
    images = torch.stack([torch.zeros(size), torch.ones(size), *torch.rand(2, size, generator=generator(name))])
    modes = {module: module.training for module in network.modules()}
    try:
        output = network.eval()(images.view(4, *shape).to(like))
    except (RuntimeError, ValueError) as error:  # torch's own of shapes, of many kinds
        raise OvergenError(f"{name}: cannot take images of {sized(shape)}: {error}") from error
    finally:
        for module, training in modes.items():
            module.training = training
    if not isinstance(output, Output):
        raise OvergenError(
            f"{name}: its forward pass returns a {type(output).__name__}, not an overgen.models.Output(log_y, "
            "reconstruction); where it is a tensor (N, classes), say in params.yaml what it is: outputs: logits"
        )
    if output.log_y is None and output.reconstruction is None:
        raise OvergenError(f"{name}: its Output has neither log_y nor a reconstruction")
    if output.log_y is not None:
        _check_values(name, "log_y", output.log_y, classes)
        if float(output.log_y.max()) > ROUNDING:
            raise OvergenError(
                f"{name}: log_y reaches {float(output.log_y.max()):.3g}, but the logarithm of a score is at most 0; "
                "where these are raw logits, return F.log_softmax(logits, dim=1)"
            )
    if output.reconstruction is not None:
        _check_values(name, "reconstruction", output.reconstruction, size)
    if (output.reconstruction is not None) != (hasattr(network, "encode") and hasattr(network, "decode")):
        raise OvergenError(f"{name}: a reconstruction in its Output and the methods encode and decode belong together")
    return network


def _check_values(name: str, field: str, values: Any, columns: int | None) -> None:
    """Raises OvergenError unless a field of an Output is a finite tensor (4, columns); None allows any number."""
    shape = f"(4, {columns or 'classes'})"
    if not isinstance(values, Tensor):
        raise OvergenError(f"{name}: {field} is a {type(values).__name__}, not a tensor {shape}")
    if values.dim() != 2 or values.shape != (4, columns or values.shape[-1]):
        raise OvergenError(f"{name}: {field} of four images has the shape {tuple(values.shape)}, not {shape}")
    if not bool(values.isfinite().all()):
        raise OvergenError(f"{name}: {field} holds {float(values[~values.isfinite()][0])}, which is no finite number")


def trained(dataset: str, model: str, seed: int = 0, *, device: Any = None) -> tuple[nn.Module, dict[str, Any]]:
    """The trained network of a model's seed, and what its weights file says of itself; see `of_model`.

    Of a network that was trained elsewhere it is `adopted.Adopted`, whatever the seed, and what its adopted.json says.
    """
    if (network_folder(dataset, model) / ADOPTED).is_file():
        # Not an import statement: the cells of other networks do not hang on how those from elsewhere are read. Those
        # of adopted ones do, see `run.code`.
        saved = import_module("overgen.models.adopted.saved")
        network, about = saved.load(network_folder(dataset, model), dataset=dataset, model=model)
        return network if device is None else network.to(device), about
    return of_model(weights_path(dataset, model, seed), dataset, model, device=device, seed=seed)


def of_model(
    path: Path, dataset: str, model: str, *, device: Any = None, **identity: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """A trained network of a model of params.yaml, in evaluation mode, float32; and what its file says of itself.

    device: where it goes, in channels_last, in which convolutions are fastest; by default it stays on the CPU as it is.
    identity: see `load`. Raises OvergenError as `load` does.
    """
    network, metadata = load(path, _section("models", model, path), dataset=dataset, model=model, **identity)
    if device is not None:
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network, metadata


def perceptron(dataset: str, name: str) -> tuple[Perceptron, dict[str, Any]]:
    """The trained network of the section `perceptrons` with that name, as `trained` gives those of `models`."""
    path = perceptron_path(dataset, name)
    options = {"network": "perceptron", "hidden": _section("perceptrons", name, path).get("hidden")}
    network, metadata = load(path, options, dataset=dataset, model=name)
    assert isinstance(network, Perceptron)  # its options say so
    return network, metadata


def load(
    path: str | Path, options: Mapping[str, Any] | None = None, **identity: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """A trained network from its weights file, in evaluation mode, float32, `checked`; and the file's metadata.

    options: `network` and its options as params.yaml gives them. identity: what the metadata must say besides, such as
    dataset="mnist", model="cnn", seed=0.
    Raises OvergenError if the file is missing, broken or not finite, does not fit the network that it names, or holds
    another network than `options` and `identity` say.
    """
    state, metadata = load_weights(path)
    _check_identity(path, metadata, identity)
    if options is not None:
        _check_options(path, metadata, options)
    network = build(**metadata["network"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise OvergenError(f"{path}: the weights do not fit the network {metadata['network']}: {error}") from error
    network = network.eval().requires_grad_(False)
    name, classes = f"{path}, {metadata['network']['network']}", metadata["network"].get("classes")
    return checked(network, name, classes, metadata.get("shape", SHAPE)), metadata


def _section(section: str, name: str, path: Path) -> dict[str, Any]:
    """What params.yaml says of a network. path: of its weights, for the error where params.yaml does not know it."""
    described = (read_yaml(Path("params.yaml"))[0] or {}).get(section) or {}
    if not isinstance(described.get(name), dict):
        raise OvergenError(f"params.yaml, {section}: has no {name!r}, of which {path} holds weights; add it there")
    return described[name]


def _check_identity(path: str | Path, metadata: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Raises OvergenError if the metadata of a weights file do not say what they should."""
    stored = {name: metadata.get(name) for name in identity}
    if stored != identity:
        texts = (", ".join(f"{name} {value}" for name, value in values.items()) for values in (stored, identity))
        raise OvergenError(
            "{0}: holds the weights of {1}; expected are those of {2}. `git checkout -- {0}` brings the published file "
            "back; else delete it, then `dvc repro` trains it".format(path, *texts)
        )


def _check_options(path: str | Path, metadata: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raises OvergenError if the file's network has other options than params.yaml gives."""
    stored, given = (_completed(network, metadata["network"]) for network in (metadata["network"], options))
    names = [name for name in dict.fromkeys([*stored, *given]) if stored.get(name) != given.get(name)]
    if names:
        texts = (f"{name}: {stored.get(name)} in the file, {given.get(name)} in params.yaml" for name in names)
        raise OvergenError(
            f"{path}: holds another network than params.yaml describes ({'; '.join(texts)}). Take the change in "
            "params.yaml back, or let `dvc repro` train the network anew"
        )


def _completed(options: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """The `network` and the options that its class takes, those left out with their defaults, without `classes`.

    known: names of options that the class takes besides those in its signature. Options of the training are left out.
    """
    parameters = inspect.signature(class_of(str(options.get("network")))).parameters
    values = {name: p.default for name, p in parameters.items() if p.default is not inspect.Parameter.empty}
    values |= {name: value for name, value in options.items() if name in {*known, *parameters}}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items() if name != "classes"}
