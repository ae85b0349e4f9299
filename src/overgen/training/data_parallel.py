"""Training of one network by several processes, which share each batch: Lightning's DDP, as an option.

    train_classifier: {mnist: {data_parallel: {large: 4}}}     in params.yaml; 4 processes, see docs/running.md

The members of a cell train one after another, and all processes take part in each. Batches, their order and their noise
are those of one process: each draws the noise of the whole batch, and takes its own rows of both. A row counts 1/N of
the batch wherever it is, so the gradients of the processes add up to that of one. They are added in another order, so
losses and weights agree to rounding (1e-10 in float64), and not in their bytes. Process 0 alone writes.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed
from lightning_fabric.plugins import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

from overgen import OvergenError
from overgen.data import floats
from overgen.run import progress
from overgen.run.files import read_npz, write_npz
from overgen.run.stage import Stage
from overgen.run.trainer import Steps
from overgen.training.members import _readable
from overgen.training.module import Training, curve_of, losses


def sharing(stage: Stage) -> Sharing:
    """The stage of whose model several processes share the batches.

    Raises OvergenError if there are not as many of them as params.yaml says.
    """
    key, model = f"{stage.name}.{stage.item['dataset']}.data_parallel", stage.item["model"]
    processes = stage.params(key)[model]
    if processes != stage.world:
        raise OvergenError(
            f"params.yaml, {key}: {processes} processes share the batches of {model}, but there are {stage.world}: "
            f"`OVERGEN_DEVICES={processes} dvc repro {stage.address}` starts them on one machine, torchrun and srun "
            "on several (docs/running.md); or take the entry out"
        )
    return Sharing(**{field.name: getattr(stage, field.name) for field in fields(stage)}, key=f"{key}.{model}")


@dataclass(frozen=True)
class Sharing(Stage):
    """A stage whose processes all take part in each member. key: the path of the option in params.yaml."""

    key: str = ""

    def chunks(
        self,
        names: Sequence[str],
        chunks: Sequence[Sequence[int]],
        compute: Callable[[Sequence[int], Sequence[Any]], Sequence[Callable[[], dict[str, np.ndarray]]]],
    ) -> list[dict[str, np.ndarray]]:
        """As of `Stage`, for chunks of one member.

        Raises OvergenError for members that train together, and if the processes see different files.
        """
        paths = [self.progress / f"{name}.npz" for name in names]
        for chunk in progress.steps(chunks, "part"):
            if len(chunk) > 1:
                raise OvergenError(
                    f"params.yaml, {self.key}: {len(chunk)} members of the cell would train as one "
                    f"(engine.{self.item['dataset']}.together), of which no batch can be shared; set that to 1, or "
                    "take the entry out"
                )
            (i,) = chunk
            if self._finished(names[i]):
                print(f"{self.name}: {names[i]} was finished by an earlier run", file=sys.stderr)
                continue
            with self.run.member(names[i]) as run:
                (arrays,) = compute(chunk, [run])
                if self.rank == 0:
                    write_npz(paths[i], **arrays())
        print(f"{self.name}: rank {self.rank} of {self.world} is done", file=sys.stderr)
        torch.distributed.barrier()
        return [read_npz(path) for path in paths] if self.rank == 0 else []

    def _finished(self, name: str) -> bool:
        """Whether an earlier run has finished a member; its last whole epoch can be read, or is removed.

        Raises OvergenError unless all processes see the same files of it: else they would begin with different epochs.
        """
        last, whole = self.progress / f"{name}.epochs/last.ckpt", self.progress / f"{name}.npz"
        if self.rank == 0 and last.exists() and not _readable(last):
            last.unlink()
        torch.distributed.barrier()
        seen: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(seen, [(path.name, path.exists()) for path in (whole, last)])
        if any(other != seen[0] for other in seen):
            raise OvergenError(
                f"{self.progress}: processes 0 to {self.world - 1} see different files of {name} there ({seen}); they "
                "need a folder that all machines share. Run the same command again"
            )
        return whole.exists()

    def trainer(self, **options: Any) -> Any:
        """A Trainer as `Stage.trainer` gives it, of which this process has a part in what it fits."""
        # The processes are together already, and tell each other of files and ends by gloo. GPUs add gradients by NCCL.
        group = torch.distributed.new_group(backend="nccl") if self.device.type == "cuda" else None
        strategy = DDPStrategy(parallel_devices=[self.device], cluster_environment=Joined(), process_group=group)
        return _Trainer(super().trainer(strategy=strategy, num_nodes=self.world, **options), self)


class _Trainer:
    """A Trainer of Lightning's that fits `Shared` modules."""

    def __init__(self, trainer: pl.Trainer, stage: Sharing) -> None:
        self._trainer, self._stage = trainer, stage

    def fit(self, module: Training, **options: Any) -> None:
        """As of Lightning's. Raises OvergenError for a network whose batches cannot be shared."""
        if reason := refusal(module):
            raise OvergenError(
                f"params.yaml, {self._stage.key}: the network {reason}, so processes that share its batches would not "
                "train what one process does; take the entry out"
            )
        self._trainer.fit(Shared(module, rank=self._stage.rank, world=self._stage.world), **options)


