"""The Fooling Generator Network in the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from overgen.measures.intervals import differs
from overgen.report.findings import Finding, how_often, known
from overgen.report.glance import Glance, best_row, largest_tau
from overgen.report.names import START_NOTE, model_name
from overgen.report.reported import records
from overgen.report.seeds import by_seed
from overgen.report.study import Metrics, Numbers, Orderings, Row, Study, rising
from overgen.report.tables import (
    MODEL,
    Table,
    at_tau,
    by_metric,
    column,
    entry,
    grouped,
    measured,
    over_classes,
    pivot,
    plain,
    reported,
    some_classes,
    table,
)
from overgen.stages.fool_fgn import figures

VARIANT = re.compile(r"fgn_(updates|lr|optimizer|input|initial|clip)_.+")  # experiments; see params.FgnVariant.name
STARTS = re.compile(r"fgn_(input|initial)_[^-]+(-(input|initial)_[^-]+)*")  # those that only begin elsewhere
TARGETS = {"fgn": "y", "fgn_on_scaled_output": "ỹ"}  # what the attack follows, by experiment
HANGING = ("fooling_rate", "fooling_rate_in_8_bits", "mean_steps_to_fool")  # metrics that may hang on the start
ADAPTIVE = {"experiment": "gradient", "metric": "fooling_rate", "start": "noise"}
ORDERINGS: Orderings = [("fgn", "fooling_rate", "is fooled less often than", ADAPTIVE)]
CHOICES = [
    (
        "Optimiser, input and initial weights of the FGN",
        "{fool_fgn.DATASET.optimizer}, learning rate {fool_fgn.DATASET.learning_rate}; "
        "{fool_fgn.DATASET.input} random input, fixed in a trial; initial weights {fool_fgn.DATASET.initial}",
    ),
    (
        "α where ỹ itself is attacked",
        "{fool_fgn.DATASET.models.dae_sym.scaled} (FGN, dAE sym), {fool_evolution.DATASET.alpha} (evolution)",
    ),
    ("Mean steps to fool", "over the trials that fooled; their interval takes trials of one class for alike"),
]


def fooling(study: Study) -> Table:
    """Table 1 (MNIST) or 2 (Fashion-MNIST) of Spigler 2019: reported and, below it, measured.

    Columns: accuracy at each threshold, then fooling rate with the mean steps at each threshold above 0.
    """
    return fooling_table(study, "fooling", [(model_name(m), "fgn", m) for m in study.cells("fool_fgn")])


def fooling_table(study: Study, name: str, entries: Sequence[tuple[str, str, str]]) -> Table:
    """Accuracies, fooling rates and steps of some (heading, experiment, model)."""
    rates = ("fooling_rate", "classes_fooled", "fooling_rate_over_classes", "mean_steps_to_fool")
    columns: list[tuple[tuple[str, ...], str]]
    columns = [(("thresholded_accuracy",), tau) for tau in study.taus("fgn", "thresholded_accuracy")]
    columns += [(rates, tau) for tau in study.taus("fgn", "fooling_rate")]
    heads = {1: "accuracy %", 4: "fooled %, mean steps"}
    has_reported = any((study.rows(experiment=e, model=m)["value"] != "").any() for _, e, m in entries)
    lines, used = [], []
    for heading, experiment, model in entries:
        cells = [
            [study.find(experiment=experiment, model=model, metric=metric, tau=tau) for metric in metrics]
            for metrics, tau in columns
        ]
        used += [row["place"] for rows in cells for row in rows if row]
        if has_reported:
            lines.append([f"**{heading}**", "reported", *(reported_rate(*rows) for rows in cells)])
        lines.append(["" if has_reported else f"**{heading}**", "measured", *(measured_rate(*rows) for rows in cells)])
    header = ["", "", *(f"{heads[len(metrics)]}, {at_tau(tau)}" for metrics, tau in columns)]
    return table(name, lines, header, study.frame.iloc[used])


def reported_rate(rate: Row | None, *further: Row | None) -> str:
    """A reported rate, and the mean steps on a second line."""
    steps = [reported(row, " steps") for row in further[2:]]
    return "<br>".join([reported(rate), *(text for text in steps if text != "–")])


def measured_rate(
    rate: Row | None, classes: Row | None = None, over: Row | None = None, steps: Row | None = None
) -> str:
    """A measured rate and, on further lines, in which classes it is not 0, its interval over them, the mean steps."""
    further = [some_classes(classes), over_classes(over), measured(steps, " steps", "<br>")]
    return "<br>".join([measured(rate, between="<br>"), *(text for text in further if text not in ("", "–"))])


def in_8_bits(study: Study) -> Table:
    """How many of the FGN's trials fool at each τ, and how many as a picture of 8 bits: a row a model and attack."""
    metrics = {"fooled %": "fooling_rate", "in 8 bits": "fooling_rate_in_8_bits"}
    rows = study.rows(experiment=TARGETS, metric=metrics.values(), alpha="", model=study.cells("fool_fgn"))
    rows = rows[rows.groupby(["model", "experiment"])["metric"].transform("nunique") == len(metrics)]
    columns = [column(f"{text}, {at_tau(tau)}", metric, tau=tau)
               for tau in study.taus("fgn", "fooling_rate") for text, metric in metrics.items()]  # fmt: skip
    labels = MODEL | {"attack on": lambda row: TARGETS[row["experiment"]]}
    return pivot(study, "in_8_bits", rows, ("model", "experiment"), labels, columns)


