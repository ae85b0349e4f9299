"""The section `engine`: how the work is computed."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from overgen.run.sections import Count, Name, Section


class Engine(Section):
    """How the work is computed: with the same values, the same machine type gives the same bytes."""

    precision: Literal["32", "bf16-mixed", "16-mixed"]
    threads: Count
    chunk: Count
    probes: Count
    # Members of a cell that train as one: for GPUs, which one small network leaves idle. By type of device (cuda, cpu),
    # 1 on those that are not named; a number is for every device.
    together: Count | dict[Name, Count] = 1

    def together_on(self, device: str) -> int:
        """`together` on a type of device."""
        return self.together if isinstance(self.together, int) else self.together.get(device, 1)

    @model_validator(mode="after")
    def independent(self) -> Engine:
        if self.together not in (1, {}) and self.precision == "16-mixed":
            raise ValueError(f"together: {self.together} members would share a loss scale; use 32 or bf16-mixed")
        return self


SECTIONS = {"engine": dict[Name, Engine]}