class Joined(ClusterEnvironment):
    """Processes that are together already. Each counts as a node of its own, with one device."""

    creates_processes_externally = True
    main_address, main_port = "", 0  # not asked for

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return torch.distributed.get_world_size()

    def global_rank(self) -> int:
        return torch.distributed.get_rank()

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return torch.distributed.get_rank()

    def set_world_size(self, size: int) -> None:
        pass

    def set_global_rank(self, rank: int) -> None:
        pass


class Shared(pl.LightningModule):
    """The training of a member of which each process takes its rows of every batch.

    rank, world: of this process, and their number. Weights and curves end in the member, the same in all processes.
    """

    def __init__(self, member: Training, *, rank: int, world: int) -> None:
        super().__init__()
        self.member, self.part, self.parts = member, rank, world

    def train_dataloader(self) -> Steps:
        """The whole batches of this epoch."""
        return Steps([index.to(self.member.images.device) for index in self.member.batches(self.current_epoch)])

    def on_train_epoch_start(self) -> None:
        self.noise = self.member.noise_of(self.current_epoch, self.device)
        self.sums = torch.zeros(5, device=self.device)  # as in Training, of this process's rows

    def training_step(self, index: Tensor, batch_idx: int = 0) -> Tensor:
        member, n = self.member, len(index)
        rows = torch.arange(n, device=index.device).tensor_split(self.parts)[self.part]
        weight = 1 / n
        if not len(rows):  # of a short batch; the others wait for its gradient, which is that of a row that counts 0
            rows, weight = torch.zeros(1, dtype=torch.int64, device=index.device), 0.0
        clean, labels = floats(member.images[index[rows]]).to(self.dtype), member.labels[index[rows]]
        if clean.device.type == "cpu":
            clean = clean.contiguous(memory_format=torch.channels_last)
        x = clean
        if member.noise_std:
            shape = n, *clean.shape[1:]
            noise = torch.randn(shape, generator=self.noise, device=self.device, dtype=clean.dtype)
            x = clean + member.noise_std * noise[rows]
        share = torch.full((len(rows),), weight, device=clean.device, dtype=clean.dtype)
        loss, classification, reconstruction, right = losses(
            member.network, clean, x, labels, share, **member.objective
        )
        with torch.no_grad():
            counts = share > 0
            count, hits = counts.sum().to(loss.dtype), (right & counts).sum().to(loss.dtype)
            self.sums += torch.stack([count, n * loss, n * classification, n * reconstruction, hits])
        return self.parts * loss  # DDP takes the mean of the processes' gradients, and this is their sum

    def on_train_epoch_end(self) -> None:
        sums = self.sums.cpu()
        torch.distributed.all_reduce(sums)
        curve = curve_of(self.current_epoch, sums) | self.member.tested()
        self.member.curves.append(curve)
        if not torch.isfinite(sums).all():
            raise FloatingPointError(f"the training loss is {curve['loss']} in epoch {self.current_epoch}")
        self.log_dict({f"train/{name}": value for name, value in curve.items() if name != "epoch"})

    def configure_optimizers(self) -> Any:
        return self.member.configure_optimizers()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.member.on_save_checkpoint(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.member.on_load_checkpoint(checkpoint)


def refusal(member: Training) -> str:
    """Why no processes can share the batches of a member, in words; "" if they can.

    What they compute must be what one does: of each image by itself, and with a gradient for each weight, for which
    DDP waits. Eight images say whether that is so.
    """
    network: Any = copy.deepcopy(member.network).train()
    if member.draws:
        return "draws at random in training, as dropout does"
    if buffers := [name for name, _ in network.named_buffers()]:
        return f"has buffers ({', '.join(buffers[:3])}), which each process would have of its own rows"
    if hasattr(network, "penalty"):
        return "has a penalty, which is of a whole batch"
    dtype = next((weight.dtype for weight in network.parameters()), torch.float32)
    images, labels = floats(member.images[:8]).to(dtype), member.labels[:8]
    share = torch.full((len(labels),), 1 / len(labels), device=images.device, dtype=dtype)

    def loss(rows: slice) -> Tensor:
        return losses(network, images[rows], images[rows], labels[rows], share[rows], **member.objective)[0]

    whole, half = loss(slice(None)), len(labels) // 2
    with torch.no_grad():
        parts = loss(slice(half)) + loss(slice(half, None)) if half else whole
    if not torch.allclose(whole, parts, rtol=1e-3, atol=1e-5, equal_nan=True):
        return "gives for an image what hangs on the others of its batch"
    whole.backward()
    idle = [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None]
    return f"has weights on which no loss hangs ({', '.join(idle[:3])})" if idle else ""
