"""What stages add to the report: `report.py`, `section.md.j2` and `choices.md.j2` in their folders.

A page without the parts common to all data sets (`build.build_page`) begins with a stage's `opening.md.j2`: its title.

A stage's report.py may have
- TABLES, functions of a Study that give a Table, or several;
- FIGURES, functions of a Study that give a Figure, which is called like the function, pairs of name and Figure, or
  None;
- CHOICES, what the papers leave open: pairs of question and what is used (see `choices`);
- FINDINGS, functions of a Study that give a Finding, with which the report opens, or None (see `findings`);
- PAGE, the guided page where its section stands instead of in the report (see `guided`);
- CLAIMS, functions of a Study that give a Claim or None, with a test that was set before (see `claims`);
- GLANCE, numbers for the table of all models (see `glance`);
- METRICS, a few numbers by which studies are compared, for `dvc metrics`: by label, experiment, metric and keys;
- ORDERINGS of models (see `overview.orderings`);
- FILES, functions of a Study that give further files of the report's folder: their texts by name;
- `context`, a function of a Study: further values for the stage's templates;
- `experiment_name`, a function of an experiment: how the table of budgets calls it;
- COMPARED, False where the cells' numbers are no results and stay out of reproduced.csv;
- FIRST_SEED, True where of a network with several seeds the cells take seed 0 alone (see `seeds`).
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from overgen.report.html import TEMPLATES

DYNAMIC = ("overgen.stages.*.report",)  # what overgen.run.code follows


def of_stage(stage: str) -> ModuleType | None:
    """A stage's report.py; None if it has none."""
    name = f"overgen.stages.{stage}"
    if not importlib.util.find_spec(name) or not importlib.util.find_spec(f"{name}.report"):
        return None
    return importlib.import_module(f"{name}.report")


def is_compared(stage: str) -> bool:
    """Whether the numbers of a stage's cells stand in reproduced.csv."""
    return getattr(of_stage(stage), "COMPARED", True)


def of_first_seed(stage: str) -> bool:
    """Whether a stage's cells take seed 0 alone of a network with several."""
    return getattr(of_stage(stage), "FIRST_SEED", False)


def template(stage: str, name: str) -> str | None:
    """The path of one of a stage's templates among `html.TEMPLATES`; None if it has none of this name."""
    path = f"stages/{stage}/{name}"
    return path if (TEMPLATES / path).is_file() else None
