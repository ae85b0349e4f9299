"""The sections `models` and `perceptrons`: networks and their options."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from overgen.run.sections import Count, MemberName, Name, NonNegative, Positive, Section

if TYPE_CHECKING:
    from overgen.run.params import Params

Units = Literal["relu", "sigmoid"]
Initial = Literal["glorot", "truncated_normal"]


class CnnModel(Section):
    network: Literal["cnn"]
    units: Units = "relu"
    initial: Initial = "glorot"
    classifier_input: Literal["noisy", "clean"] = "clean"  # noisy: trained on a dAE's noise, as a control


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


class AdoptedModel(Section):
    """A network that was trained elsewhere, see `models.adopted`; `overgen adopt` writes such an entry.

    file: of its weights, or of the whole network. module: "<file>.py:<Class>" where it holds weights alone, and its
    options; package: the package's or torchvision's network that they are of. sha256: of every file, by its name.
    datasets: those that it is for, by default all. The rest: see `adopted.Input` and `Adopted.of`.
    """

    network: Literal["adopted"]
    file: str
    sha256: Annotated[dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]], Field(min_length=1)]
    module: Annotated[str, Field(pattern=r"\.py:\w+$")] | None = None
    options: dict[str, Any] = Field({})
    package: str | None = None
    datasets: Annotated[list[Name], Field(min_length=1)] | None = None
    outputs: Literal["logits", "log_probabilities", "probabilities", "scores", "log_scores"] | None = None
    output: str | int | None = None
    features: str | None = None
    mean: float | list[float] | None = None
    std: float | list[float] | None = None
    scale: Positive = 1.0
    layout: Literal["NCHW", "NHWC", "flat"] | None = None
    channels: Literal[1, 3] | None = None
    size: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    dtype: Literal["float32", "uint8"] | None = None
    unsafe_pickle: bool = False

    def input(self) -> dict[str, Any]:
        """The fields of `adopted.Input` that are given."""
        names = ("mean", "std", "layout", "channels", "size", "dtype")
        given = {name: getattr(self, name) for name in names} | {"scale": self.scale if self.scale != 1 else None}
        return {name: value for name, value in given.items() if value is not None}


OUTPUTS = ("logits", "log_probabilities", "probabilities", "scores", "log_scores")  # see `models.outputs`
OF_TRAINING = ("reconstruction_loss", "reconstruction_weight", "classifier_input")  # options of no network


class OtherModel(Section):
    """A network of the user's own, "src/own/<file>.py:<Class>", with its options.

    Those in `OF_TRAINING` are of a dAE's training: the last two go together. `outputs` says what a plain tensor is that
    it returns in place of an `Output`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    network: str

    @field_validator("network")
    @classmethod
    def in_a_file_of_own(cls, value: str) -> str:
        if not re.fullmatch(r"src/own/\w+\.py:\w+", value):
            raise ValueError(f"is none of {', '.join(NETWORKS)}, nor src/own/<file>.py:<Class>")
        return value

    def model_post_init(self, context: Any) -> None:
        options = self.model_extra or {}
        if "outputs" in options and options["outputs"] not in OUTPUTS:
            raise ValueError(f"outputs: {options['outputs']!r} is none of {', '.join(OUTPUTS)}")
        if strange := [key for key, value in options.items() if not _finite(value)]:
            raise ValueError(f"{strange[0]}: {options[strange[0]]}: numbers must be finite")
        given = {key: options[key] for key in OF_TRAINING if key in options}
        if given:
            try:
                DaeModel.model_validate({"network": "dae", "tied": True, "output": "sigmoid", **given})
            except ValidationError as error:
                raise ValueError(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None


def _finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


NETWORKS: dict[str, type[Section]] = {
    "cnn": CnnModel,
    "cool": CoolModel,
    "lenet": LenetModel,
    "dae": DaeModel,
    "autoencoder": AutoencoderModel,
    "adopted": AdoptedModel,
}


def _described_by(value: Any) -> str:
    """The class that describes a network, by its `network`."""
    if isinstance(value, BaseModel):
        return type(value).__name__
    network = value.get("network") if isinstance(value, dict) else None
    return NETWORKS.get(str(network), OtherModel).__name__


def _network_or_method(value: Any) -> str:
    if isinstance(value, dict) and "method" in value and "network" not in value:
        return OneClassSvmModel.__name__
    return _described_by(value)


_Network = (
    Annotated[CnnModel, Tag("CnnModel")]
    | Annotated[CoolModel, Tag("CoolModel")]
    | Annotated[LenetModel, Tag("LenetModel")]
    | Annotated[DaeModel, Tag("DaeModel")]
    | Annotated[AutoencoderModel, Tag("AutoencoderModel")]
    | Annotated[AdoptedModel, Tag("AdoptedModel")]
    | Annotated[OtherModel, Tag("OtherModel")]
)
Model = Annotated[_Network, Discriminator(_described_by)]


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


SECTIONS = {
    "models": dict[
        Name,
        Annotated[_Network | Annotated[OneClassSvmModel, Tag("OneClassSvmModel")], Discriminator(_network_or_method)],
    ],
    "perceptrons": Annotated[dict[MemberName, Perceptron], Field(min_length=1)],
}
ATTACKED = ("cnn", "cool", "dae")  # networks that the attacks on images know


def check_kinds(params: Params, field: str, kinds: tuple[str, ...]) -> None:
    """Raise ValueError if a list names a model that is not there, or of no such kind.

    kinds: networks and methods; networks of the user's own fit every list.
    """
    for name in params.names(field):
        if name not in params.models:
            raise ValueError(f"{field}: {name!r}: `models` has only {', '.join(params.models)}")
        model = params.models[name]
        kind = getattr(model, "network", None) or model.method
        if kind not in kinds and not isinstance(model, OtherModel):
            what = "network" if hasattr(model, "network") else "method"
            raise ValueError(f"{field}: {name!r} does not fit: its {what} {kind!r} is none of {', '.join(kinds)}")


def trained(params: Params) -> list[str]:
    """The models that stages train, or adopt, for all that is attacked and judged."""
    return [*params.names("classifiers"), *params.names("autoencoders"), *params.names("adopted")]


def check_trained(params: Params, field: str) -> None:
    """Raise ValueError if a list names a model that no stage trains."""
    for name in params.names(field):
        if name not in trained(params):
            raise ValueError(
                f"{field}: {name!r}: no stage trains it; put it into classifiers or autoencoders, or adopted"
            )


def base_of(variant: str, attacked: Iterable[str]) -> str:
    """The attacked model that a variant is called after: "cnn" for "cnn_sigmoid_units"; "" if there is none."""
    return max((model for model in attacked if variant.startswith(model + "_")), key=len, default="")
