"""Gradient attacks in the report."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from overgen.measures.intervals import differs
from overgen.measures.verdicts import reported_interval
from overgen.report.compare import of_one_network
from overgen.report.findings import Finding, compared, known
from overgen.report.glance import Glance, best_row, largest_tau
from overgen.report.names import model_name
from overgen.report.seeds import by_seed
from overgen.report.study import Metrics, Row, Study, rising
from overgen.report.tables import (
    MODEL,
    Table,
    at_tau,
    bold,
    broken,
    column,
    grouped,
    measured,
    over_classes,
    pivot,
    plain,
    reported,
    table,
)
from overgen.stages.fool_fgn.report import least_fooled
from overgen.stages.fool_fgn.report import rate as fgn_rate  # the attack with which this one is compared
from overgen.stages.fool_gradient import figures
from overgen.stages.fool_gradient.figures import START_NAMES


def robustness(study: Study) -> Table:
    """What stands of the reported fooling rates when gradients of ỹ attack: a row a model and τ, strongest start."""
    words = {1: "fooled more often", 0: "does not differ", -1: "fooled less often"}
    lines, used = [], []
    for model in study.cells("fool_gradient"):
        for tau in study.taus("fgn", "fooling_rate"):
            row = study.find(experiment="fgn", model=model, metric="fooling_rate", tau=tau)
            of = {"experiment": "gradient", "model": model, "metric": "fooling_rate", "tau": tau, "alpha": ""}
            attacks = [study.find(**of, start=start) for start in study.rows(**of)["start"]]
            if row is None or row["value"] == "" or not attacks:
                continue
            strongest = max((attack for attack in attacks if attack), key=lambda attack: attack["reproduced"])
            value = float(row["value"])
            theirs = reported_interval("fooling_rate", value, n=row["reported_n"])
            low, high = of_one_network(strongest)
            ours = None if low is None or high is None else (low, high)
            sign = differs(strongest["reproduced"], ours, value, theirs)
            start = str(START_NAMES.get(strongest["start"], strongest["start"]))
            lines.append([bold(model), tau, reported(row), measured(row), measured(strongest), start, words[sign]])
            used += [row["place"], strongest["place"]]
    header = ["", "τ", "reported, FGN on y", "measured, FGN on y", "gradients of ỹ", "from"]
    header.append("against the reported rate")
    return table("robustness", lines, header, study.frame.iloc[used])


def gradient(study: Study) -> Table:
    """Gradient attacks on ỹ: one row a model and start; at each τ, with the paper's α, the rate and what fooled."""
    rows = study.rows(experiment="gradient", alpha="")
    columns = []
    for tau in rising(rows["tau"]):
        columns += [
            column(f"fooled %, {at_tau(tau)}", "fooling_rate_over_classes", "fooling_rate", show=rate, tau=tau),
            column("in 8 bits", "fooling_rate_in_8_bits", show=plain, tau=tau),
            column("updates", "mean_steps_to_fool", show=plain, tau=tau),
            column("of these nearest to the class, %", "nearest_is_target_rate", show=broken, tau=tau),
            column("distance to it", "mean_distance_to_target_class", show=distance, tau=tau),
        ]
    labels = MODEL | {"start": lambda row: START_NAMES.get(row["start"], row["start"])}
    rows = grouped(rows, model=(), start=())
    return pivot(study, "gradient", rows, ("model", "start"), labels, columns, of={"experiment": "gradient"})


def gradient_by_seed(study: Study) -> Table:
    """The rates of each seed's network, from each start."""
    return by_seed(study, "gradient_by_seed", seed_rates(study, "fool_gradient", "gradient"))


def seed_rates(study: Study, stage: str, experiment: str) -> Iterator[tuple[Row, str, pd.Series]]:
    """What `by_seed` takes, at the papers' α: of each model and start the rate at each τ."""
    for model, cell in study.cells(stage).items():
        trials = cell.table("trials").set_index("seed")
        for start in trials["start"].unique():
            for tau in rising(study.rows(experiment=experiment, model=model, alpha="")["tau"]):
                row = study.find(experiment=experiment, model=model, metric="fooling_rate", start=start, tau=tau)
                own = trials[(trials["start"] == start) & (trials["tau"] == float(tau))]
                if row is not None:
                    name = f"from {START_NAMES.get(start, start)}"
                    yield row, name, own.loc[own["alpha"] == own["alpha"].iloc[0], "step"].notna()


def rate(over: Row | None, rate: Row | None) -> str:
    """A rate with its interval and, where the classes differ, that over them."""
    return "<br>".join(text for text in (broken(rate), over_classes(over)) if text)


def distance(row: Row | None) -> str:
    return "–" if row is None or pd.isna(row["reproduced"]) else f"{row['reproduced']:.2f}"


def strongest(study: Study, model: str) -> Row | None:
    """The rate from the start that fools a model most often, at the largest τ and the paper's α."""
    return best_row(study, experiment="gradient", metric="fooling_rate", alpha="", tau=largest_tau(study), model=model)


def against_the_defence(study: Study) -> Finding | None:
    """What the attack makes of the network that the paper's attack fools least."""
    row, papers = strongest(study, least_fooled(study)), fgn_rate(study, least_fooled(study))
    if row is None or papers is None or not known(row):
        return None
    word = {
        1: "fools it more often than the paper's attack",
        0: "cannot be told from the paper's attack by how often it fools",
        -1: "fools it less often than the paper's attack",
    }[compared(row, papers)]
    says = f"Following the gradient of what {model_name(row['model'])} itself reports {word}."
    start = START_NAMES.get(row["start"], row["start"])
    theirs = measured({**papers, "verdict": ""}, "\u00a0%")
    number = f"{{number}} of {{n}} trials at {at_tau(row['tau'])} (start: {start}); the paper's attack: {theirs}"
    return Finding(says, number, row, "gradient_images", "gradient")


FINDINGS = (against_the_defence,)
GLANCE = (Glance("fooled by the best attack known %", strongest, "gradients of ỹ"),)
METRICS: Metrics = {"fooled_by_gradient@tau=0.99": ("gradient", "fooling_rate", {"tau": "0.99", "start": "noise"})}
TABLES = (gradient, gradient_by_seed, robustness)
FIGURES = (figures.gradient_passage, figures.gradient_images)
