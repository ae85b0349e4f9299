"""`params.yaml`, checked: unknown keys and impossible values are refused with the line they stand on.

A stage reads only what its `params:` list in `dvc.yaml` declares (`declared`), so that DVC knows of every value that
can change a result; reading anything else is an error. Needs neither DVC nor torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from overgen.artifacts import OvergenError

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Units = Literal["relu", "sigmoid"]
Initial = Literal["glorot", "truncated_normal"]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Section(BaseModel):
    """Base of every section: immutable, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


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


class Download(Section):
    source: Name


class Engine(Section):
    """How the work is computed: with the same values, the same machine type gives the same bytes."""

    precision: Literal["32", "bf16-mixed", "16-mixed"]
    threads: Count
    chunk: Count
    probes: Count
    # Members of a cell that train as one: for GPUs, which one small network leaves idle. By type of device (cuda, cpu),
    # 1 on those that are not named; a number is for every device.
    together: Count | dict[Name, Count] = 1

    def together_on(self, device: str) -> int:
        """`together` on a type of device."""
        return self.together if isinstance(self.together, int) else self.together.get(device, 1)

    @model_validator(mode="after")
    def independent(self) -> Engine:
        if self.together not in (1, {}) and self.precision == "16-mixed":
            raise ValueError(f"together: {self.together} members would share a loss scale; use 32 or bf16-mixed")
        return self


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


class SearchChoices(Section):
    """A search on held-out images: a base, and settings that each change options of it by name."""

    held_out: Count
    epochs: Count
    model: Model
    training: Training
    settings: Annotated[list[dict[Name, bool | int | float | str]], Field(min_length=1)]

    def chosen(self, setting: dict[str, Any]) -> tuple[Any, Training]:
        """The model and the training of a setting. Raises ValueError for a name that neither has, or its value."""
        sections: list[Any] = []
        unknown = set(setting)
        for base in (self.model, self.training):
            mine = {name: value for name, value in setting.items() if name in type(base).model_fields}
            sections.append(type(base).model_validate(base.model_dump() | mine))
            unknown -= set(mine)
        if unknown:
            known = ", ".join([*type(self.model).model_fields, *Training.model_fields])
            raise ValueError(f"{', '.join(sorted(unknown))}: no option of the model or of training ({known})")
        return sections[0], sections[1]

    @model_validator(mode="after")
    def possible(self) -> SearchChoices:
        if isinstance(self.model, AutoencoderModel):
            raise ValueError("model: settings are judged by their accuracies, and an autoencoder does not classify")
        for i, setting in enumerate(self.settings):
            try:
                self.chosen(setting)
            except ValueError as error:  # pydantic's, too
                raise ValueError(f"settings.{i}: {error}") from None
        return self


class Threshold(Section):
    tau: Annotated[float, Field(gt=0, lt=1)]
    alpha: NonNegative


class Confidence(Section):
    beta: NonNegative
    thresholds: Annotated[list[Threshold], Field(min_length=1)]


def distinct(value: list[Any]) -> list[Any]:
    if len(set(value)) != len(value):
        raise ValueError(f"values repeat: {value}")
    return value


def distinct_seeds(value: list[int]) -> list[int]:
    if len(set(value)) != len(value) or value[0] != 0:
        raise ValueError(f"seeds must differ and begin with 0, whose results are published: {value}")
    return value


Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(distinct_seeds)]


class Fit(Section):
    epochs: Count | dict[Name, Count]  # of every model, or by model
    seeds: Seeds
    training: dict[Name, TrainingChanges] = {}  # by model


Optimizer = Literal["adam", "sgd"]
GeneratorInput = Literal["normal", "uniform"]
GeneratorInitial = Literal["glorot"] | Positive  # a number: the deviation of the generator's weights
Clip = Annotated[float, Field(gt=0, lt=1)]


class FgnVariant(Section):
    """The attack on y of some models with other options than the section's."""

    models: Annotated[list[Name], Field(min_length=1)]
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
    variants: list[FgnVariant] = []
    block: Count  # trials attacked together


