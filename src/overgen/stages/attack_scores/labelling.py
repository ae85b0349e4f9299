"""A page on which a person judges what fooled, among as many real test images, without knowing which are which.

`label.html` holds pixels, numbers and the names of the classes alone. What each item is stands in `label_key.csv`
beside it. `judge_by_eye` reads what people answered.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pandas as pd

from overgen.report.html import ENVIRONMENT
from overgen.report.study import Study
from overgen.stages.attack_scores.sheet import answers, sheet

STAGE = "attack_scores"
TEMPLATE = f"stages/{STAGE}/label.html.j2"


def sheet_of(study: Study) -> tuple[np.ndarray, pd.DataFrame] | None:
    """The sheet of a study's cells; None where nothing fooled."""
    return sheet(study.dataset, {model: cell.examples() for model, cell in study.cells(STAGE).items()})


def pages(study: Study) -> dict[str, str]:
    """The files of the labelling page by name; none where nothing fooled."""
    found = sheet_of(study)
    if found is None:
        return {}
    images, table = found
    held: dict[str, Any] = {
        "dataset": study.dataset,
        "items": list(table["item"]),
        "height": images.shape[1],
        "width": images.shape[2],
        "channels": 1 if images.ndim == 3 else images.shape[3],
        "answers": answers(study.dataset, table),
        "pixels": base64.b64encode(images.tobytes()).decode("ascii"),
    }
    text = json.dumps(held, ensure_ascii=False).replace("<", "\\u003c")
    key = io.StringIO()
    table.to_csv(key, index=False, lineterminator="\n")
    html = ENVIRONMENT.get_template(TEMPLATE).render(name=study.name, held=text, count=len(table))
    return {"label.html": html + "\n", "label_key.csv": key.getvalue()}
