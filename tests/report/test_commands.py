"""What a page tells a reader to change: the command fits params.yaml and dvc.yaml, and it changes something."""

from __future__ import annotations

import re
from functools import reduce
from operator import getitem

import pandas as pd
import pytest

from overgen.report.html import ENVIRONMENT
from overgen.report.study import Study
from overgen.run import params
from overgen.run.pipeline import address, cells_of, read_stages
from overgen.run.plans import plans
from overgen.run.yaml_files import flow, read_document

from workspace import ROOT

COMMANDS = {
    section.parent.name: found
    for section in sorted((ROOT / "src/overgen/stages").glob("*/section.md.j2"))
    if (found := re.findall(r"dvc exp run [^`]+", section.read_text()))
}  # by stage, as its template has them


@pytest.mark.parametrize("stage", COMMANDS)
def test_a_command_changes_what_a_stage_reads_to_a_possible_value(stage: str) -> None:
    values = read_document(ROOT / "params.yaml").values
    targets = {
        address(name, entry, item)
        for name, entry in read_stages(ROOT / "dvc.yaml").items()
        if name.startswith("report")
        for item in cells_of(entry, values)
    }
    of_stage = {dataset: plan for dataset, plan in plans(ROOT).items() if stage in plan.cells}
    assert of_stage
    for dataset, plan in of_stage.items():
        study = Study(pd.DataFrame(), dataset, {}, plan.settings, pd.DataFrame(), {})
        for template in COMMANDS[stage]:
            settings = study.section(f"{stage}.{dataset}")
            command = ENVIRONMENT.from_string(template).render(study=study, settings=settings)
            form = re.fullmatch(r"dvc exp run((?: -S '[\w.]+=[^']+')+) (\S+)", command)
            assert form, command
            assert form[2] in targets, command
            for key, text in re.findall(r"'([\w.]+)=([^']+)'", form[1]):
                value = read_document("value", text).values
                assert plan.settings[key] != value, f"{command}: it is {value} already"
                *section, name = key.split(".")
                reduce(getitem, section, values)[name] = value
    params.load(ROOT / "params.yaml", text=flow(values))
