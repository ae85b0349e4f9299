"""The section `train_adversarially` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from overgen.run.sections import Count, Name, NonNegative, Positive, Section, Seeds

Dropped = Annotated[float, Field(ge=0, lt=1)]
Level = Annotated[int, Field(ge=0)]


class Pools(Section):
    """Of `training.pool.PoolTraining`, for each level."""

    size: Count
    replaced: Count
    share: Count
    c: Positive
    minimisations: Count
    iterations: Count


class Setting(Section):
    """One way to train the network. With levels it has a pool of adversarial examples at each of them."""

    decays: list[NonNegative]  # λ of each layer, the softmax last: λ·Σw²/k is added to the loss, k its units
    dropout: list[Dropped] = Field(
        default_factory=list
    )  # of the pixels and of each hidden layer's outputs; none without it
    levels: list[Level] = Field(default_factory=list)  # 0: the pixels, 1: the first hidden layer's outputs, …
    weight: NonNegative = 0.0  # of the examples of each level beside the images


class TrainAdversarially(Section):
    """The first training is the one that the others are compared with."""

    hidden: Annotated[list[Count], Field(min_length=1)]  # sigmoid units of each hidden layer
    held_out: Count  # training images, on which the setting of each training is chosen
    seeds: Seeds
    batch_size: Count
    epochs: Count
    learning_rate: Positive
    images: Count  # attacked, for each training and seed
    pools: Pools
    trainings: Annotated[dict[Name, Annotated[list[Setting], Field(min_length=1)]], Field(min_length=2)]

    @model_validator(mode="after")
    def settings_fit(self) -> TrainAdversarially:
        layers = len(self.hidden) + 1
        for name, settings in self.trainings.items():
            for i, setting in enumerate(settings):
                place = f"trainings.{name}.{i}"
                if len(setting.decays) != layers:
                    raise ValueError(f"{place}.decays: {setting.decays} for {layers} layers")
                if setting.dropout and len(setting.dropout) != layers:
                    raise ValueError(
                        f"{place}.dropout: {setting.dropout} for the pixels and {layers - 1} hidden layers"
                    )
                if len(set(setting.levels)) < len(setting.levels) or max(setting.levels, default=0) >= layers:
                    raise ValueError(f"{place}.levels: {setting.levels} must differ and lie in 0..{layers - 1}")
                if bool(setting.levels) != (setting.weight > 0):
                    raise ValueError(f"{place}: levels {setting.levels} with the weight {setting.weight:g}; give both")
        if self.pools.replaced > self.pools.size:
            raise ValueError(f"pools.replaced: {self.pools.replaced} of {self.pools.size} examples")
        return self


SECTION = dict[Name, TrainAdversarially]
