"""Members of a cell that train as one stack of networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import accumulate, zip_longest
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from overgen import OvergenError
from overgen.data import floats
from overgen.run.trainer import Steps
from overgen.training.module import Training, _Objective, adam, curve_of


class Together(pl.LightningModule):
    """Training of several members of a cell at once, for a GPU that one small network leaves idle.

    Their weights are stacked, (M, ...), and a step is one `vmap` over members. Each has the batches, the noise and the
    number of updates that it has alone: a shorter batch is padded with images that count nothing, and a member whose
    epoch is over rests, and so does its Adam. The loss is the sum of the members' losses, so the gradient of one does
    not depend on another. Equal to `Training` but for the order of sums: to 1e-10 in float64. On an H200 28 CNNs see
    8.7 times as many images in a second as one does, 28 denoising autoencoders 13 times as many (benchmarks/training).

    members: by name, those with most images first, so that the ones at work are always the first. They differ in
    weights, images, labels and key only. Images must not influence each other in the network, or padding would too.
    Raises ValueError for members that differ in more or are not in this order, and OvergenError for a network with
    buffers (batch normalisation).
    """

    def __init__(self, members: Mapping[str, Training]) -> None:
        super().__init__()
        self.names, self.members = list(members), list(members.values())
        first = self.members[0]
        settings = [(m.batch_size, m.learning_rate, m.noise_std, m.objective) for m in self.members]
        if any(other != settings[0] for other in settings):
            raise ValueError(f"members that train together differ in their settings: {settings}")
        sizes = [len(m.labels) for m in self.members]
        if sizes != sorted(sizes, reverse=True):
            raise ValueError(f"members that train together must come with most images first, not with {sizes}")
        if any(m.falling for m in self.members):
            raise ValueError("members that train together keep their learning rate: falling is for one alone")
        parameters, buffers = torch.func.stack_module_state([m.network for m in self.members])
        if buffers:
            raise OvergenError(
                f"{type(first.network).__name__} has buffers ({', '.join(buffers)}), which members that train together "
                "would share with padding; set engine.*.together to 1 in params.yaml"
            )
        self.images = torch.cat([m.images for m in self.members])
        self.labels = torch.cat([m.labels for m in self.members])
        self.offsets = [0, *accumulate(sizes)][:-1]
        self.parameter_names = list(parameters)
        self.stacked = nn.ParameterList(parameters.values())
        objective = _Objective(first.network, first.objective)

        def losses_of_one(parameters: dict[str, Tensor], *batch: Tensor) -> tuple[Tensor, ...]:
            return torch.func.functional_call(objective, parameters, batch)

        self.losses = torch.func.vmap(losses_of_one)

    def train_dataloader(self) -> Steps:
        """The steps of this epoch: what (A, B) images the A members at work see, what each image counts, lengths."""
        steps = []
        for step in zip_longest(*(m.batches(self.current_epoch) for m in self.members)):
            working = [index for index in step if index is not None]
            lengths = [len(index) for index in working]
            images = pad_sequence([i + k for i, k in zip(working, self.offsets, strict=False)], batch_first=True)
            share = pad_sequence([torch.full((n,), 1 / n, dtype=torch.float64) for n in lengths], batch_first=True)
            steps.append((images.to(self.images.device), share.to(self.images.device), lengths))
        return Steps(steps)

    def on_train_epoch_start(self) -> None:
        self.noise = [m.noise_of(self.current_epoch, self.device) for m in self.members]
        self.sums = torch.zeros(5, len(self.members), device=self.device)  # rows as in Training

    def training_step(self, step: tuple[Tensor, Tensor, list[int]]) -> Tensor:
        index, share, lengths = step
        clean = floats(self.images[index.flatten()]).to(self.dtype).view(*index.shape, *self.images.shape[1:])
        share, x = share.to(clean.dtype), clean
        if noise_std := self.members[0].noise_std:
            noise = torch.zeros_like(clean)
            for rows, length, stream in zip(noise, lengths, self.noise, strict=False):
                torch.randn(rows[:length].shape, generator=stream, out=rows[:length])
            x = clean + noise_std * noise
        self.working = len(index)
        weights = {f"network.{name}": p[: self.working] for name, p in self._named()}
        with under_vmap(self.device.type):
            loss, classification, reconstruction, right = self.losses(weights, clean, x, self.labels[index], share)
        with torch.no_grad():
            counts = share > 0
            n, hits = counts.sum(1).to(loss.dtype), (right & counts).sum(1).to(loss.dtype)
            self.sums[:, : self.working] += torch.stack([n, n * loss, n * classification, n * reconstruction, hits])
        return loss.sum()

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Any) -> None:
        self.zero_grad()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for parameter, rows in zip(self.stacked, self.rows, strict=True):
            gradients = () if parameter.grad is None else parameter.grad[: self.working].unbind()
            for row, gradient in zip_longest(rows, gradients):  # Adam passes over a row that has none
                row.grad = gradient

    def on_train_epoch_end(self) -> None:
        diverged = []
        if any(member.test for member in self.members):
            self.unstack()  # into the members' own networks, which are tested
        for m, (name, member) in enumerate(zip(self.names, self.members, strict=True)):
            curve = curve_of(self.current_epoch, self.sums[:, m]) | member.tested()
            member.curves.append(curve)
            if not torch.isfinite(self.sums[:, m]).all():
                diverged.append(f"{name}: the training loss is {curve['loss']} in epoch {self.current_epoch}")
        if diverged:
            raise FloatingPointError("; ".join(diverged))
        for logger, member in zip(self.loggers, self.members, strict=False):  # one for each, or none at all
            metrics = {k if k == "epoch" else f"train/{k}": v for k, v in member.curves[-1].items()}
            epoch_steps = math.ceil(len(member.labels) / member.batch_size)
            logger.log_metrics(metrics, step=(self.current_epoch + 1) * epoch_steps - 1)  # its own last step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # Adam sees every member's weights as tensors of their own, views of the stack: each with its count of steps
        self.rows = [p.detach().unbind() for p in self.stacked]
        named = zip(self.parameter_names, self.rows, strict=True)
        pairs = ((r, m.decay(name)) for name, rows in named for r, m in zip(rows, self.members, strict=True))
        return adam(pairs, self.members[0].learning_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curves"] = [m.curves for m in self.members]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for member, curves in zip(self.members, checkpoint["curves"], strict=True):
            member.curves = curves

    @torch.no_grad()
    def unstack(self) -> None:
        """Copy the weights into the members' own networks."""
        for name, parameter in self._named():
            for m, member in enumerate(self.members):
                member.network.get_parameter(name).copy_(parameter[m])

    def _named(self) -> Iterable[tuple[str, nn.Parameter]]:
        return zip(self.parameter_names, self.stacked, strict=True)