def fooling_by_seed(study: Study) -> Table:
    """The rates of the attack on y, and on ỹ, of each seed's network."""
    entries = [(model, experiment, model) for model in study.cells("fool_fgn") for experiment in TARGETS]
    return by_seed(study, "fooling_by_seed", seed_rates(study, "fool_fgn", entries))


def seed_rates(
    study: Study, stage: str, entries: Iterable[tuple[str, str, str]]
) -> Iterator[tuple[Row, str, pd.Series]]:
    """What `by_seed` takes, at the papers' α. entries: a cell's model, and the experiment and model of its rates."""
    for model, experiment, of in entries:
        trials = study.cells(stage)[model].table("trials").set_index("seed")
        objective = "scaled" if experiment == "fgn_on_scaled_output" else "y"
        for tau in study.taus("fgn", "fooling_rate"):
            row = study.find(experiment=experiment, model=of, metric="fooling_rate", tau=tau)
            if row is None:
                continue
            steps = next(name for name in map(str, trials) if name.startswith(f"step@tau={tau},"))
            name = "" if model == of else f"{model_name(model)}, "
            yield (
                row,
                f"{name}on {TARGETS.get(experiment, 'y')}",
                trials.loc[trials["objective"] == objective, steps].notna(),
            )


def scaled_attack(study: Study) -> Table:
    """The FGN attack on the scaled output ỹ instead of y (Spigler 2019, Section 4.2)."""
    return by_metric("scaled_attack", study.rows(experiment="fgn_on_scaled_output", model=study.cells("fool_fgn")))


def variants(study: Study) -> Table:
    """The FGN on y with other options than the study's: a row a model and variant, rates and mean steps at each τ."""
    rows = study.rows(model=study.cells("fool_fgn"))
    of_variants = rows[rows["experiment"].str.fullmatch(VARIANT)]
    rows = rows[rows.index.isin(of_variants.index) | (rows["experiment"] == "fgn")]
    rows = grouped(rows[rows["model"].isin(of_variants["model"])], model=(), experiment=())
    columns = []
    for tau in study.taus("fgn", "fooling_rate"):
        columns += [column(f"fooled %, {at_tau(tau)}", "classes_fooled", "fooling_rate", show=in_some, tau=tau),
                    column(f"mean steps, {at_tau(tau)}", "mean_steps_to_fool", show=entry, tau=tau)]  # fmt: skip
    labels = MODEL | {"FGN": lambda row: experiment_name(row["experiment"])}
    return pivot(study, "variants", rows, ("model", "experiment"), labels, columns)


def in_some(classes: Row | None, rate: Row | None) -> str:
    """A rate, and in which classes it is not 0."""
    return ", ".join(text for text in (entry(rate), some_classes(classes)) if text)


def other_alphas(study: Study) -> Table:
    """Accuracy and fooling at (τ, α) pairs that are not the paper's."""
    rows = study.rows(experiment="fgn", model=study.cells("fool_fgn"))
    further = rows[rows["alpha"] != ""] if "alpha" in rows else rows[:0]  # no model reconstructs
    return by_metric("other_alphas", further)


def experiment_name(experiment: str) -> str:
    """An attack as it is written in reports: a variant by what it changes, "fgn_lr_1e-3" as "learning rate 1e-3"."""
    if experiment in TARGETS:
        return "as in the study" if experiment == "fgn" else f"on {TARGETS[experiment]}"
    words = {"lr": "learning rate", "initial": "initial weights", "clip": "loss clipped at y ="}
    options = re.split(r"-(?=[a-z])", experiment.removeprefix("fgn_"))
    named = {
        name: f"{int(value):,}" if value.isdigit() else value for name, _, value in (o.partition("_") for o in options)
    }
    return ", ".join(f"{words.get(name, name)} {value}" for name, value in named.items())