class FoolVariants(Section):
    """The FGN against variants of networks: budgets of its own, and else the options of `fool_fgn`."""

    trials: Count  # for each target class
    updates: Count
    scaled: dict[Name, list[NonNegative]] = {}  # as in fool_fgn


class GradientDescent(Section):
    """One of the attacks that `fool_gradient` tries in turn."""

    objective: Literal["cross_entropy", "margin"]
    learning_rate: Positive
    updates: Count


class FoolGradient(Section):
    restarts: Count  # for each target class and start
    attacks: Annotated[list[GradientDescent], Field(min_length=1)]
    starts: Annotated[list[Literal["noise", "mean_image", "other_class"]], Field(min_length=1)]
    check: Count  # updates between two estimates of γ
    block: Count  # trials attacked together


Rate = Annotated[float, Field(ge=0, le=1)]
RatePair = Annotated[list[Rate], Field(min_length=2, max_length=2)]
Encodings = Annotated[list[Literal["direct", "cppn"]], Field(min_length=1), AfterValidator(distinct)]


class Mutation(Section):
    """How genomes of both encodings change; see overgen.attacks.evolution and .cppn."""

    mutation_rate: Annotated[float, Field(gt=0, le=1)]  # of a pixel; of a CPPN's weight or function
    mutation_eta: Positive
    crossover_rate: Rate  # of images; CPPNs are swapped
    crossover_eta: Positive
    connections: RatePair  # of a CPPN: with what probability one is added, and one removed
    nodes: RatePair


class FoolEvolution(Mutation):
    encodings: Encodings
    runs: Count
    generations: Count
    population: Count
    stored_generations: list[Annotated[int, Field(ge=0)]]
    stop_when_reached: bool
    alpha: NonNegative  # α of the ỹ that is attacked (networks that reconstruct)


class RetrainOnFooling(Mutation):
    """Fooling images become a class of their own, the network is trained afresh and attacked again."""

    encodings: Encodings  # each has networks of its own
    runs: Count  # networks for each encoding, each retrained round after round
    rounds: Count
    epochs: Count  # of every training
    evolutions: Count  # of every network
    generations: Count
    population: Count
    images: Count  # added a round, at most


class Longer(Section):
    """Members that are trained a second time, for more epochs: what the others miss. Without effect if not for more."""

    known: Count  # classes: all members with so many
    epochs: Count


class TrainOpenset(Section):
    known: Annotated[list[Count], Field(min_length=1)]
    subsets: Count
    epochs: Count
    longer: Longer | None = None
    training: dict[Name, TrainingChanges] = {}  # by model

    @field_validator("known")
    @classmethod
    def distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value):
            raise ValueError(f"numbers of known classes repeat: {value}")
        return value

    @model_validator(mode="after")
    def comparable(self) -> TrainOpenset:
        if self.longer and self.longer.known not in self.known:
            raise ValueError(f"longer.known: {self.longer.known} is none of the numbers in `known`: {self.known}")
        return self

    @property
    def further(self) -> Longer | None:
        """`longer`, where that is more than all members get."""
        return self.longer if self.longer and self.longer.epochs > self.epochs else None


class TrainOneclass(Section):
    classes: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]  # a problem each: trained on it alone
    epochs: Count  # of the networks
    training: dict[Name, TrainingChanges] = {}  # by model

    @field_validator("classes")
    @classmethod
    def distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value):
            raise ValueError(f"classes repeat: {value}")
        return value


class EvaluateOneclass(Section):
    grid: Annotated[int, Field(ge=10)]  # equal steps of the false positive rate at which ROC curves are averaged


PixelScore = Literal[
    "knn_pixels", "k_means_pixels", "pca_pixels", "autoencoder_pixels", "other_uniform_pixels", "other_shuffled_pixels",
]  # fmt: skip


class EvaluateOneclassScores(Section):
    """Scores of pixels that can be fitted on one class; their options are those of evaluate_scores."""

    methods: Annotated[list[PixelScore], Field(min_length=1), AfterValidator(distinct)]


class EvaluateConfidence(Section):
    noise_images: Count
    bins: Count  # of the reliability diagrams; histograms of distances have four times as many


