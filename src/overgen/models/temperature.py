"""Networks with all logits divided by a temperature (Guo et al. 2017), as networks: to be attacked, or used.

    network, _ = registry.trained("mnist", "cnn")
    modest = at_temperature(network, 2.0)
    log_y, _ = modest(x)                       # log softmax(logits / 2)

How a temperature is fitted, and the same of stored logits, stands in `measures.calibration`.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen import data
from overgen.models import Output
from overgen.models.cnn import COOL

SAME = 1e-3  # of log Σ y from 0, up to which y is a softmax


def at_temperature(network: nn.Module, temperature: float) -> nn.Module:
    """A copy of a network with its logits divided by a temperature; what it reconstructs stays as it is.

    network: trained, gives an `Output` whose log y is that of a softmax, of which log y itself does for logits; or it
    is COOL, of which the logits are those of its units.
    Raises ValueError unless the temperature is above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature}: must be above 0")
    copied = copy.deepcopy(network)
    if isinstance(copied, COOL):
        with torch.no_grad():
            for parameter in copied.fc2.parameters():
                parameter.div_(temperature)
        return copied

    def divided(module: nn.Module, inputs: Any, output: Output) -> Output:
        assert output.log_y is not None  # a network that does not classify is no softmax, see `refused`
        return Output(F.log_softmax(output.log_y / temperature, dim=1), output.reconstruction)

    copied.register_forward_hook(divided)
    return copied


def has_units(network: nn.Module) -> bool:
    """Whether a network has several units for each class, so that its logits are not told by log y: COOL."""
    return isinstance(network, COOL)


def logits(network: nn.Module, images: Tensor, *, chunk: int) -> np.ndarray:
    """What a temperature divides: the logits of COOL's units, (N, C·ω), else log y, (N, C).

    network: trained, on the images' device, and not `refused`; images: (N, C, H, W) uint8; chunk: images evaluated
    together.
    """
    found = []
    for block in images.split(chunk):
        x = data.floats(block)
        with torch.no_grad():
            found.append(network.fc2(network.encode(x)) if isinstance(network, COOL) else network(x).log_y)
    return torch.cat(found).cpu().numpy()


@torch.no_grad()
def refused(network: nn.Module, images: Tensor) -> str:
    """Why a network has no logits that a temperature could divide; "" if it has some.

    images: some of (N, C, H, W) uint8, on the network's device.
    """
    log_y = network(data.floats(images)).log_y
    if log_y is None:
        return "the network does not classify"
    off = float(log_y.double().logsumexp(1).abs().max())
    if has_units(network) or off < SAME:
        return ""
    return f"log Σ y over the classes is up to {off:.3g} from 0: the scores are no softmax, which a temperature is for"
