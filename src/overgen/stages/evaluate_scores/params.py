"""The section `evaluate_scores` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from overgen.run.sections import Count, Distinct, Name, Section

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
    methods: dict[Name, Distinct[ScoreMethod]]  # by model; `other`: those not named
    held_out: Annotated[int, Field(ge=20)]  # training images that no method is fitted on, for the threshold
    keep: Annotated[float, Field(gt=0, lt=1)]  # share of them that it accepts
    fit_images: Annotated[int, Field(ge=50)]  # random ones for methods whose cost grows with their square
    noise_images: Count  # of each kind of noise, of shuffled images, and of other data
    other_data: dict[Name, Name] = Field({})  # by data set, the one whose test images are unknown to it
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


SECTION = EvaluateScores