class EvaluateFooling(Section):
    attacks: Annotated[list[Literal["fool_fgn", "fool_gradient", "fool_evolution"]], Field(min_length=1)]


class CollectFooling(Section):
    # the MD5 of a published collection (examples.npz of the cell), to stay as it is; None: collect what there is
    fixed: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None


class EvaluateOpenset(Section):
    resamples: Annotated[int, Field(ge=100)]


MemberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


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


class FoolLbfgs(Section):
    images: Count  # for each network
    draws: Count  # of noise, for each image
    magnified: Positive  # the distortion that examples are brought to as well, rms
    stability_images: Count
    pixels: Annotated[list[Count], Field(min_length=2)]  # numbers of pixels that are replaced by noise

    @field_validator("pixels")
    @classmethod
    def distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value) or max(value) > 784:
            raise ValueError(f"numbers of pixels must differ and not exceed 784: {value}")
        return value


# Open-set scores: fitted ones (`openset.METHODS`), and those of a network's own outputs, ỹ and c̃.
OF_OUTPUTS = ("scaled_output", "confidence")
ScoreMethod = Literal[
    "scaled_output", "confidence", "softmax", "entropy", "max_logit", "energy", "openmax", "openmax_max",
    "knn", "knn_normalised", "k_means", "mahalanobis", "gaussian_density", "pca", "one_class_svm", "w_svm",
    "one_vs_set", "knn_pixels", "k_means_pixels", "pca_pixels", "one_class_svm_pixels", "w_svm_pixels",
    "one_vs_set_pixels", "autoencoder_pixels", "other_uniform", "other_shuffled", "other_uniform_pixels",
    "other_shuffled_pixels",
]  # fmt: skip


class EvaluateScores(Section):
    methods: dict[Name, Annotated[list[ScoreMethod], Field(min_length=1)]]  # by model; `other`: those not named
    held_out: Annotated[int, Field(ge=20)]  # training images that no method is fitted on, for the threshold
    keep: Annotated[float, Field(gt=0, lt=1)]  # share of them that it accepts
    fit_images: Annotated[int, Field(ge=50)]  # random ones for methods whose cost grows with their square
    noise_images: Count  # of each kind of noise, of shuffled images, and of other data
    other_data: dict[Name, Name] = {}  # by data set, the one whose test images are unknown to it
    neighbours: Count
    clusters: Count
    components: Count
    tail: Annotated[int, Field(ge=2)]
    network_updates: dict[Name, Count]  # of methods that are networks of their own, by data set; `other`: the rest

    def of(self, model: str) -> list[str]:
        """The methods of a model."""
        return list(self.methods.get(model, self.methods["other"]))

    @model_validator(mode="after")
    def for_every_model(self) -> EvaluateScores:
        if "other" not in self.methods:
            raise ValueError("methods has no entry `other`, for models that it does not name")
        if "other" not in self.network_updates:
            raise ValueError("network_updates has no entry `other`, for data sets that it does not name")
        return self


class TrainRings(Section):
    """Everything about the rings of Figure 2: lengths in the unit of the plane's coordinates."""

    centres: Annotated[list[Point], Field(min_length=1, max_length=3)]  # no more than figures.RING_COLOURS
    inner_radius: Positive
    thickness: Positive
    hidden: Count  # units of each of the two hidden layers
    steps: Count
    batch_size: Count
    learning_rate: Positive
    noise_std: NonNegative
    reconstruction_weight: Positive
    seeds: Seeds
    threads: Count
    alpha: NonNegative
    beta: NonNegative
    tau: Annotated[float, Field(ge=0, lt=1)]
    far: NonNegative  # what is further than this from every ring counts as far
    test_points: Count
    resolution: Count  # points along each side of the map
    extent: Positive  # the map covers [−extent, extent]²
    shown_points: Count


class Report(Section):
    dpi: Annotated[int, Field(ge=50, le=600)]


