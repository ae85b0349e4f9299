"""The section `evaluate_oneclass` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Section


class EvaluateOneclass(Section):
    grid: Annotated[int, Field(ge=10)]  # equal steps of the false positive rate at which ROC curves are averaged


SECTION = EvaluateOneclass