@contextmanager
def under_vmap(device: str) -> Iterator[None]:
    """What functions under `vmap` need: the autocast that is on, if it is, and on a GPU first layers as products.

    vmap takes a convolution or a log-softmax apart before autocast sees it: on a CPU convolutions would stay in
    float32, and everywhere a log-softmax would stay in bfloat16.
    """
    with ExitStack() as stack:
        if device == "cuda":
            stack.enter_context(_Products())
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
            stack.enter_context(torch.autocast(device, enabled=False))
            stack.enter_context(_Cast(dtype))
        yield


def convolution_of_one_channel(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, padding: int) -> Tensor:
    """`F.conv2d` of x (N, 1, H, W) by weight (O, 1, K, K) with stride 1, as products of matrices.

    Under `vmap` over members with weights of their own a convolution becomes a grouped one, and where a group has one
    channel a depthwise one, whose kernels took 39 % of a step of 28 CNNs on an H200 (4.9 of 12.6 ms). The products are
    of a part of the images each: the gradient of the weight sums over all pixels of all images, and in one product per
    member most of the GPU would wait for it. Returns (N, O, H', W'), with the channels last in memory.
    """
    size, parts = weight.shape[2], math.gcd(len(x), 16)
    windows = F.pad(x[:, 0], (padding,) * 4).unfold(1, size, 1).unfold(2, size, 1)  # (N, H', W', K, K)
    padded = -size * size % 8  # aligned rows
    rows = F.pad(windows.flatten(3), (0, padded)).view(parts, -1, size * size + padded)
    columns = F.pad(weight.flatten(1), (0, padded)).t().expand(parts, -1, -1)
    product = torch.bmm(rows, columns)
    if bias is not None:
        product = product + bias
    return product.view(*windows.shape[:3], -1).permute(0, 3, 1, 2)


class _Products(TorchFunctionMode):
    """Computes convolutions of one channel with `convolution_of_one_channel`."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.conv2d and args[1].shape[1] == 1:
            names = ("x", "weight", "bias", "stride", "padding", "dilation", "groups")
            options = dict(zip(names, args, strict=False)) | (kwargs or {})
            padding: Any = options.get("padding", 0)
            usual = all(options.get(name, 1) in (1, (1, 1)) for name in ("stride", "dilation", "groups"))
            if isinstance(padding, tuple) and len(set(padding)) == 1:
                padding = padding[0]
            if usual and isinstance(padding, int):
                x, weight = args[:2]
                return convolution_of_one_channel(x, weight, options.get("bias"), padding=padding)
        return function(*args, **(kwargs or {}))


class _Cast(TorchFunctionMode):
    """Casts the arguments of some functions as autocast on CUDA does, before they are called."""

    lower: ClassVar[set[Any]] = {
        *(torch.conv1d, torch.conv2d, torch.conv_transpose2d, F.linear, torch.einsum),
        *(torch.matmul, torch.mm, torch.bmm, Tensor.matmul, Tensor.__matmul__),
    }
    full: ClassVar[set[Any]] = {F.log_softmax, F.softmax, torch.log_softmax, torch.softmax, F.cross_entropy}

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in self.lower or function in self.full:
            dtype = self.dtype if function in self.lower else torch.float32
            args = tree_map_only(Tensor, lambda t: t.to(dtype) if t.is_floating_point() else t, args)
        return function(*args, **(kwargs or {}))