class Params(Section):
    """The whole of `params.yaml`."""

    datasets: Annotated[list[Name], Field(min_length=1)]
    classifiers: list[Name]
    autoencoders: list[Name]
    attacked: list[Name]
    evolved: list[Name]
    retrained_datasets: list[Name]
    openset_models: list[Name]
    scored_datasets: list[Name]
    oneclass_datasets: list[Name]
    oneclass_models: list[Name]
    searched_datasets: list[Name]
    searched_models: list[Name]
    variant_datasets: list[Name]
    variants: list[Name]
    models: dict[Name, Model | OneClassSvmModel]
    engine: dict[Name, Engine]
    training: dict[Name, Training]
    confidence: dict[Name, Confidence]
    download: dict[Name, Download]
    search_choices: dict[Name, dict[Name, SearchChoices]]
    train_classifier: dict[Name, Fit]
    train_autoencoder: dict[Name, Fit]
    train_variants: dict[Name, Fit]
    fool_fgn: dict[Name, FoolFgn]
    fool_variants: dict[Name, FoolVariants]
    fool_gradient: dict[Name, FoolGradient]
    fool_evolution: dict[Name, FoolEvolution]
    retrain_on_fooling: dict[Name, RetrainOnFooling]
    train_openset: dict[Name, TrainOpenset]
    evaluate_openset: EvaluateOpenset
    collect_fooling: dict[Name, CollectFooling]
    evaluate_scores: EvaluateScores
    train_oneclass: dict[Name, TrainOneclass]
    evaluate_oneclass: EvaluateOneclass
    evaluate_oneclass_scores: EvaluateOneclassScores
    evaluate_confidence: EvaluateConfidence
    evaluate_fooling: EvaluateFooling
    szegedy_datasets: list[Name]
    perceptrons: Annotated[dict[MemberName, Perceptron], Field(min_length=1)]
    train_perceptrons: dict[Name, TrainPerceptrons]
    fool_lbfgs: dict[Name, FoolLbfgs]
    train_rings: TrainRings
    report: Report
    report_rings: Report

    @model_validator(mode="after")
    def complete(self) -> Params:
        named = ("classifiers", "autoencoders", "attacked", "evolved", "openset_models", "oneclass_models", "variants")
        for field in named:
            for model in getattr(self, field):
                if model not in self.models:
                    raise ValueError(f"{field} names {model!r}, which `models` does not have: {', '.join(self.models)}")
        both = set(self.classifiers) & set(self.autoencoders)
        if both:
            raise ValueError(f"{sorted(both)} stand in classifiers and in autoencoders; one stage trains a model")
        kinds = {
            "classifiers": (CnnModel, CoolModel, LenetModel, OtherModel),
            "autoencoders": (DaeModel, AutoencoderModel, OtherModel),
            "attacked": (CnnModel, CoolModel, DaeModel, OtherModel),
            "evolved": (CnnModel, CoolModel, LenetModel, DaeModel, OtherModel),
            "openset_models": (CnnModel, CoolModel, DaeModel, OtherModel),
            "variants": (CnnModel, CoolModel, DaeModel, OtherModel),
            "oneclass_models": (CnnModel, CoolModel, DaeModel, AutoencoderModel, OtherModel, OneClassSvmModel),
        }
        for field, fitting in kinds.items():
            for model in getattr(self, field):
                section = self.models[model]
                if not isinstance(section, fitting):
                    kind = "network" if hasattr(section, "network") else "method"
                    raise ValueError(
                        f"{field} names {model!r}, which its {kind} {getattr(section, kind)!r} does not fit"
                    )
        trained = {*self.classifiers, *self.autoencoders}
        for field in ("attacked", "evolved", "openset_models"):
            for model in getattr(self, field):
                if model not in trained:
                    raise ValueError(f"{field} names {model!r}, which no stage trains: {', '.join(sorted(trained))}")
        variants = self.variants if self.variant_datasets else []
        for variant in variants:
            if variant in trained or not base_of(variant, self.attacked):
                raise ValueError(
                    f"variants names {variant!r}: must be called <model>_<change> after an attacked model "
                    f"({', '.join(self.attacked)}), and no other stage trains it"
                )
        for stage, attacked in (("fool_fgn", self.attacked), ("fool_variants", variants)):
            for dataset, attack in getattr(self, stage).items() if attacked else ():
                judged = {t.alpha for t in self.confidence[dataset].thresholds} if dataset in self.confidence else set()
                for model, alphas in attack.scaled.items():
                    if model not in attacked or not set(alphas) <= judged:
                        raise ValueError(
                            f"{stage}.{dataset}.scaled: {model}: {alphas} must name an attacked model and alphas of "
                            f"confidence.{dataset}.thresholds ({', '.join(f'{a:g}' for a in sorted(judged))})"
                        )
        if "fool_evolution" in self.evaluate_fooling.attacks and not set(self.attacked) <= set(self.evolved):
            lacking = ", ".join(sorted(set(self.attacked) - set(self.evolved)))
            raise ValueError(f"evolved lacks {lacking}: evaluate_fooling shows the images evolved against all attacked")
        for dataset, settings in self.fool_fgn.items():
            names = [variant.name for variant in settings.variants]
            strange = {model for variant in settings.variants for model in variant.models} - set(self.models)
            if len(set(names)) < len(names) or strange:
                raise ValueError(
                    f"fool_fgn.{dataset}.variants: {', '.join(sorted(strange)) or ', '.join(names)}: models must be "
                    "those of `models`, and no two variants the same"
                )
        networks = {name for name, model in self.models.items() if not isinstance(model, OneClassSvmModel)}
        for stage in ("train_classifier", "train_autoencoder", "train_variants", "train_openset", "train_oneclass"):
            for dataset, training in getattr(self, stage).items():
                if unknown := sorted(set(training.training) - networks):
                    raise ValueError(f"{stage}.{dataset}.training: {', '.join(unknown)}: must be networks of `models`")
        only = {  # sections that need no entry for other data sets than these
            "train_variants": self.variant_datasets,
            "fool_variants": self.variant_datasets,
            "retrain_on_fooling": self.retrained_datasets,
            "train_perceptrons": self.szegedy_datasets,
            "fool_lbfgs": self.szegedy_datasets,
            "train_oneclass": self.oneclass_datasets,
        }
        for name, section in self:
            if isinstance(section, dict) and name not in ("models", "search_choices", "perceptrons"):
                missing = [dataset for dataset in only.get(name, self.datasets) if dataset not in section]
                if missing:
                    raise ValueError(f"section {name} has no entry for data set {missing[0]!r}")
        for dataset in self.searched_datasets:
            for model in self.searched_models:
                if model not in self.search_choices.get(dataset, {}):
                    raise ValueError(f"search_choices.{dataset} has no entry for {model!r} of searched_models")
        return self


