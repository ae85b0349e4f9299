"""What people see in the images that fooled: what they answered on the page `label.html` of the report, as numbers.

    python -m overgen.run judge_by_eye --dataset mnist --model people

Reads reports/labels/<dataset>/<anyone>.csv, a file a person, as the page saves them; and the cells of attack_scores, of
which the page is drawn: what each image is stands there and not in the files. Writes the cell: answers.csv, a row an
answer. A cell that nobody has judged says so.

What is asked of the result, and by what test, was written down before anybody judged: docs/questions.md.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from overgen import OvergenError
from overgen.attacks.evidence import smallest_budget
from overgen.run import results
from overgen.run.files import LEFT_OUT
from overgen.run.results import Cell
from overgen.run.stage import Stage
from overgen.stages.attack_scores.sheet import answers, sheet
from overgen.stages.judge_by_eye import summary
from overgen.stages.judge_by_eye.labels import LABELS, read_all

COMPUTE = False  # it reads and writes small files, without a device
ATTACKS = "attack_scores"


def main(stage: Stage) -> None:
    """Write the cell. Raises OvergenError for a file that cannot be meant, see `labels.read_all`."""
    dataset = stage.item["dataset"]
    attacked = [Cell(dataset, ATTACKS, model, Path("reports/cells", dataset, ATTACKS, model))
                for model in stage.params("openset_models")]  # fmt: skip
    cells = [cell for cell in attacked if not (cell.folder / LEFT_OUT).exists()]
    found = sheet(dataset, {cell.model: cell.examples() for cell in cells})
    people, table = judged(LABELS / dataset, dataset, None if found is None else found[1])
    rows = summary.rows(None if found is None else found[1], people, table, stage.params("judge_by_eye.least"))
    budget = smallest_budget(cell.budget for cell in cells)
    results.write(stage.cell, budget=budget, metrics=rows, tables={"answers": table})


def judged(folder: Path, dataset: str, table: pd.DataFrame | None) -> tuple[list[str], pd.DataFrame]:
    """Everybody who has a file in a folder, and their answers, of `summary.answer_table`. table: of the sheet."""
    if table is None:
        if left := sorted(folder.glob("*.csv")):
            raise OvergenError(
                f"{left[0]}: judged, but nothing fooled any score of {dataset} now, so that there is no page it could "
                "be of; move it out of this folder, or bring the cells of attack_scores back that were judged"
            )
        return [], pd.DataFrame(columns=list(summary.COLUMNS))
    possible = answers(dataset, table)
    people, given = read_all(folder, list(table["item"]), possible)
    return people, summary.answer_table(table, given, possible)
