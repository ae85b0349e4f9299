"""The section `evaluate_controls` of params.yaml."""

from __future__ import annotations

from pydantic import field_validator

from overgen.run.sections import Distinct, Name, Section
from overgen.scores.names import FITTED
from overgen.stages.evaluate_scores.params import ScoreMethod

DYNAMIC = ("overgen.measures.thresholds", "overgen.stages.evaluate_scores.params")  # sections that it declares, too


class EvaluateControls(Section):
    features: Distinct[ScoreMethod]  # methods that judge the top hidden layer, of every network
    outputs: dict[Name, Distinct[ScoreMethod]]  # methods that judge what the network answers, by model

    @field_validator("features")
    @classmethod
    def of_features(cls, value: list[str]) -> list[str]:
        if other := [name for name in value if name not in FITTED or FITTED[name].view != "features"]:
            raise ValueError(f"{', '.join(other)}: must judge the top hidden layer, as all networks have one")
        return value


SECTION = EvaluateControls
