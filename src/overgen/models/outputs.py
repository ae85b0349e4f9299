"""What the numbers mean that a network answers with: declared or detected, and checked."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from overgen import OvergenError
from overgen.models.params import OUTPUTS as OUTPUTS

ROUNDING = 1e-3  # how far sums of probabilities may lie from 1, and scores from 0 and 1
DECLARE = "declare what they are with outputs (--outputs): one of " + ", ".join(OUTPUTS)
RAW = "raw logits are outputs: logits (--outputs logits)"


def log_y_of(values: Tensor, outputs: str) -> Tensor:
    """The log class scores that a network's outputs mean.

    values: (N, K), or (N, 1) of a network of two classes, which says how much it is the second; outputs: of `OUTPUTS`.
    Scores are probabilities of each class for itself, which need not sum to 1 over the classes.
    Returns (N, K), at most 0. Where a score is 0 the logarithm is that of the smallest normal number, −87.3 in float32.
    """
    if not values.is_floating_point():
        values = values.float()
    two = values.shape[1] == 1
    if outputs == "logits":
        return F.logsigmoid(torch.cat([-values, values], 1)) if two else F.log_softmax(values, dim=1)
    if outputs in ("probabilities", "scores"):
        values = torch.cat([1 - values, values], 1) if two else values
        values = values.clamp_min(torch.finfo(values.dtype).tiny).log()
    elif two:
        values = torch.cat([torch.log1p(-values.exp().clamp_max(1 - torch.finfo(values.dtype).eps)), values], 1)
    if outputs.endswith("probabilities"):
        return F.log_softmax(values, dim=1)  # what is left of rounding: sums of 1 to 1e-3 become sums of 1
    return values.clamp_max(0)


def detected(values: Tensor, name: str) -> str:
    """What outputs are, from those of the fixed images. values: (N, K) finite; name: of the network in errors.

    Raises OvergenError where more than one of `OUTPUTS` would fit.
    """
    values = values.double()
    low, high = float(values.min()), float(values.max())
    if values.shape[1] == 1:
        if low < 0 or high > 1:
            return "logits"
        raise OvergenError(
            f"{name}: its one output lies from {low:.3g} to {high:.3g}: logits or probabilities; {DECLARE}"
        )
    if sums_to_one(values):
        return "probabilities"
    if high <= 0 and sums_to_one(values.exp()):
        return "log_probabilities"
    if low < -ROUNDING and high > ROUNDING:
        return "logits"
    sums = values.sum(1)
    raise OvergenError(
        f"{name}: its outputs lie from {low:.3g} to {high:.3g} and sum to {float(sums.min()):.3g} to "
        f"{float(sums.max()):.3g} over the classes: they may be several things; {DECLARE}"
    )


def check_declared(values: Tensor, outputs: str, name: str) -> None:
    """Raise OvergenError where outputs cannot be what they are declared to be.

    values: (N, K) finite, of the fixed images.
    Logits can be any numbers: where they look like probabilities, they are refused as well.
    """
    if outputs not in OUTPUTS:
        raise OvergenError(f"{name}: outputs (--outputs): {outputs!r} is none of {', '.join(OUTPUTS)}")
    values = values.double()
    low, high = float(values.min()), float(values.max())
    if outputs == "logits":
        if values.shape[1] > 1 and (sums_to_one(values) or (high <= 0 and sums_to_one(values.exp()))):
            kind = "probabilities" if low >= 0 else "log_probabilities"
            raise OvergenError(
                f"{name}: outputs: logits, but every row is one of {kind}; declare outputs: {kind} (--outputs {kind})"
            )
        return
    logarithms = outputs.startswith("log_")
    if logarithms and high > ROUNDING:
        raise OvergenError(
            f"{name}: outputs: {outputs}, but they reach {high:.3g}, and a logarithm of a probability is at most 0; "
            f"{RAW}"
        )
    if not logarithms and (low < -ROUNDING or high > 1 + ROUNDING):
        raise OvergenError(f"{name}: outputs: {outputs}, but they lie from {low:.3g} to {high:.3g}; {RAW}")
    if outputs.endswith("probabilities") and values.shape[1] > 1:
        rows = values.exp() if logarithms else values
        if not sums_to_one(rows):
            off = rows.sum(1)
            worst = float(off[(off - 1).abs().argmax()])
            kind = "log_scores" if logarithms else "scores"
            raise OvergenError(
                f"{name}: outputs: {outputs}, but a row sums to {worst:.4g} over the classes, not to 1; where each "
                f"class has a score for itself, declare outputs: {kind} (--outputs {kind})"
            )


def sums_to_one(rows: Tensor) -> bool:
    """Whether rows (N, K) are probabilities, but for rounding."""
    return bool((rows >= -ROUNDING).all()) and bool(((rows.sum(1) - 1).abs() <= ROUNDING).all())
