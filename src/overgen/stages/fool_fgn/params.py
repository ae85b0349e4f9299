"""The section `fool_fgn` of params.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from overgen.attacks.params import check_attacked, check_scaled
from overgen.run.sections import Count, Distinct, Name, NonNegative, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params

Optimizer = Literal["adam", "sgd"]
GeneratorInput = Literal["normal", "uniform"]
GeneratorInitial = Literal["glorot"] | Positive  # a number: the deviation of the generator's weights
Clip = Annotated[float, Field(gt=0, lt=1)]


class FgnVariant(Section):
    """The attack on y of some models with other options than the section's."""

    models: Distinct[Name]
    learning_rate: Positive | None = None
    optimizer: Optimizer | None = None
    input: GeneratorInput | None = None
    initial: GeneratorInitial | None = None
    clip: Clip | None = None  # the loss is −log max(y, clip), which has no gradient below

    @property
    def options(self) -> dict[str, Any]:
        """What it changes, by name."""
        return {k: v for k, v in self.model_dump(exclude={"models"}).items() if v is not None}

    @property
    def name(self) -> str:
        """Of its numbers, such as "lr_1e-3" or "input_normal-initial_glorot"."""
        texts = {
            k: str(v) if not isinstance(v, float) else f"{v:.3g}" if v >= 0.01 else f"{v:.0e}"
            for k, v in self.options.items()
        }
        return "-".join(f"{k}_{re.sub('e-0', 'e-', v)}" for k, v in texts.items()).replace("learning_rate", "lr")

    @model_validator(mode="after")
    def changes_something(self) -> FgnVariant:
        if not self.options:
            raise ValueError("changes nothing: give one of learning_rate, optimizer, input, initial, clip")
        return self


class FoolFgn(Section):
    trials: Count  # for each target class
    updates: Count | dict[Name, Count]  # of every model, or by model
    learning_rate: Positive
    optimizer: Optimizer
    input: GeneratorInput
    initial: GeneratorInitial = "glorot"
    scaled: dict[Name, list[NonNegative]]  # models of which ỹ is attacked too, each at these α
    variants: list[FgnVariant] = Field([])
    block: Count  # trials attacked together


SECTION = dict[Name, FoolFgn]


def check(params: Params) -> None:
    check_attacked(params)
    check_scaled(params, "fool_fgn", params.names("attacked"))
    for dataset, attack in params.fool_fgn.items():
        names = [variant.name for variant in attack.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"fool_fgn.{dataset}.variants: {', '.join(names)}: no two may be the same")
        if strange := sorted({model for variant in attack.variants for model in variant.models} - set(params.models)):
            raise ValueError(f"fool_fgn.{dataset}.variants: {', '.join(strange)}: models must be those of `models`")
