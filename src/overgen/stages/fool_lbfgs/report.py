"""The smallest changes in the report."""

from __future__ import annotations

from overgen.report.findings import Finding, how_often, known
from overgen.report.glance import best_row
from overgen.report.names import mark, model_name
from overgen.report.study import Row, Study
from overgen.report.tables import (
    MODEL,
    Labels,
    Table,
    column,
    entry,
    grouped,
    measured,
    n_text,
    pivot,
    plain,
    reported,
)
from overgen.stages.fool_lbfgs import figures

CHOICES = [
    (
        "c·|r| and the search for c",
        "c·‖r‖₂²; of all c tried (factors of 10, then bisection) the change of least ‖r‖₂ that reached the target",
    ),
    (
        "Images and targets of the smallest distortions",
        "{fool_lbfgs.DATASET.images} test images that the network labels right; for each one other class, at random",
    ),
    ("Examples at a distortion for all, and noise", "scaled until what the clipping to [0, 1] leaves has it"),
]
NUMBERS = {
    "test_error": "test error %",
    "train_error": "training error %",
    "mean_distortion": "smallest distortion",
    "least_distortion": "least there is",
    "fooling_rate": "succeeded %",
}


def smallest(study: Study) -> Table:
    """Table 1 of Szegedy et al. 2013, and what noise does: a row a network."""
    rows = study.rows(experiment=("lbfgs", "lbfgs_noise"))
    columns = [column(head, metric, show=over_two_lines, experiment="lbfgs") for metric, head in NUMBERS.items()]
    noise = study.rows(experiment="lbfgs_noise", metric="label_changed")
    for rms in sorted(noise["rms"].unique()):
        head = f"label changed by noise of rms {rms}, %" if rms else "label changed by noise as large, %"
        columns.append(column(head, "label_changed", show=over_two_lines, experiment="lbfgs_noise", rms=rms))
    return pivot(study, "smallest", rows, ("model",), MODEL, columns)


def over_two_lines(row: Row | None) -> str:
    return entry(row, between="<br>")


def transfer(study: Study) -> Table:
    """Errors of each network on the examples made for each: a row a network that they were made for and distortion."""
    rows = study.rows(experiment="lbfgs_transfer")
    rows = rows[rows["rms"] != "0"]
    judges = {judge: f"{model_name(judge)}, error %" for judge in rows["model"].unique()}
    columns = [column(head, "error", show=beside, model=judge) for judge, head in judges.items()]
    labels: Labels = {
        "made for": lambda row: model_name(row["made_for"]),
        "distortion": lambda row: row["rms"] or "smallest",
    }
    columns.append(column("n", "error", show=n_text, model=next(iter(judges), "")))
    ordered = grouped(rows, rms=sorted(set(rows["rms"])), made_for=())
    by, of = ("made_for", "rms"), {"experiment": "lbfgs_transfer"}
    return pivot(study, "transfer", ordered, by, labels, columns, once=0, whole=True, of=of)


def beside(row: Row | None) -> str:
    """A number without its interval, after the reported one where there is one: "2 → 35.1 ▲"."""
    if row is None or row["value"] == "":
        return plain(row)
    return f"{reported(row)} → {plain(row)} {mark(row['verdict'])}"


def stability(study: Study) -> Table:
    """(1 − ε)ⁿ fitted to how many labels outlive noise on n pixels, and what it leaves unexplained."""
    rows = study.rows(experiment="stability")
    columns = [
        column("ε", "epsilon"),
        column("variance unexplained, %", "unexplained"),
        column("largest gap, counted − fitted, percentage points", "largest_gap", show=gap),
        column("images", "largest_gap", show=n_text),
    ]
    return pivot(study, "stability", rows, ("model",), MODEL, columns, whole=True, of={"experiment": "stability"})


def gap(row: Row | None) -> str:
    return "–" if row is None else f"{measured(row)} {row['note']}"


def noise_as_large(study: Study) -> Finding | None:
    """How often noise as large as the smallest change that fools changes a label, of the network where it does most."""
    row = best_row(study, experiment="lbfgs_noise", metric="label_changed", rms="")
    if row is None or not known(row):
        return None
    says = f"A small change that is aimed changes what a network sees; noise of its size {how_often(row)} does."
    number = f"{{number}} of {{n}} labels changed by noise, {model_name(row['model'])}, the most of all networks"
    return Finding(says, number, row, "smallest_changes", "smallest")


FINDINGS = (noise_as_large,)
TABLES = (smallest, transfer, stability)
FIGURES = (figures.smallest_changes, figures.transfer, figures.stability)
