"""Parameters of reports."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Section


class Report(Section):
    dpi: Annotated[int, Field(ge=50, le=600)]
