"""A made-up cell of this stage."""

from __future__ import annotations

from overgen.stages.train_openset.example import example_cell as example_cell
