"""A trained network with its confidence as one `torch.export` program, which runs wherever torch does, without overgen.

    program = torch.export.load("model.pt2").module()
    y, c = program(x)  # x: (N, 1, 28, 28) float32 in [0, 1]; ỹ (N, C), c̃ (N,)

The program is `confidence.ScaledOutput`, Γ included, on every image. An exported graph holds no autograd and no Python
branch, and Γ needs both: the trace of ∂r/∂x, estimated for all images and exact where the estimate leaves Γ open. So
the derivatives that `confidence` takes are recorded once as plain tensor operations, and a `while_loop` in the graph
goes through the open images, one at a time. The exact trace for every image would be simpler and as right, but takes
150 times as long as an image that the estimate settles (MNIST dAE sym, one core: 0.26 s against 1.7 ms); the estimate
alone would leave Γ open on the images where it matters.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from overgen import OvergenError
from overgen.arguments import trained_cells
from overgen.confidence import (
    CLEAR,
    distance,
    estimated_curvature,
    exact_curvature,
    log_gate,
    log_reconstruction,
    probe_vectors,
)
from overgen.models import SHAPE, registry
from overgen.models.weights import weights_path
from overgen.run import params
from overgen.run.files import replace_file


class Program(nn.Module):
    """ỹ and c̃ of a trained network (Spigler 2019, Eq. 3–6) in operations that `torch.export` takes.

    network: in evaluation mode, without gradients; it must classify. c̃ = 1 if it does not reconstruct.
    alpha, beta: Eq. 3–4; probes: of the curvature estimate; shape: (C, H, W) of the images.
    """

    def __init__(
        self, network: nn.Module, *, alpha: float, beta: float, probes: int = 2, shape: Sequence[int] = SHAPE
    ) -> None:
        super().__init__()
        self.pixels = math.prod(shape)
        self.network = network
        self.alpha, self.beta = alpha, beta
        self.reconstructs = hasattr(network, "decode")
        if self.reconstructs:
            vectors = probe_vectors(probes, self.pixels)
            # of any number of images (3 stands for it: 0 and 1 would be taken for constants), and of one
            self.estimate = recorded(lambda x: estimated_curvature(network, x, vectors), 3, shape)
            self.exact = recorded(lambda x: exact_curvature(network, x, skip_idle=False), 1, shape)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, C, H, W). Returns ỹ (N, K) and c̃ (N,), in [0, 1]."""
        log_y, reconstruction = self.network(x)
        log_c = log_y.new_zeros(x.shape[0])
        if self.reconstructs:
            log_c = log_reconstruction(distance(x, reconstruction), alpha=self.alpha, pixels=self.pixels)
            log_c = log_c + log_gate(self.curvature(x), beta=self.beta)
        return (log_y + log_c[:, None]).exp(), log_c.exp()

    def curvature(self, x: Tensor) -> Tensor:
        """γ as `confidence.curvature` gives it. x: (N, C, H, W). Returns (N,)."""
        gamma, error = self.estimate(x)
        rows = (gamma + CLEAR * error > 0).nonzero()[:, 0]

        def more(i: Tensor, gamma: Tensor) -> Tensor:
            return i < rows.shape[0]

        def settle(i: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
            row = rows.index_select(0, i.view(1))
            return i + 1, gamma.index_copy(0, row, self.exact(x.index_select(0, row)))

        first = torch.zeros((), dtype=torch.int64, device=x.device)
        return torch.while_loop(more, settle, (first, gamma))[1]


def recorded(function: Callable[[Tensor], object], images: int, shape: Sequence[int]) -> nn.Module:
    """A function of images as the tensor operations that it runs, its derivatives among them.

    images: on how many it is recorded, of that (C, H, W); more than one stands for any number.
    """
    record = make_fx(function, tracing_mode="symbolic" if images > 1 else "real", _allow_non_fake_inputs=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)  # torch.func's own
        return record(torch.zeros(images, *shape))


def export(
    cell: str, path: Path, *, seed: int = 0, alpha: float | None = None, beta: float | None = None
) -> tuple[float, float] | None:
    """Write the program of a trained cell, such as "mnist/dae_sym", to a .pt2 file, whole or not at all.

    alpha, beta: of c̃; by default those of the first threshold of `confidence.<dataset>` in params.yaml. The file
    `overgen.json` in the archive holds them, with what the weights say of themselves (`torch.export.load`'s
    `extra_files` reads it). Returns α and β, or None for a network that does not reconstruct, for which c̃ = 1.
    Raises OvergenError if there are no such weights or those of another network, if it does not classify, for an α or β
    where it does not reconstruct, and if the path cannot be written.
    """
    if path.suffix != ".pt2" or path.is_dir():
        raise OvergenError(f"{path}: {'is a directory' if path.is_dir() else 'does not end in .pt2'}; name a .pt2 file")
    given = {name: value for name, value in (("alpha", alpha), ("beta", beta)) if value is not None}
    for name, value in given.items():
        if not 0 <= value < math.inf:
            raise OvergenError(f"--{name} {value:g}: must be a number from 0")
    network, metadata = classifier(cell, seed)
    if given and not hasattr(network, "decode"):
        raise OvergenError(f"--{next(iter(given))}: {cell} does not reconstruct, so c̃ = 1 whatever it is; leave it out")
    dataset = cell.split("/")[0]
    settings = settings_of(dataset)
    confidence = settings.confidence[dataset]
    alpha = confidence.thresholds[0].alpha if alpha is None else alpha
    beta = confidence.beta if beta is None else beta
    shape = metadata.get("shape", SHAPE)
    program = Program(network, alpha=alpha, beta=beta, probes=settings.engine[dataset].probes, shape=shape).eval()
    used = {"alpha": alpha, "beta": beta} if program.reconstructs else {}
    example, any_number = torch.zeros(3, *shape), {"x": {0: torch.export.Dim("N")}}
    try:
        exported = torch.export.export(program, (example,), dynamic_shapes=any_number)
    except Exception as error:  # torch's own, of many kinds, for what a stranger's network does
        raise OvergenError(
            f"{cell}: torch.export cannot follow this network ({str(error).splitlines()[0]:.200}); one that came as a "
            "program is one already"
        ) from error
    save(exported, path, json.dumps(metadata | used, sort_keys=True))
    return (alpha, beta) if program.reconstructs else None


def save(exported: torch.export.ExportedProgram, path: Path, description: str) -> None:
    """Write a program, whole or not at all: the same bytes for the same program, wherever it goes.

    torch puts the name of the file into the archive, and beside each operation where on this machine its code stands.
    description: of the file overgen.json in it. Raises OvergenError if the path cannot be written.
    """
    for graph in (module.graph for module in exported.graph_module.modules() if isinstance(module, GraphModule)):
        for node in graph.nodes:
            node.meta.pop("stack_trace", None)
    with TemporaryDirectory() as folder, replace_file(path) as temporary:
        fixed = Path(folder, "network.pt2")
        torch.export.save(exported, fixed, extra_files={"overgen.json": description})
        shutil.copyfile(fixed, temporary)


def settings_of(dataset: str) -> params.Params:
    """The parameters of params.yaml. Raises OvergenError if the data set is none of its own."""
    settings = params.load()
    if dataset not in settings.datasets:
        raise OvergenError(f"params.yaml, datasets: no {dataset!r}, whose confidence and engine are needed; add it")
    return settings


def classifier(cell: str, seed: int = 0) -> tuple[nn.Module, dict[str, Any]]:
    """The trained network of a cell's seed, which classifies; and what its weights file says of itself.

    Raises OvergenError naming the cells, or the seeds, that are here if it is not among them; also if the weights are
    those of another network, or the network does not classify.
    """
    dataset, _, model = cell.partition("/")
    if cell not in (cells := trained_cells()):
        raise OvergenError(
            f"cell {cell!r}: no trained weights; there are {', '.join(cells) or 'none'}. `dvc repro` trains, "
            "`dvc pull` fetches; run from the repository's root"
        )
    path = weights_path(dataset, model, seed)
    if seed and not path.exists():
        further = sorted(int(p.stem.removeprefix("seed")) for p in path.parent.glob("seed*.safetensors"))
        raise OvergenError(
            f"{path}: missing; {cell} has the seeds {', '.join(map(str, sorted({0, *further})))}. "
            "`dvc pull` fetches further ones"
        )
    network, metadata = registry.trained(dataset, model, seed)
    if network(torch.zeros(1, *metadata.get("shape", SHAPE))).log_y is None:
        raise OvergenError(
            f"{cell}: a plain autoencoder does not classify: it has no class scores to fool or to export"
        )
    return network, metadata
