"""The device, the rank and the number of processes of a stage, and the threads that it may use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from overgen import OvergenError

ACCELERATORS = ("cpu", "cuda", "gpu", "mps")  # Lightning's names
_launched: list[tuple[Any, int, int]] = []  # of the processes that share this command's cells: device, rank, number
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read by libraries when they are loaded


def whole_float32() -> None:
    """Make CUDA compute float32 as such. By default its convolutions round to TF32's 10 bits, and scores by 1e-3."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def limited_to(threads: int) -> Iterator[None]:
    """Every pool of threads of this process limited to so many: torch's, and those of NumPy, SciPy and scikit-learn.

    The order of additions in BLAS hangs on the number of threads, and with it the last digits of a result. Libraries
    that are loaded later read the limit from the environment.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in POOLS}
    os.environ |= dict.fromkeys(POOLS, str(threads))
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        torch.set_num_threads(torch_threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _from_environment(name: str, pattern: str, *, default: str, allowed: str) -> str:
    """A value that matches a pattern as a whole. Raises OvergenError for any other, saying what is allowed."""
    value = os.environ.get(name, default).strip()
    if not re.fullmatch(pattern, value, re.ASCII):
        raise OvergenError(f"{name}={value!r} in the environment: must be {allowed}; unset it for {default!r}")
    return value


def _accelerator() -> str:
    """The kind of device, from the environment or as there is one. Raises OvergenError if it is unknown or absent."""
    import torch

    # Not Lightning's own "auto", which prefers Apple's GPU: that has no float64, which the attacks need.
    default = "cuda" if torch.cuda.is_available() else "cpu"
    value = os.environ.get("OVERGEN_ACCELERATOR", default).strip()
    machine = f"this machine has {'a CUDA device' if torch.cuda.is_available() else 'the CPU only'}"
    if value not in ACCELERATORS:
        names = ", ".join(ACCELERATORS)
        raise OvergenError(f"OVERGEN_ACCELERATOR={value!r} in the environment: is none of {names}; {machine}")
    absent = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if absent.get("cuda" if value == "gpu" else value, False):
        raise OvergenError(f"OVERGEN_ACCELERATOR={value!r} in the environment: there is no such device; {machine}")
    return value


def launch() -> tuple[Any, int, int]:
    """This process's device, rank and the number of processes, chosen by Lightning.

    OVERGEN_ACCELERATOR (default: cuda if there is one, else cpu), OVERGEN_DEVICES (auto) and OVERGEN_NODES (1) are
    Lightning's `accelerator`, `devices` and `num_nodes`; torchrun and SLURM are recognised. With several devices
    Lightning starts this same command once for each, which stay together for all cells of the command (see `leave`).
    Raises OvergenError for a value that cannot be meant.
    """
    if _launched:
        return _launched[0]
    accelerator = _accelerator()
    several_devices = "a number of at least 1, numbers of devices with commas such as '0,2', or 'auto'"
    devices = _from_environment(
        "OVERGEN_DEVICES", r"auto|[1-9]\d*|\d+(,\d+)+|\d+,", default="auto", allowed=several_devices
    )
    nodes = int(_from_environment("OVERGEN_NODES", r"[1-9]\d*", default="1", allowed="a number of at least 1"))
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    several = nodes > 1 or int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", "1"))) > 1
    if not several and accelerator in ("gpu", "cuda"):
        several = devices != "1" and torch.cuda.device_count() > 1
    if several or devices not in ("auto", "1"):
        # gloo: ranks exchange nothing but "done"; a rank may wait for hours, so it does not time out.
        strategy: Any = DDPStrategy(process_group_backend="gloo", timeout=timedelta(days=30))
    else:
        strategy = "auto"
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy=strategy)
    except (MisconfigurationException, ValueError) as error:
        asked = f"OVERGEN_ACCELERATOR={accelerator}, OVERGEN_DEVICES={devices}, OVERGEN_NODES={nodes}"
        raise OvergenError(f"{asked}: Lightning cannot use these ({error})") from error
    fabric.launch()
    together = fabric.device, fabric.global_rank, fabric.world_size
    if fabric.world_size > 1:
        _launched.append(together)
    return together


def leave() -> None:
    """End the work of several processes together, if there are any."""
    if _launched:
        import torch.distributed

        torch.distributed.destroy_process_group()
        _launched.clear()
