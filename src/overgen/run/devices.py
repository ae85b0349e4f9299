"""The device, the rank and the number of processes of a stage."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


def whole_float32() -> None:
    """Make CUDA compute float32 as such. By default its convolutions round to TF32's 10 bits, and scores by 1e-3."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def launch() -> tuple[Any, int, int]:
    """This process's device, rank and the number of processes, chosen by Lightning.

    OVERGEN_ACCELERATOR (default: cuda if there is one, else cpu), OVERGEN_DEVICES (auto) and OVERGEN_NODES (1) are
    Lightning's `accelerator`, `devices` and `num_nodes`; torchrun and SLURM are recognised. With several devices
    Lightning starts this same command once for each.
    """
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    # Not Lightning's own "auto", which prefers Apple's GPU: that has no float64, which the attacks need.
    accelerator = os.environ.get("OVERGEN_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
    devices = os.environ.get("OVERGEN_DEVICES", "auto")
    nodes = int(os.environ.get("OVERGEN_NODES", "1"))
    several = nodes > 1 or int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", "1"))) > 1
    if not several and accelerator in ("gpu", "cuda"):
        several = devices != "1" and torch.cuda.device_count() > 1
    if several or devices not in ("auto", "1"):
        # gloo: ranks exchange nothing but "done"; a rank may wait for hours, so it does not time out.
        strategy: Any = DDPStrategy(process_group_backend="gloo", timeout=timedelta(days=30))
    else:
        strategy = "auto"
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy)
    fabric.launch()
    return fabric.device, fabric.global_rank, fabric.world_size
