"""The section `judge_by_eye` of params.yaml."""

from __future__ import annotations

from typing import Any

from overgen.run.sections import Count, Section


class JudgeByEye(Section):
    least: Count  # answers of either kind of image with which a person counts, and images with which a family does


SECTION = JudgeByEye


def check(params: Any) -> None:
    """ValueError for a data set whose report would take the place of people's files."""
    if "labels" in params.names("datasets"):
        raise ValueError("datasets: 'labels': reports/labels holds what people answered; call the data set otherwise")
