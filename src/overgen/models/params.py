"""The sections `models` and `perceptrons`: networks and their options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from overgen.run.sections import Count, NonNegative, Positive, Section

Units = Literal["relu", "sigmoid"]
Initial = Literal["glorot", "truncated_normal"]


class CnnModel(Section):
    network: Literal["cnn"]
    units: Units = "relu"
    initial: Initial = "glorot"


class CoolModel(Section):
    network: Literal["cool"]
    units: Units = "relu"
    initial: Initial = "glorot"
    omega: Count = 10
    output_std: Positive = 1.0


class DaeModel(Section):
    network: Literal["dae"]
    units: Units = "relu"
    initial: Initial = "glorot"
    tied: bool
    output: Literal["linear", "sigmoid"] = "linear"
    unpooling: Literal["nearest", "switches", "zeros"] = "nearest"
    reconstruction_loss: Literal["squared", "bernoulli"] = "squared"
    reconstruction_weight: Positive
    classifier_input: Literal["noisy", "clean"]

    @model_validator(mode="after")
    def bernoulli_needs_probabilities(self) -> DaeModel:
        if self.reconstruction_loss == "bernoulli" and self.output != "sigmoid":
            raise ValueError("reconstruction_loss: bernoulli needs output: sigmoid, pixels in [0, 1]")
        return self


class AutoencoderModel(Section):
    network: Literal["autoencoder"]
    hidden: Count


class LenetModel(Section):
    network: Literal["lenet"]


OF_TRAINING = ("reconstruction_loss", "reconstruction_weight", "classifier_input")  # options of no network


class OtherModel(Section):
    """A network of the user's own, "src/own/<file>.py:<Class>", with its options.

    Those in `OF_TRAINING` are of a dAE's training: the last two go together.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    network: str

    @field_validator("network")
    @classmethod
    def in_a_file_of_own(cls, value: str) -> str:
        if value in ("cnn", "cool", "lenet", "dae", "autoencoder"):
            raise ValueError(f"the options given do not fit network {value!r}")
        if not re.fullmatch(r"src/own/\w+\.py:\w+", value):
            raise ValueError("is none of cnn, cool, lenet, dae, autoencoder, nor src/own/<file>.py:<Class>")
        return value

    def model_post_init(self, context: Any) -> None:
        options = self.model_extra or {}
        given = {key: options[key] for key in OF_TRAINING if key in options}
        if given:
            try:
                DaeModel.model_validate({"network": "dae", "tied": True, "output": "sigmoid", **given})
            except ValidationError as error:
                raise ValueError(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


Model = CnnModel | CoolModel | LenetModel | DaeModel | AutoencoderModel | OtherModel


class OneClassSvmModel(Section):
    """A one-class support vector machine with the RBF kernel, on pixels: no network. See scores/one_class_svm.py."""

    method: Literal["one_class_svm"]
    nu: Annotated[float, Field(gt=0, le=1)]
    gamma: Positive


class Perceptron(Section):
    """One of the networks of Szegedy et al. 2013, Table 1."""

    hidden: list[Count]  # sigmoid units of each hidden layer
    decays: list[NonNegative]  # λ of each layer, the softmax last: λ·Σw²/k is added to the loss, k its units
    pretrained: bool = False  # the hidden layers are trained as an autoencoder's, then stay as they are

    @model_validator(mode="after")
    def layers_agree(self) -> Perceptron:
        if len(self.decays) != len(self.hidden) + 1:
            raise ValueError(f"decays: {self.decays} for {len(self.hidden)} hidden layers and the softmax")
        if self.pretrained and not self.hidden:
            raise ValueError("pretrained: there is no hidden layer to train as an autoencoder's")
        return self


def base_of(variant: str, attacked: Iterable[str]) -> str:
    """The attacked model that a variant is called after: "cnn" for "cnn_sigmoid_units"; "" if there is none."""
    return max((model for model in attacked if variant.startswith(model + "_")), key=len, default="")
