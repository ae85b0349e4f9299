"""How features are called in tables and figures."""

from __future__ import annotations

from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.style import colour

PIXELS, PCA, SCRATCH = "pixels", "pca", "scratch"
FEATURE_NAMES = {PIXELS: "pixels", PCA: "PCA, same size", SCRATCH: "network from scratch"}
COLOURS = {PIXELS: "#3b3b3b", PCA: "#a6761d", SCRATCH: "#d55e00", "autoencoder": "#b2182b"}


def feature_name(study: Study, features: str) -> str:
    """How features are called: of a network that has seen all labels, with a star."""
    if features in FEATURE_NAMES:
        return FEATURE_NAMES[features]
    return network_name(study, features) + ("" if features in labelled(study) else ", code")


def network_name(study: Study, network: str) -> str:
    """How a network is called: one that has seen all labels, with a star."""
    return model_name(network) + ("*" if network in labelled(study) else "")


def feature_colour(features: str) -> str:
    return COLOURS.get(features) or colour(features)


def labelled(study: Study) -> list[str]:
    """The networks that have seen all labels."""
    return study.settings[f"explore_transfer.{study.dataset}.labelled"]


def encoder(study: Study) -> str:
    """The autoencoder that has seen none."""
    return study.settings[f"explore_transfer.{study.dataset}.encoder"]
