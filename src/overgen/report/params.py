"""Parameters of reports."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.measures.bands import SHARE
from overgen.run.sections import Positive, Section

Share = Annotated[str, Field(pattern=rf"^{SHARE}$")]  # "25 %" of the reported number
Band = Positive | Share


class Report(Section):
    dpi: Annotated[int, Field(ge=50, le=600)]


class Audited(Section):
    """What the report of an audit says of it. title: of the page; notes: what was left out, and why."""

    title: str
    notes: list[str]


class StudyReport(Report):
    """bands: of practical equality: by metric, how far from the reported number is still equal (`verdicts`).

    audit: given where the study is the audit of one network from elsewhere.
    """

    bands: dict[str, Band]
    audit: Audited | None = None
