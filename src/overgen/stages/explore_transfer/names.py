"""How features are called in tables and figures."""

from __future__ import annotations

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import colour

CODE, PIXELS, PCA, SCRATCH = "code", "pixels", "pca", "scratch"
FEATURE_NAMES = {CODE: "AE code", PIXELS: "pixels", PCA: "PCA, same size", SCRATCH: "network from scratch"}
COLOURS = {PIXELS: "#3b3b3b", PCA: "#a6761d", SCRATCH: "#d55e00", CODE: "#b2182b"}


def feature_name(study: Study, features: str) -> str:
    """How features are called: of a network that has seen all labels, with a star."""
    return FEATURE_NAMES.get(features) or model_name(features) + ("*" if features in labelled(study) else "")


def feature_colour(features: str) -> str:
    return COLOURS.get(features) or colour(features)


def labelled(study: Study) -> list[str]:
    """The networks that have seen all labels."""
    return study.settings[f"explore_transfer.{study.dataset}.labelled"]
