"""The section `visualise_units` of params.yaml."""

from __future__ import annotations

from overgen.attacks.ways import SynthesisWay
from overgen.models.imagenet import PhotographName
from overgen.run.sections import Count, Distinct, Section


class Dream(Section):
    """Deep dreams: in each photograph the mean square of a layer rises, in squares of rising sides."""

    photographs: Distinct[PhotographName]
    layers: Distinct[str]
    sides: Distinct[Count]
    steps: Count  # in each octave
    way: SynthesisWay


class VisualiseUnits(Section):
    layers: Distinct[str]  # as `probes.Probe` names them
    units: Count  # channels of each layer, drawn
    steps: Count
    way: SynthesisWay
    dream: Dream


SECTION = VisualiseUnits
