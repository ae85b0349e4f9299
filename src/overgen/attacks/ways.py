"""How images are synthesised, as params.yaml says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from overgen.run.sections import NonNegative, Positive, Rate, Section

if TYPE_CHECKING:
    from overgen.attacks.synthesis import Way


class SynthesisWay(Section):
    """Of `synthesis.Way`, with the regularisers beside each other."""

    parametrisation: Literal["pixels", "fourier"]
    rate: Positive
    decay: Rate = 0.0
    blur: NonNegative = 0.0
    total_variation: NonNegative = 0.0
    jitter: int = 0

    def way(self) -> Way:
        from overgen.attacks.ascent import Regularisers
        from overgen.attacks.synthesis import Way

        regularisers = Regularisers(decay=self.decay, blur=self.blur)
        return Way(self.parametrisation, self.rate, regularisers, self.total_variation, self.jitter)