def base_of(variant: str, attacked: Iterable[str]) -> str:
    """The attacked model that a variant is called after: "cnn" for "cnn_sigmoid_units"; "" if there is none."""
    return max((model for model in attacked if variant.startswith(model + "_")), key=len, default="")


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is 10 times faster; every stage reads the file


def _line(node: yaml.Node | None, location: tuple[Any, ...]) -> int:
    """The line of params.yaml (from 1) on which the deepest known part of a key path stands."""
    line = 1
    for key in location:
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == str(key)]
            if not pairs:
                continue  # pydantic puts the name of a union's member into the path; the file has no such key
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def _read_yaml(path: Path) -> tuple[Any, yaml.Node | None]:
    """The values and, for the lines of errors, the tree that they come from."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        return None if tree is None else loader.construct_document(tree), tree
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; run from the repository's root") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "somewhere"
        raise OvergenError(f"{path}, {place}: not YAML ({getattr(error, 'problem', error)})") from error


def load(path: str | Path = "params.yaml") -> Params:
    """The checked parameters. Raises OvergenError naming file, line, key and what is wrong with the value."""
    path = Path(path)
    raw, tree = _read_yaml(path)
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        # Of a union every member complains; the deepest complaint about the network that was asked for says most.
        def relevance(found: Any) -> tuple[bool, int]:
            location = found["loc"]
            wanted = isinstance(raw, dict) and location[:1] == ("models",) and len(location) > 2
            options = (raw["models"].get(location[1]) or {}) if wanted else {}
            member = {
                "cnn": "CnnModel",
                "cool": "CoolModel",
                "lenet": "LenetModel",
                "dae": "DaeModel",
                "autoencoder": "AutoencoderModel",
            }
            asked = member.get(str(options.get("network")), "OtherModel")
            if "method" in options and "network" not in options:
                asked = "OneClassSvmModel"
            # pydantic names a member by its class, or by a validator's call that ends with it
            return (wanted and asked not in location[2], -len(location))

        first = min(error.errors(), key=relevance)
        union = re.compile(r".*Model\]?|constrained-.*|dict\[.*")  # names that pydantic gives the members of a union
        location = tuple(part for part in first["loc"] if not union.fullmatch(str(part)))
        key = ".".join(str(part) for part in location) or "(top level)"
        message = first["msg"].removeprefix("Value error, ")
        value = "" if first["type"] == "value_error" and not location else f" (found {first['input']!r:.80})"
        raise OvergenError(f"{path}, line {_line(tree, first['loc'])}, {key}: {message}{value}") from None


class Declared:
    """The parameters that a stage declares. `p("training.mnist")` gives a section, `p("training.mnist.l2")` a value."""

    def __init__(self, params: Params, keys: list[str], stage: str) -> None:
        self._params, self.keys, self._stage = params, keys, stage

    def __call__(self, key: str) -> Any:
        """The value or section at a dotted path. Raises OvergenError if the stage does not declare it."""
        if not any(key == known or key.startswith(known + ".") for known in self.keys):
            raise OvergenError(
                f"stage {self._stage} reads {key}, which its `params:` list in dvc.yaml does not declare "
                f"({', '.join(self.keys)}); DVC would not notice a change of it. Add it there."
            )
        return _get(self._params, key)

    def values(self) -> dict[str, Any]:
        """All declared values by full dotted path, as plain YAML values: what the stage depends on."""
        found: dict[str, Any] = {}
        for key in self.keys:
            _flatten(key, _plain(_get(self._params, key)), found)
        return found


def _get(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        try:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        except (KeyError, AttributeError, TypeError):
            known = value if isinstance(value, dict) else type(value).model_fields
            raise OvergenError(f"params.yaml has no {key}: {part!r} is none of {', '.join(map(str, known))}") from None
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _flatten(key: str, value: Any, found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            _flatten(f"{key}.{name}", part, found)
    else:
        found[key] = value


def stage_entry(stage: str, item: dict[str, str], path: str | Path = "dvc.yaml") -> dict[str, list[str]]:
    """The `deps` and `params` lists of a stage in dvc.yaml, with `${item.…}` replaced by the values of `item`."""
    raw, _ = _read_yaml(Path(path))
    stages = raw.get("stages", {})
    if stage not in stages:
        raise OvergenError(f"{path} has no stage {stage!r}; there are {', '.join(stages)}")

    def fill(text: str) -> str:
        return re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], text)

    return {kind: [fill(entry) for entry in stages[stage].get(kind, []) if isinstance(entry, str)]
            for kind in ("deps", "params")}  # fmt: skip


def declared(stage: str, *, root: str | Path = ".", **item: str) -> Declared:
    """The parameters of one cell of a stage, as dvc.yaml declares them.

    item: the cell's values of the matrix, such as dataset="mnist", model="cnn". Raises OvergenError for a data set or
    model that the stage's matrix does not have.
    """
    params = load(Path(root) / "params.yaml")
    matrix = _read_yaml(Path(root) / "dvc.yaml")[0]["stages"].get(stage, {}).get("matrix", {})
    for name, value in item.items():
        options = matrix.get(name, [])
        if isinstance(options, str):  # "${datasets}"
            options = _get(params, options.strip("${}"))
        if value not in options:
            raise OvergenError(f"{name} {value!r} is unknown to stage {stage}; params.yaml has {', '.join(options)}")
    return Declared(params, stage_entry(stage, item, Path(root) / "dvc.yaml")["params"], stage)
