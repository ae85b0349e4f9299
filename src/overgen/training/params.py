"""The section `training`, and what the stages that train classifiers and autoencoders declare."""

from __future__ import annotations

from pydantic import Field

from overgen.run.sections import Count, Name, NonNegative, Positive, Section, Seeds


class Training(Section):
    batch_size: Count
    learning_rate: Positive
    noise_std: NonNegative
    l2: NonNegative


class TrainingChanges(Section):
    """What a stage changes of `training` for one model; None: nothing."""

    batch_size: Count | None = None
    learning_rate: Positive | None = None
    noise_std: NonNegative | None = None
    l2: NonNegative | None = None

    def of(self, training: Training) -> Training:
        """That section with these changes."""
        return training.model_copy(update=self.model_dump(exclude_none=True))


class Fit(Section):
    epochs: Count | dict[Name, Count]  # of every model, or by model
    seeds: Seeds
    training: dict[Name, TrainingChanges] = Field({})  # by model
