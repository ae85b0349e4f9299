"""Attack the scores of controls by gradients, as `fool_gradient` attacks those of the study's networks.

    python -m overgen.run fool_controls --dataset mnist --models fooled_controls

A control differs from a network of the study in one thing: the CNN that was trained on the dAE's noise has no decoder,
the dAE with its gate off has all of its weights and no confidence.

Reads the model's trained networks and their outputs on the test images. Writes the cell, in the form of
`fool_gradient`'s.
"""

from __future__ import annotations

from overgen.run.stage import Stage
from overgen.stages.fool_gradient.run import attack_all


def main(stage: Stage) -> None:
    """Write the cell."""
    attack_all(stage, "control_gradient")
