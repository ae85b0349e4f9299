"""A made-up cell of this stage."""

from __future__ import annotations

from overgen.training.example import classifier_cell as example_cell

__all__ = ["example_cell"]
