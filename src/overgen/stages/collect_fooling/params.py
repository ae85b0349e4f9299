"""The section `collect_fooling` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overgen.run.sections import Name, Section

DYNAMIC = ("overgen.stages.fool_evolution.params",)  # sections that it declares, too


class CollectFooling(Section):
    # the MD5 of a published collection (examples.npz of the cell), to stay as it is; None: collect what there is
    fixed: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None


SECTION = dict[Name, CollectFooling]
