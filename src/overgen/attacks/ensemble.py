"""An ensemble of networks that accepts as a class what every member accepts as that class, as attacks meet it.

Of class k the ensemble's log ỹ is the least of its members', and its score is that of its best class: an image passes a
threshold only where all members give one class that much.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from overgen.attacks.on_scores import Look, OnOutput, leads


class OnEnsemble:
    """The ensemble in place of one network, see `on_scores.OnOutput`. members: at least one, of the same classes.

    The gradient is that of the member that is least for the class. What a member says of class k is its score less how
    far k is behind its best class.
    """

    rise = staticmethod(float)

    def __init__(self, members: Sequence[OnOutput]) -> None:
        self.members = list(members)

    def __call__(self, x: Tensor) -> Look:
        """x: (R, D) in [0, 1], flat. Returns the look, with gradients in x."""
        looks = [member(x) for member in self.members]
        scores = least([look.score for look in looks], looks)
        guides = least([look.guide for look in looks], looks)
        score, label = scores.max(1)
        return Look(score, guides.amax(1), label, leads(guides))

    def look_from(self, level: float) -> None:
        """Let members ask whether Γ is 1 only where their scores reach a level: below it none can pass."""
        for member in self.members:
            member.level = level


def least(values: Sequence[Tensor], looks: Sequence[Look]) -> Tensor:
    """The least of the members for each class, (R, K). values: of each member's best class, (R,) each."""
    behind = [torch.where(look.leads > 0, torch.zeros_like(look.leads), look.leads) for look in looks]
    return torch.stack([value[:, None] + less for value, less in zip(values, behind, strict=True)]).amin(0)
