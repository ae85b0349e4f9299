"""What people see in the images that fooled, in the report."""

from __future__ import annotations

from typing import Any

from overgen.report import claims
from overgen.report.claims import QUESTIONS, Claim
from overgen.report.findings import known
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Column, Labels, Table, broken, column, count_text, measured, pivot
from overgen.stages.judge_by_eye import summary

EXPERIMENT, MODEL = summary.EXPERIMENT, "people"
# Of docs/questions.md, set before anybody judged:
HALF = 50.0  # percent of the images that fooled, for the interval of those that people see as the class
RIGHT = 90.0  # percent of the test images that people have to label right
FAMILY_NAMES = {"outputs": "ỹ, c̃", "own": "your own"}
PERSON: Labels = {"judge": lambda row: str(row["person"] or "**all who count**")}
FAMILY: Labels = {"scores of": lambda row: FAMILY_NAMES.get(str(row["family"]), str(row["family"]))}
AGREEMENT = [column("as the judge, %", "answers_agree", show=broken), column("κ", "kappa", show=broken)]


def judged_by_eye(study: Study) -> Table:
    """A row a person, after one of all who count: what they see in what fooled, and how good judges they are."""
    rows = study.rows(experiment=EXPERIMENT, metric="answers_fooled", answer=summary.THE_CLASS, family="")
    heads = {summary.THE_CLASS: "what fooled is the class, %", summary.OTHER: "another", summary.NONE: "none",
             summary.UNSURE: "cannot tell"}  # fmt: skip
    columns = [
        Column("images", ("answered",), lambda row: "–" if row is None else count_text(row["reproduced"]), {}),
        *(column(head, "answers_fooled", show=broken, answer=said) for said, head in heads.items()),
        column("test images right, %", "answers_real", show=broken, answer=summary.THE_CLASS),
        *AGREEMENT,
    ]
    rows = rows if people(study) else rows.iloc[:0]
    return pivot(study, "judged_by_eye", rows, ("model", "person"), PERSON, columns, of={"experiment": EXPERIMENT})


def judged_families(study: Study) -> Table:
    """A row a family of scores: how much of what fooled them people see as the class, and whether the judge does."""
    rows = study.rows(experiment=EXPERIMENT, metric="answers_fooled", answer=summary.THE_CLASS, person="")
    rows = rows[(rows["family"] != "") & rows["reproduced"].notna()] if "family" in rows else rows.iloc[:0]
    images = Column("images", ("answers_fooled",), lambda row: count_text(row["n"]), {"answer": summary.THE_CLASS})
    columns = [images, column("is the class, %", "answers_fooled", show=broken, answer=summary.THE_CLASS), *AGREEMENT]
    return pivot(study, "judged_families", rows, ("model", "family"), FAMILY, columns, of={"experiment": EXPERIMENT})


def people(study: Study) -> list[Row]:
    """How many images everybody who has a file answered."""
    return list(records(study.rows(experiment=EXPERIMENT, metric="answered")))


def people_see_no_class(study: Study) -> Claim | None:
    """Question 4."""
    of = {"experiment": EXPERIMENT, "model": MODEL, "answer": summary.THE_CLASS}
    fooled, real = (study.find(**of, metric=f"answers_{kind}") for kind in (summary.FOOLED, summary.REAL))
    counted = study.first(experiment=EXPERIMENT, metric="people")
    if fooled is None or real is None or counted is None or not (known(fooled) and known(real)):
        return None
    able = real["reproduced"] >= RIGHT
    labelled = measured(real, "\u00a0%")
    who = "1 person" if counted["n"] == 1 else f"{count_text(counted['n'])} people"
    return Claim(
        says="What fools a score does not look like the class, to people.",
        test=f"Holds if the 95 % interval of the share of images that fooled and that people see as the class lies "
        f"below {HALF:.0f} %; contradicted if above; else, and where they label fewer than {RIGHT:.0f} % of the test "
        "images right, it cannot be told.",
        verdict=claims.verdict(fooled, below=HALF) if able else "cannot tell",
        number=f"{{number}} of {{n}} images that fooled are the class to {who}; of the test images they label "
        f"{labelled} right",
        row=fooled,
        figure="judged_by_eye",
        source=QUESTIONS,
    )


def context(study: Study) -> dict[str, Any]:
    """What the section says beside its tables."""
    counted = study.first(experiment=EXPERIMENT, metric="people")
    alphas = {kind: study.find(experiment=EXPERIMENT, model=MODEL, metric="alpha", kind=kind)
              for kind in (summary.FOOLED, summary.REAL)}  # fmt: skip
    return {
        "eye_sheet": counted is not None and counted["note"] != summary.NO_SHEET,
        "eye_people": len(people(study)),
        "eye_counted": 0 if counted is None else int(counted["n"]),
        "eye_least": study.settings["judge_by_eye.least"],
        "eye_left_out": [f"{row['person']}: {row['note']}" for row in people(study) if row["note"]],
        "eye_alphas": {kind: measured(row) for kind, row in alphas.items() if row is not None},
    }


FIRST_SEED = True
CLAIMS = (people_see_no_class,)
TABLES = (judged_by_eye, judged_families)
