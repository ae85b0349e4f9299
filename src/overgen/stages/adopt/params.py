"""The section `adopt` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.models.params import AdoptedModel, check_kinds
from overgen.run.sections import Count, Section

if TYPE_CHECKING:
    from overgen.run.params import Params


class Adopt(Section):
    resamples: Count  # of the test images, for the interval of the calibration error
    bins: Count  # of the reliability diagram


SECTION = Adopt


def check(params: Params) -> None:
    check_kinds(params, "adopted", ("adopted",))
    for name in params.names("adopted"):
        if not isinstance(params.models[name], AdoptedModel):
            raise ValueError(f"adopted: {name!r} is trained here: its network is no `adopted`")
        unknown = [each for each in params.models[name].datasets or () if each not in params.names("datasets")]
        if unknown:
            raise ValueError(f"models.{name}.datasets: {', '.join(unknown)}: `datasets` has no such data set")
