"""`params.yaml`, checked: unknown keys and impossible values are refused with the line they stand on.

A stage reads only what its `params:` list in `dvc.yaml` declares (`declared`), so that DVC knows of every value that
can change a result; reading anything else is an error. Needs neither DVC nor torch.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from overgen import OvergenError
from overgen.measures.thresholds import Confidence
from overgen.models.params import (
    AutoencoderModel,
    CnnModel,
    CoolModel,
    DaeModel,
    LenetModel,
    Model,
    OneClassSvmModel,
    OtherModel,
    Perceptron,
    base_of,
)
from overgen.run.engine import Engine
from overgen.run.pipeline import read_yaml, stage_entry
from overgen.run.sections import MemberName, Name, Section
from overgen.stages.collect_fooling.params import CollectFooling
from overgen.stages.download.params import Download
from overgen.stages.evaluate_confidence.params import EvaluateConfidence
from overgen.stages.evaluate_fooling.params import EvaluateFooling
from overgen.stages.evaluate_oneclass.params import EvaluateOneclass
from overgen.stages.evaluate_oneclass_scores.params import EvaluateOneclassScores
from overgen.stages.evaluate_openset.params import EvaluateOpenset
from overgen.stages.evaluate_scores.params import EvaluateScores
from overgen.stages.fool_evolution.params import FoolEvolution
from overgen.stages.fool_fgn.params import FoolFgn
from overgen.stages.fool_gradient.params import FoolGradient
from overgen.stages.fool_lbfgs.params import FoolLbfgs
from overgen.stages.fool_variants.params import FoolVariants
from overgen.stages.report.params import Report
from overgen.stages.retrain_on_fooling.params import RetrainOnFooling
from overgen.stages.search_choices.params import SearchChoices
from overgen.stages.train_oneclass.params import TrainOneclass
from overgen.stages.train_openset.params import TrainOpenset
from overgen.stages.train_perceptrons.params import TrainPerceptrons
from overgen.stages.train_rings.params import TrainRings
from overgen.training.params import Fit, Training


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


def line_of(node: yaml.Node | None, location: tuple[Any, ...]) -> int:
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


def load(path: str | Path = "params.yaml") -> Params:
    """The checked parameters. Raises OvergenError naming file, line, key and what is wrong with the value."""
    path = Path(path)
    raw, tree = read_yaml(path)
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
        raise OvergenError(f"{path}, line {line_of(tree, first['loc'])}, {key}: {message}{value}") from None


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
        return value_at(self._params, key)

    def values(self) -> dict[str, Any]:
        """All declared values by full dotted path, as plain YAML values: what the stage depends on."""
        found: dict[str, Any] = {}
        for key in self.keys:
            flatten_into(key, plain(value_at(self._params, key)), found)
        return found


def value_at(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        try:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        except (KeyError, AttributeError, TypeError):
            known = value if isinstance(value, dict) else type(value).model_fields
            raise OvergenError(f"params.yaml has no {key}: {part!r} is none of {', '.join(map(str, known))}") from None
    return value


def plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def flatten_into(key: str, value: Any, found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            flatten_into(f"{key}.{name}", part, found)
    else:
        found[key] = value


def declared(stage: str, *, root: str | Path = ".", **item: str) -> Declared:
    """The parameters of one cell of a stage, as dvc.yaml declares them.

    item: the cell's values of the matrix, such as dataset="mnist", model="cnn". Raises OvergenError for a data set or
    model that the stage's matrix does not have.
    """
    params = load(Path(root) / "params.yaml")
    matrix = read_yaml(Path(root) / "dvc.yaml")[0]["stages"].get(stage, {}).get("matrix", {})
    for name, value in item.items():
        options = matrix.get(name, [])
        if isinstance(options, str):  # "${datasets}"
            options = value_at(params, options.strip("${}"))
        if value not in options:
            raise OvergenError(f"{name} {value!r} is unknown to stage {stage}; params.yaml has {', '.join(options)}")
    return Declared(params, stage_entry(stage, item, Path(root) / "dvc.yaml")["params"], stage)
