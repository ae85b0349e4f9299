"""What is checked of a network from elsewhere before anything is believed of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from overgen import OvergenError
from overgen.models.features import seen
from overgen.models.outputs import check_declared, detected, log_y_of
from overgen.run.streams import generator

if TYPE_CHECKING:
    from overgen.models.adopted.network import Adopted

SAME = 1e-3  # how far, of the largest answer, two answers of one image may lie apart: rounding of different batches
KEYS = ("logits", "log_probs", "probs")  # of a dictionary's tensors the one that is taken if no other is named


def fixed_images(shape: tuple[int, int, int]) -> Tensor:
    """The images that networks are tried on, (6, C, H, W): black, white, mean grey, two of noise, and faint noise."""
    noise = torch.rand(3, *shape, generator=generator("adopted", *shape))
    plain = torch.stack([torch.full(shape, value) for value in (0.0, 1.0, 0.5)])
    return torch.cat([plain, noise[:2], 0.45 + 0.1 * noise[2:]])


def put_to_evaluation(network: nn.Module) -> None:
    """Put a module into evaluation mode, its weights without gradients.

    A program of torch.export has no modes: it is what it was exported as.
    """
    try:
        network.eval()
    except NotImplementedError:
        network.training = False
    for parameter in network.parameters():
        parameter.requires_grad_(False)


def settle(network: Adopted, *, classes: int | None) -> None:
    """Find out what is not known of a network yet, and check all of it.

    Sets `classes`, `outputs` and `differentiable`. classes: how many there must be, if known.
    Raises OvergenError as `Adopted.of` says.
    """
    name, images = network.name, fixed_images(network.shape)
    before = {key: tensor.clone() for key, tensor in _buffers(network)}
    values = _answers(network, images)
    changed = [key for key, tensor in _buffers(network) if not _same_bits(before[key], tensor)]
    if changed:
        raise OvergenError(
            f"{name}: a forward pass in evaluation mode changes its buffer {changed[0].removeprefix('function.')}, so "
            "its answers depend on what it saw before; export it with frozen buffers (torch.export in evaluation mode)"
        )
    _check_finite(values, name)
    _check_draws(network, images, values)
    network.classes = 2 if values.shape[1] == 1 else values.shape[1]
    if classes is not None and network.classes != classes:
        raise OvergenError(
            f"{name}: answers with {values.shape[1]} number{'s' * (values.shape[1] > 1)} an image, but there are "
            f"{classes} classes; it was trained for other classes, or output (--output-key) names another part of its "
            "answer"
        )
    if network.outputs:
        check_declared(values, network.outputs, name)
    else:
        network.outputs = detected(values, name)
    log_y = log_y_of(values, network.outputs)
    if not bool(log_y.isfinite().all()) or float(log_y.max()) > 0:
        raise OvergenError(f"{name}: log y reaches {float(log_y.max()):.3g}; its outputs are no {network.outputs}")
    _check_alone(network, images, values)
    network.differentiable = _has_gradient(network, images[:2])
    if network.features_layer is not None:
        with torch.no_grad():
            seen(network, images[:2])


def numbers(answer: Any, output: str | int | None, count: int, name: str) -> Tensor:
    """The tensor (N, K) in what a network answers. output: index or key of it in a tuple or dictionary; count: N.

    Raises OvergenError if there is no such tensor, or more than one and none is named.
    """
    if isinstance(answer, Mapping):
        answer = _member(dict(answer), output, name)
    elif isinstance(answer, tuple | list):
        fields = getattr(answer, "_fields", range(len(answer)))
        answer = _member({**dict(enumerate(answer)), **dict(zip(fields, answer, strict=True))}, output, name)
    elif output is not None:
        raise OvergenError(
            f"{name}: output (--output-key): {output!r}: its answer is one {type(answer).__name__}; leave it out"
        )
    if not isinstance(answer, Tensor):
        raise OvergenError(f"{name}: answers with a {type(answer).__name__}, not with a tensor (N, classes)")
    if answer.dim() == 4 and tuple(answer.shape[2:]) == (1, 1):  # a convolution as the last layer
        answer = answer.flatten(1)
    if answer.dim() != 2 or answer.shape[0] != count:
        if answer.dim() == 1 and answer.shape[0] == count:  # (N,) of a network of two classes
            return answer[:, None]
        raise OvergenError(
            f"{name}: {count} image{'s' * (count > 1)} give an answer of the shape {tuple(answer.shape)}, not "
            f"({count}, classes)" + ("; a squeeze() takes the batch away" if count == 1 else "")
        )
    return answer


def _member(members: dict[Any, Any], output: str | int | None, name: str) -> Any:
    """One of an answer's tensors: the one named, else the only one, or the only one of a name that says so."""
    if output is not None:
        for key in (output, int(output) if str(output).isdecimal() else output):
            if key in members:
                return members[key]
        there = ", ".join(map(str, members))
        raise OvergenError(f"{name}: output (--output-key): {output!r} is no part of its answer, which has {there}")
    tensors = {key: value for key, value in members.items() if isinstance(value, Tensor) and value.dim() > 1}
    if len({id(value) for value in tensors.values()}) == 1:
        return next(iter(tensors.values()))
    named = [key for key in KEYS if key in tensors]
    if len(named) == 1:
        return tensors[named[0]]
    shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in tensors.items()) or "no tensor (N, classes)"
    raise OvergenError(
        f"{name}: its answer has several parts ({shapes}); name the one of the classes with output (--output-key)"
    )


