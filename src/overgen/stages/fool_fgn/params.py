"""The section `fool_fgn` of params.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from overgen.attacks.params import TARGETS, check_attacked, check_attacks
from overgen.run.sections import Count, Name, NonNegative, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params

Optimizer = Literal["adam", "sgd"]
GeneratorInput = Literal["normal", "uniform"]
GeneratorInitial = Literal["glorot"] | Positive  # a number: the deviation of the generator's weights
Clip = Annotated[float, Field(gt=0, lt=1)]


class FgnVariant(Section):
    """The attack on y with other options than the section's."""

    learning_rate: Positive | None = None
    optimizer: Optimizer | None = None
    input: GeneratorInput | None = None
    initial: GeneratorInitial | None = None
    clip: Clip | None = None  # the loss is −log max(y, clip), which has no gradient below

    @property
    def options(self) -> dict[str, Any]:
        """What it changes, by name."""
        return {k: v for k, v in self.model_dump().items() if v is not None}

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


class FgnOfModel(Section):
    """What is tried on one model besides the attack on y."""

    classes: Count = TARGETS  # attacked: all, or so many that are sampled beforehand
    scaled: list[NonNegative] = Field([])  # attacks on ỹ, one at each of these α
    variants: list[FgnVariant] = Field([])


class FoolFgn(Section):
    """models: an entry for each attacked model, so that what is tried on one leaves the trials of others alone."""

    trials: Count  # for each target class
    updates: Count | dict[Name, Count]  # of every model, or by model
    learning_rate: Positive
    optimizer: Optimizer
    input: GeneratorInput
    initial: GeneratorInitial
    block: Count  # trials attacked together
    models: dict[Name, FgnOfModel]


SECTION = dict[Name, FoolFgn]


def check(params: Params) -> None:
    check_attacked(params)
    check_attacks(params, "fool_fgn")
    for dataset, section in params.fool_fgn.items():
        for model, tried in section.models.items():
            names = [variant.name for variant in tried.variants]
            if len(set(names)) < len(names):
                key = f"fool_fgn.{dataset}.models.{model}.variants"
                raise ValueError(f"{key}: {', '.join(names)}: no two may be the same")
