"""Evolution in the report."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from overgen.report.findings import Finding, how_often, known
from overgen.report.glance import Glance, best_row, largest_tau
from overgen.report.names import ENCODING_NAMES, model_name
from overgen.report.seeds import by_seed
from overgen.report.study import Metrics, Row, Study, rising
from overgen.report.tables import MODEL, Table, at_tau, grouped, listing, row_name
from overgen.stages.fool_evolution import figures

EXPERIMENTS = {"test_error": "–"} | {f"evolution_{encoding}": name for encoding, name in ENCODING_NAMES.items()}
CHOICES = [
    (
        "What a CPPN receives, and how it changes",
        "its inputs themselves, without a function; connections {fool_evolution.DATASET.connections} and nodes "
        "{fool_evolution.DATASET.nodes} (with what probability one is added, and one removed)",
    ),
    (
        "Mutation rate of evolution",
        "{fool_evolution.DATASET.mutation_rate} throughout, as in the official code, which has no halving",
    ),
]


def evolution(study: Study) -> Table:
    """Confidence that evolution reaches (Nguyen et al. 2015): one row a model, encoding and measured number.

    For LeNet, whose error on the test images the paper gives, that comes first.
    """
    rows = study.rows(experiment=EXPERIMENTS, model=study.cells("fool_evolution"))
    labels = MODEL | {
        "encoding": lambda row: EXPERIMENTS[row["experiment"]],
        "number": lambda row: row_name(row) + (f", {at_tau(row['tau'])}" if row["tau"] else ""),
    }
    return listing("evolution", grouped(rows, model=(), experiment=EXPERIMENTS), labels, once=2)


def evolution_by_seed(study: Study) -> Table:
    """The rates of the last champions against each seed's network."""
    return by_seed(study, "evolution_by_seed", seed_rates(study))


def seed_rates(study: Study) -> Iterator[tuple[Row, str, pd.Series]]:
    """What `by_seed` takes: of each model and encoding the last champions, at each τ."""
    for model, cell in study.cells("fool_evolution").items():
        trials = cell.table("trials").set_index("seed")
        for encoding in trials["encoding"].unique():
            of = {"experiment": f"evolution_{encoding}", "metric": "fooling_rate", "model": model}
            champions = trials.loc[trials["encoding"] == encoding, "confidence"]
            for tau in rising(study.rows(**of)["tau"]):
                row = study.find(**of, tau=tau)
                if row is not None:
                    yield row, str(ENCODING_NAMES.get(encoding, encoding)), champions > float(tau)


def strongest(study: Study, model: str) -> Row | None:
    """The rate of the encoding that fools a model most often, at the largest τ."""
    encodings = tuple(name for name in EXPERIMENTS if name != "test_error")
    return best_row(study, experiment=encodings, metric="fooling_rate", alpha="", tau=largest_tau(study), model=model)


def by_scores_alone(study: Study) -> Finding | None:
    """The network that withstands evolution best."""
    rows = [row for model in study.cells("fool_evolution") if (row := strongest(study, model)) and known(row)]
    if not rows:
        return None
    row = min(rows, key=lambda row: row["reproduced"])
    name, often = model_name(row["model"]), how_often(row)
    alike = all(how_often(each) == often for each in rows)
    whom = name if len(rows) == 1 else "every network" if alike else f"the network that withstands it best, {name}"
    number = f"{{number}} of {{n}} champions at {at_tau(row['tau'])}, {name}"
    figure = f"evolution_champions_{row['model']}"
    return Finding(f"Evolution, which sees only scores, {often} fools {whom}.", number, row, figure, "evolution")


FINDINGS = (by_scores_alone,)
GLANCE = (Glance("fooled by the best attack known %", strongest, "evolution"),)
METRICS: Metrics = {"fooled_by_cppn@tau=0.99": ("evolution_cppn", "fooling_rate", {"tau": "0.99"})}
TABLES = (evolution, evolution_by_seed)
FIGURES = (figures.evolution_confidence, figures.evolution_champions)