def _answers(network: Adopted, images: Tensor) -> Tensor:
    """The network's answers without gradients. Raises OvergenError in place of what its code raises."""
    try:
        with torch.no_grad():
            return network.raw(images)
    except OvergenError:
        raise
    except Exception as error:  # a stranger's code raises what it likes
        wanted = network.input.of(network.shape)
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise OvergenError(
            f"{network.name}: does not take {len(images)} image{'s' * (len(images) > 1)} of {wanted} as "
            f"{network.input.dtype} {network.input.layout} ({said:.200}); say what it takes with shape, size, "
            "channels, layout or dtype (--size and so on; `overgen adopt` has them all)"
        ) from error


def _buffers(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, tensor) for name, tensor in network.named_buffers() if isinstance(tensor, Tensor)]


def _same_bits(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and bool(torch.equal(first.nan_to_num(), second.nan_to_num()))


def _check_finite(values: Tensor, name: str) -> None:
    if not bool(values.isfinite().all()):
        row, column = ((~values.isfinite()).nonzero()[0]).tolist()
        kind = ("black", "white", "grey", "noise", "noise", "faint noise")[row]
        raise OvergenError(
            f"{name}: its answer to the {kind} image is {float(values[row, column])} for class {column}; weights that "
            "are not finite, or a mean, std or scale (--mean, --std, --scale) that is not its own"
        )


def _check_draws(network: Adopted, images: Tensor, values: Tensor) -> None:
    """Raise OvergenError for a network that answers differently when it is asked again."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.initial_seed() % 2**31) + 1)
        again = _answers(network, images)
    if (gap := _gap(values, again)) > SAME:
        raise OvergenError(
            f"{network.name}: draws at random in evaluation mode: the same images give answers that differ by "
            f"{gap:.2g} of the largest. A functional dropout needs training=self.training; a program must be exported "
            f"in evaluation mode{_batch_norm(network)}"
        )


def _check_alone(network: Adopted, images: Tensor, values: Tensor) -> None:
    """Raise OvergenError for a network whose answer to an image depends on the others of the batch."""
    alone = torch.cat([_answers(network, image[None]) for image in images])
    if (gap := _gap(values, alone)) > SAME:
        raise OvergenError(
            f"{network.name}: its answer to an image depends on the other images of the batch (by {gap:.2g} of the "
            f"largest answer){_batch_norm(network)}; an image must be judged by itself"
        )


def _batch_norm(network: nn.Module) -> str:
    """What may be said of batch normalisation without running averages."""
    layers = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    normalising = [(key, module) for key, module in network.named_modules() if isinstance(module, layers)]
    bare = [key.removeprefix("function.") for key, module in normalising if module.running_mean is None]
    if not bare:
        return ""
    return f" ({bare[0]} normalises by the batch: it has no running averages)"


def _gap(first: Tensor, second: Tensor) -> float:
    """The largest difference, as a share of the largest answer; infinity for other shapes or NaN."""
    if first.shape != second.shape:
        return float("inf")
    gap = float((first.double() - second.double()).abs().max() / first.double().abs().max().clamp_min(1e-12))
    return gap if gap == gap else float("inf")


def _has_gradient(network: Adopted, images: Tensor) -> bool:
    """Whether log y has a gradient for the images that is not 0 everywhere."""
    if network.input.dtype == "uint8":
        return False
    x = images.clone().requires_grad_()
    try:
        with torch.enable_grad():
            log_y = log_y_of(network.raw(x), network.outputs)
            if not log_y.requires_grad:
                return False
            (gradient,) = torch.autograd.grad(log_y.sum(), x, allow_unused=True)
    except RuntimeError:  # an operation without a derivative, or in place on a leaf
        return False
    return gradient is not None
