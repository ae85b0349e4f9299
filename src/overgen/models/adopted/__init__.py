"""Networks that overgen did not train: opened, checked, and then like any other.

    network = open_network("efficientnet-lite0")                                # a package of weights
    network = open_network("torchvision/resnet18")                              # torchvision's own
    network = open_network("net.pt", module="mymodule.py:Net", shape=(1, 28, 28))  # a module and its weights
    network = open_network("model.pt2")                                         # torch.export, TorchScript, ONNX
    network = Adopted.of(function, shape=(3, 32, 32), outputs="logits")         # anything that can be called

Each maps x (N, C, H, W) float32 in [0, 1] to `Output(log_y, None)`; its own normalisation, size and layout are inside.
"""

from __future__ import annotations

from overgen.models.adopted.inputs import Input
from overgen.models.adopted.network import Adopted
from overgen.models.adopted.opened import open_network
from overgen.models.outputs import OUTPUTS

__all__ = ["OUTPUTS", "Adopted", "Input", "open_network"]