def hangs_on_the_start(numbers: Numbers) -> pd.Series:
    """For each row `START_NOTE`, or "": whether a rate or steps of the attack on y are others from another start.

    That is so where those of a variant with another input or other initial weights differ beyond their intervals. Of a
    model without such variants it is not known.
    """
    notes = pd.Series("", index=numbers.frame.index)
    for row in records(numbers.rows(experiment="fgn", metric=HANGING).reset_index(names="place")):
        others = numbers.rows(model=row["model"], text=row["text"], tau=row["tau"])
        for other in records(others[others["experiment"].str.fullmatch(STARTS)]):
            if pd.notna(row["low"]) and pd.notna(other["low"]) and differs(*interval(row), *interval(other)):
                notes[row["place"]] = START_NOTE
    return notes


def interval(row: Row) -> tuple[float, tuple[float, float]]:
    return row["reproduced"], (row["low"], row["high"])


def context(study: Study) -> dict[str, Any]:
    """What the text says besides: which models were attacked from other starts, and what was tried on which loss."""
    rows = study.rows(model=study.cells("fool_fgn"), metric="fooling_rate", alpha="")
    started = rows.loc[rows["experiment"].str.fullmatch(STARTS), "model"].unique()
    losses = []
    unsaid = study.frame["verdict"].str.startswith("not testable: what y is")
    for model in study.frame.loc[unsaid, "model"].unique():
        tried = rows[(rows["model"] == model) & rows["experiment"].str.fullmatch(r"fgn(_clip_.+)?")]
        for experiment in tried["experiment"].unique():
            loss = "−log y" if experiment == "fgn" else f"−log max(y, {experiment.rpartition('_')[2]})"
            of = {"experiment": experiment, "model": model, "metric": "fooling_rate"}
            rates = [f"{plain(study.find(**of, tau=tau))} % at τ = {tau}" for tau in rising(tried["tau"])]
            losses.append(f"{loss} ({', '.join(rates)})")
    return {"started": ", ".join(map(model_name, started)), "losses": "; ".join(losses)}


def rates(study: Study) -> list[Row]:
    """The rates of the attack on y at the largest τ, of each model."""
    rows = (rate(study, model) for model in study.cells("fool_fgn"))
    return [row for row in rows if row is not None and known(row)]


def rate(study: Study, model: str) -> Row | None:
    return study.find(experiment="fgn", metric="fooling_rate", tau=largest_tau(study), model=model)


def scaled_rate(study: Study, model: str) -> Row | None:
    """The largest rate of the attack on ỹ."""
    of = {"experiment": "fgn_on_scaled_output", "metric": "fooling_rate", "tau": largest_tau(study)}
    return best_row(study, **of, model=model) if model in study.cells("fool_fgn") else None


def least_fooled(study: Study) -> str:
    """The model that the attack on y fools least; "" for none."""
    return min(rates(study), key=lambda row: row["reproduced"], default={"model": ""})["model"]


def plain_network(study: Study) -> Finding | None:
    """What the attack makes of the first network, which has no defence."""
    return fooled(study, rates(study)[0]) if rates(study) else None


def best_defence(study: Study) -> Finding | None:
    """What it makes of the network that it fools least."""
    row = rate(study, least_fooled(study))
    return None if row is None or row["model"] == rates(study)[0]["model"] else fooled(study, row)


def fooled(study: Study, row: Row) -> Finding:
    says = f"The paper's attack, noise made for one network, {how_often(row)} fools {model_name(row['model'])}."
    number, figure = f"{{number}} of {{n}} trials at {at_tau(row['tau'])}", "fooling_images"
    return Finding(says, number, row, figure, "fooling")


def farthest_from_reported(study: Study) -> Finding | None:
    """The rate that is farthest from the reported one, of those that differ; None where none does."""
    rows = [row for row in rates(study) if row["value"] and row["verdict"].startswith("differs")]
    row = max(rows, key=lambda row: abs(row["reproduced"] - float(row["value"])), default=None)
    if row is None:
        return None
    more = "more" if row["reproduced"] > float(row["value"]) else "less"
    says = f"{model_name(row['model'])} is fooled {more} often than reported: no rate differs more."
    return Finding(says, f"{{number}} of {{n}} trials at {at_tau(row['tau'])}", row, "first_passage", "fooling")


FINDINGS = (plain_network, best_defence, farthest_from_reported)
GLANCE = (
    Glance("fooled by the paper's attack %, {tau}", rate),
    Glance("fooled by the best attack known %", rate, "the paper's"),
    Glance("fooled by the best attack known %", scaled_rate, "the paper's, on ỹ"),
)
METRICS: Metrics = {f"fooled_by_fgn@tau={tau}": ("fgn", "fooling_rate", {"tau": tau}) for tau in ("0.9", "0.99")}
NOTES = (hangs_on_the_start,)
TABLES = (fooling, fooling_by_seed, in_8_bits, scaled_attack, variants, other_alphas)
FIGURES = (figures.first_passage, figures.fooling_images)
