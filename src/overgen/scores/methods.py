"""Open-set scores made by their names, a user's own too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overgen import OvergenError
from overgen.run.own import PATTERN, named
from overgen.scores.autoencoder import AutoencoderError
from overgen.scores.contractive import ContractiveError
from overgen.scores.denoising import DenoisingError
from overgen.scores.energy import Energy
from overgen.scores.energy_gan import EnergyGan
from overgen.scores.entropy import NegativeEntropy
from overgen.scores.gaussian_density import GaussianDensity
from overgen.scores.k_means import KMeansDistance
from overgen.scores.knn import NearestNeighbours
from overgen.scores.mahalanobis import Mahalanobis
from overgen.scores.max_logit import MaxLogit
from overgen.scores.names import FITTED, Score
from overgen.scores.one_class_svm_per_class import OneClassSVMPerClass
from overgen.scores.one_vs_set import OneVsSet
from overgen.scores.openmax import OpenMax
from overgen.scores.other_class import OtherClass
from overgen.scores.pca import PcaError
from overgen.scores.softmax import Softmax
from overgen.scores.w_svm import WeibullSVM

CLASSES: dict[str, type[Any]] = {
    made.__name__: made
    for made in (
        *(AutoencoderError, ContractiveError, DenoisingError, Energy, EnergyGan, GaussianDensity, KMeansDistance),
        *(Mahalanobis, MaxLogit, NearestNeighbours, NegativeEntropy, OneClassSVMPerClass, OneVsSet, OpenMax),
        *(OtherClass, PcaError, Softmax, WeibullSVM),
    )
}  # fmt: skip


VIEWS = ("pixels", "features", "logits")


def described(name: str) -> Score:
    """How a score is made, by its name. Raises OvergenError if a user's own has no such class, or says no view."""
    return _own(name)[1] if PATTERN.fullmatch(name) else FITTED[name]


def make(name: str, options: Mapping[str, Any]) -> Any:
    """A score that is not fitted yet. name: as in params.yaml; options: as `options_on` gives them. Errors as above."""
    if PATTERN.fullmatch(name):
        return _own(name)[0]()
    score = FITTED[name]
    return CLASSES[score.made_by](**{option: options[option] for option in score.takes}, **score.fixed)


def _own(name: str) -> tuple[type[Any], Score]:
    """A user's class and what it says of itself: `view`, and if it likes `costly` and `learns`, see `names.Score`."""
    made, path = named(name, "score"), name.partition(":")[0]
    if not isinstance(made, type):
        raise OvergenError(f"{path}: has no class {name.partition(':')[2]!r}, which score {name!r} names")
    if lacking := [method for method in ("fit", "score") if not callable(getattr(made, method, None))]:
        raise OvergenError(
            f"{name}: has no method {' and no method '.join(lacking)}; see overgen.scores for the contract"
        )
    view = getattr(made, "view", None)
    if view not in VIEWS:
        said = "has no `view`" if view is None else f"view is {view!r}"
        raise OvergenError(f"{name}: {said}; write on the class what it judges, as in `view = \"features\"`: one of "
                           f"{', '.join(VIEWS)}")  # fmt: skip
    costly, learns = (bool(getattr(made, flag, default)) for flag, default in (("costly", False), ("learns", True)))
    return made, Score(made.__name__, view, costly=costly, learns=learns)


def options_on(dataset: str, option: Callable[[str], Any]) -> dict[str, Any]:
    """The options that scores take on a data set, by name. option: gives one of evaluate_scores in params.yaml."""
    updates = option("network_updates")
    named = {name: option(name) for name in ("neighbours", "clusters", "components", "tail")}
    return named | {"updates": updates.get(dataset, updates["other"])}
