"""The section `remove_gate` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overgen.models.params import check_kinds
from overgen.run.sections import Name, Section, Seeds

if TYPE_CHECKING:
    from overgen.run.params import Params

GATE_OFF = "_gate_off"  # at the end of a dAE's name: its classifier alone


class RemoveGate(Section):
    seeds: Seeds  # of the dAE's trainings


SECTION = dict[Name, RemoveGate]


def check(params: Params) -> None:
    if not params.names("variant_datasets"):
        return
    check_kinds(params, "ungated", ("dae",))
    for name in params.names("ungated"):
        if name not in params.names("autoencoders"):
            raise ValueError(f"ungated: {name!r} must be one of autoencoders, which are trained")
        if getattr(params.models.get(name + GATE_OFF), "network", None) != "cnn":
            raise ValueError(f"ungated: {name!r} needs `{name}{GATE_OFF}: {{network: cnn}}` among `models`")
