"""Anomalies, in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, broken, column, measured, pivot
from overgen.stages.evaluate_unknowns.names import kind_name
from overgen.stages.explore_anomaly import figures, summary
from overgen.stages.explore_anomaly.names import MEASURE_NAMES

PAGE = "autoencoder"
FIRST_SEED = True
CHOICES = [
    (
        "The network and the error of the slides' anomaly detector",
        "784-{explore_anomaly.DATASET.tutorial.hidden}-784, mean cross-entropy in nats, "
        "{explore_anomaly.DATASET.tutorial.epochs} epochs of Adam",
    ),
]
EXPERIMENT = summary.EXPERIMENT
MEASURE: Labels = {"measure": lambda row: MEASURE_NAMES[row["measure"]]}
GOOD = 0.9  # AUROC beyond which a measure tells anomalies; set before the run
PLAIN = "autoencoder"


def anomaly_scores(study: Study) -> Table:
    """A row a measure: for each network mean AUROC over the kinds, and how many test images k = 3 loses."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc_mean")
    columns = [
        column(head.format(model_name(model)), metric, show=broken, model=model, **of)
        for model in dict.fromkeys(rows["model"])
        for head, metric, of in (
            ("{}: AUROC", "auroc_mean", {}),
            ("test images rejected at k = 3, %", "known_rejected", {"k": "3"}),
        )
    ]
    return pivot(study, "anomaly_scores", rows, ("measure",), MEASURE, columns, of={"experiment": EXPERIMENT})


def anomaly_rejected(study: Study) -> Table:
    """A row a kind: how many of it lie beyond mean + 3·deviation, by the error and by the code of each network."""
    rows = study.rows(experiment=EXPERIMENT, metric="unknown_rejected", k="3")
    labels: Labels = {"kind": lambda row: kind_name(row["kind"])}
    columns = [
        column(f"{model_name(model)}: {head}", "unknown_rejected", show=broken, model=model, measure=measure, k="3")
        for model in dict.fromkeys(rows["model"])
        for head, measure in (("error", "rmse"), ("code", "mahalanobis"))
    ]
    return pivot(study, "anomaly_rejected", rows, ("kind",), labels, columns, of={"experiment": EXPERIMENT})


def anomaly_errors_of_known(study: Study) -> Table:
    """A row a network and measure of reconstruction: mean and deviation over test images."""
    rows = study.rows(experiment=EXPERIMENT, metric="error_mean", measure=summary.RECONSTRUCTION)
    labels: Labels = {"": lambda row: f"**{model_name(row['model'])}**"} | MEASURE
    columns = [column("mean", "error_mean"), column("deviation", "error_deviation")]
    return pivot(
        study, "anomaly_errors_of_known", rows, ("model", "measure"), labels, columns, of={"experiment": EXPERIMENT}
    )


def found(study: Study, metric: str, **of: str) -> Row | None:
    return study.find(experiment=EXPERIMENT, metric=metric, **of)


def errors_tell_anomalies(study: Study) -> Claim | None:
    row = found(study, "auroc_mean", model=PLAIN, measure="rmse")
    if row is None:
        return None
    return Claim(
        says="A large error of reconstruction marks an anomaly.",
        test="Holds if the 95 % interval over kinds of unknown images of the mean AUROC of the plain autoencoder's RMS "
        f"error lies above {GOOD}; contradicted if it lies below.",
        verdict=verdict(row, above=GOOD),
        number="mean AUROC {number} over {n} kinds",
        row=row,
        figure="anomaly_errors",
    )


def codes_tell_anomalies(study: Study) -> Claim | None:
    row = found(study, "auroc_mean", model=PLAIN, measure="mahalanobis")
    if row is None:
        return None
    return Claim(
        says="An abnormal code marks an anomaly, too.",
        test="Holds if the 95 % interval over kinds of unknown images of the mean AUROC of the Mahalanobis distance in "
        f"the plain autoencoder's code lies above {GOOD}; contradicted if it lies below.",
        verdict=verdict(row, above=GOOD),
        number="mean AUROC {number} over {n} kinds",
        row=row,
        figure="anomaly_roc",
    )


def threshold_keeps_the_known(study: Study) -> Claim | None:
    row = found(study, "known_rejected", model=PLAIN, measure="rmse", k="3")
    if row is None:
        return None
    return Claim(
        says="A threshold at the mean plus three deviations lets known images pass.",
        test="Holds if the 95 % interval of the share of new test images beyond it (plain autoencoder, RMS error) lies "
        "below 5 %; contradicted if it lies above.",
        verdict=verdict(row, below=5),
        number="{number} of {n} test images are rejected",
        row=row,
        figure="anomaly_errors",
    )


def other_data_are_anomalies(study: Study) -> Claim | None:
    rows = [row for row in study.select(experiment=EXPERIMENT, metric="auroc", model=PLAIN, measure="rmse")
            if row["kind"].startswith("data_")]  # fmt: skip
    return Claim(
        says="Images of other data are reconstructed worse than those that the network was trained on.",
        test=f"Holds if the 95 % interval over the classes of known images of the AUROC of the plain autoencoder's RMS "
        f"error against another data set lies above {GOOD}; contradicted if it lies below.",
        verdict=verdict(rows[0], above=GOOD),
        number=f"AUROC {{number}} against {kind_name(rows[0]['kind'])}, over {{n}} classes",
        row=rows[0],
        figure="anomaly_kinds",
    ) if rows else None  # fmt: skip


def slides_detector(study: Study) -> Claim | None:
    row = found(study, "tutorial_deviation_near_reported", model="tutorial")
    if row is None or study.dataset != "mnist":
        return None  # the mean cross-entropy hangs on how gray images are: other data have other errors
    band = 0.25 * summary.REPORTED_DEVIATION
    low, high = summary.REPORTED_DEVIATION - band, summary.REPORTED_DEVIATION + band
    outcomes = {verdict(row, above=low), verdict(row, below=high)}
    return Claim(
        says="The slides' errors are those of a small autoencoder on MNIST, as mean cross-entropy.",
        test="Of the tutorial's network, in the epoch whose mean error is nearest to the slides', the 95 % interval "
        f"over seeds of the deviation lies between {low:g} and {high:g} nats, the slides' ± 25 %: it holds; outside: "
        "contradicted. Set after a first look at one seed.",
        verdict="holds" if outcomes == {"holds"} else "contradicted" if "contradicted" in outcomes else "cannot tell",
        number=f"deviation {{number}} nats per pixel (slides: {summary.REPORTED_DEVIATION})",
        row=row,
        figure="anomaly_tutorial",
        before=False,
    )


def context(study: Study) -> dict[str, Any]:
    """What the section says of the thresholds and of the slides' numbers."""
    near = {
        name: found(study, f"tutorial_{name}_near_reported", model="tutorial")
        for name in ("mean", "deviation", "epoch")
    }
    return {
        "settings": study.section(f"explore_anomaly.{study.dataset}"),
        "near": {name: measured(row) for name, row in near.items()},
        "slides": summary,
    }


TABLES = (anomaly_scores, anomaly_rejected, anomaly_errors_of_known)
FIGURES = (
    figures.anomaly_errors, figures.anomaly_pictures, figures.anomaly_roc, figures.anomaly_kinds,
    figures.anomaly_tutorial,
)  # fmt: skip
CLAIMS = (
    errors_tell_anomalies, codes_tell_anomalies, threshold_keeps_the_known, other_data_are_anomalies, slides_detector,
)  # fmt: skip
