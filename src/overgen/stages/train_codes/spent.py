"""What was spent on codes, in words."""

from __future__ import annotations

from overgen.run.results import Cell


def spent(cell: Cell) -> str:
    """Images and epochs behind a cell that has both in its budget: "10,000 images for 10 epochs"."""
    images, epochs = (cell.budget[f"train_codes.{cell.dataset}.{name}"] for name in ("images", "epochs"))
    return f"{images:,} images for {epochs} epochs"
