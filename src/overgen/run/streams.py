"""Random streams that depend on a key alone, never on the order of calls."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def generator(*key: object, device: Any = "cpu") -> torch.Generator:
    """A random generator that depends on the key alone, such as (seed, "fgn", target, trial): never on call order."""
    import torch

    digest = hashlib.sha256(json.dumps([str(part) for part in key]).encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)
