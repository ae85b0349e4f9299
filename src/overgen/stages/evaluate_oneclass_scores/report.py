"""Autoencoders that are trained otherwise than the plain one, alone on one class, in the report."""

from __future__ import annotations

from overgen.report import claims
from overgen.report.claims import QUESTIONS, Claim
from overgen.report.findings import known
from overgen.report.study import Study
from overgen.report.tables import Labels, Table, broken, column, pivot
from overgen.stages.evaluate_oneclass_scores.summary import LEVEL, OTHERWISE
from overgen.stages.evaluate_scores.names import method_name


def one_class_gains(study: Study) -> Table:
    """A row an autoencoder that is trained otherwise: the mean difference of its AUROC to the plain one's."""
    rows = study.rows(experiment="one_class", metric="auroc_gain")
    labels: Labels = {"score": lambda row: f"**{method_name(row['score'])}**"}
    columns = [column("AUROC, minus the plain one's", "auroc_gain", show=broken)]
    return pivot(study, "one_class_gains", rows, ("model", "score"), labels, columns, of={"experiment": "one_class"})


def trained_otherwise(study: Study) -> Claim | None:
    """Question 10."""
    rows = [row for row in study.select(experiment="one_class", metric="auroc_gain") if known(row)]
    if len(rows) < len(OTHERWISE):
        return None
    verdicts = [claims.verdict(row, above=0.0) for row in rows]
    best = max(rows, key=lambda row: (claims.verdict(row, above=0.0) == "holds", row["reproduced"]))
    return Claim(
        says="Some autoencoder that is trained otherwise tells one class from the others better than the plain one.",
        test=f"Of each the mean difference of the AUROC to the plain autoencoder's, over classes, with {100 * LEVEL:g} "
        f"% intervals, which are 95 % for all {len(rows)} together. Holds if one lies above 0; contradicted if all lie "
        "below; else it cannot be told.",
        verdict="holds" if "holds" in verdicts else claims.of_all(verdicts),
        number=f"{verdicts.count('holds')} of {len(rows)} above 0, {verdicts.count('contradicted')} below; "
        f"{method_name(best['score'])}: {{number}} over {{n}} classes",
        row=best,
        figure="one_class_roc",
        source=QUESTIONS,
    )


CLAIMS = (trained_otherwise,)
TABLES = (one_class_gains,)
