"""The section `explore_anomaly` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overgen.run.sections import Count, Distinct, Name, Positive, Section, Seeds

Kind = Literal["uniform", "normal", "smooth", "constant", "shuffled", "patches", "phase", "silhouettes", "textures"]


class Tutorial(Section):
    """The network of the tutorial: one hidden layer of ReLU units, sigmoid pixels, cross-entropy, Adam."""

    hidden: Count
    batch_size: Count
    learning_rate: Positive
    epochs: Count
    seeds: Seeds


class ExploreAnomaly(Section):
    networks: Distinct[Name]  # that reconstruct; the first is shown
    kinds: Distinct[Kind]  # of unknown images, of `overgen.data.unknowns`
    other_data: list[Name]  # other data sets, whose test images are unknown
    known_images: Count  # test images that are judged, and as many that set thresholds, at most
    images: Count  # of each kind of unknown, at most
    fitted_images: Count  # random training images that methods of the code are fitted on, at most
    neighbours: Count  # of the distance to the nearest in the code
    deviations: Distinct[Annotated[int, Field(ge=1)]]  # k of the thresholds mean + k·deviation
    tutorial: Tutorial


SECTION = dict[Name, ExploreAnomaly]
