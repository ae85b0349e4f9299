"""The section `download` of params.yaml."""

from __future__ import annotations

from overgen.run.sections import Name, Section


class Download(Section):
    source: Name


SECTION = dict[Name, Download]
