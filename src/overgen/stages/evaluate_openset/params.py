"""The section `evaluate_openset` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Section


class EvaluateOpenset(Section):
    resamples: Annotated[int, Field(ge=100)]


SECTION = EvaluateOpenset
