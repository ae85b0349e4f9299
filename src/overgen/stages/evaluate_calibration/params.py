"""The section `evaluate_calibration` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from overgen.run.sections import Count, Distinct, Name, Section
from overgen.stages.fool_gradient.params import FoolGradient

if TYPE_CHECKING:
    from overgen.run.params import Params

DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too

Kind = Literal["uniform", "normal", "smooth", "constant", "shuffled", "patches", "phase", "silhouettes", "textures"]


class EvaluateCalibration(Section):
    bins: Count  # of the reliability diagrams
    resamples: Count  # of the images, for the intervals of calibration errors
    training_images: Count  # random ones, whose temperature is compared with that of the test images, at most
    kinds: Distinct[Kind]  # of unknown images, of `overgen.data.unknowns`
    other_data: list[Name]  # other data sets, whose test images are unknown
    images: Count  # of each kind of unknown, at most
    attack: FoolGradient  # on the calibrated network: the first trials of fool_gradient, made anew


SECTION = dict[Name, EvaluateCalibration]


def check(params: Params) -> None:
    """Raise ValueError where fool_gradient has no trials that are to be made anew."""
    for dataset, section in params.evaluate_calibration.items():
        if dataset not in params.fool_gradient:
            continue  # none of its stages is run, or what lacks is named
        place, made = f"evaluate_calibration.{dataset}.attack", params.fool_gradient[dataset]
        if other := [start for start in section.attack.starts if start not in made.starts]:
            raise ValueError(f"{place}.starts: {', '.join(other)}: fool_gradient.{dataset}.starts has no such trials")
        if section.attack.restarts > made.restarts or section.attack.classes != made.classes:
            raise ValueError(
                f"{place}: {section.attack.restarts} restarts of {section.attack.classes} classes: "
                f"fool_gradient.{dataset} has trials for {made.restarts} of {made.classes}"
            )
