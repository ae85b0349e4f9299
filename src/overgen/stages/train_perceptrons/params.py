"""The section `train_perceptrons` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Count, Name, NonNegative, Positive, Section


class Steps(Section):
    epochs: Count
    learning_rate: Positive


class Pretraining(Steps):
    """Of hidden layers as an autoencoder's; see networks.PerceptronAutoencoder."""

    sparsity: NonNegative = 0.0
    activation: Annotated[float, Field(gt=0, lt=1)] = 0.1
    softmax_learning_rate: Positive | None = None  # of the softmax on top; that of the other networks unless given


class TrainPerceptrons(Section):
    batch_size: Count
    epochs: Count
    learning_rate: Positive
    autoencoder: Pretraining  # of the pretrained networks' hidden layers


SECTION = dict[Name, TrainPerceptrons]
