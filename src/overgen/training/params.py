"""The section `training`, and what the stages that train classifiers and autoencoders declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from overgen.run.sections import Count, Name, NonNegative, Positive, Section, Seeds

if TYPE_CHECKING:
    from overgen.run.params import Params


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
    test_curve: bool | list[Name] = False  # the accuracy on the test images after each epoch, of all models or of some

    def tests(self, model: str) -> bool:
        """Whether a model has a test curve."""
        return self.test_curve if isinstance(self.test_curve, bool) else model in self.test_curve


SECTIONS = {"training": dict[Name, Training]}


def check_changes(params: Params, stage: str) -> None:
    """Raise ValueError if a section changes the training of what is no network. stage: whose section it is."""
    networks = {name for name, model in params.models.items() if hasattr(model, "network")}
    for dataset, section in getattr(params, stage).items():
        tested = getattr(section, "test_curve", False)  # some sections have none
        for key, names in (("training", section.training), ("test_curve", tested if isinstance(tested, list) else [])):
            if unknown := sorted(set(names) - networks):
                raise ValueError(f"{stage}.{dataset}.{key}: {', '.join(unknown)}: must be networks of `models`")


def check_epochs(params: Params, stage: str, models: str) -> None:
    """Raise ValueError if epochs by model lack one that is trained. models: the list in params.yaml that names them."""
    for dataset, section in getattr(params, stage).items():
        epochs = section.epochs
        lacking = [name for name in params.names(models) if isinstance(epochs, dict) and name not in epochs]
        if lacking:
            raise ValueError(
                f"{stage}.{dataset}.epochs: none for {', '.join(lacking)}; give one number, or one for each"
            )
