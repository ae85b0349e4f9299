"""Evolution in the report."""

from __future__ import annotations

from overgen.report.names import ENCODING_NAMES
from overgen.report.study import Metrics, Study
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


METRICS: Metrics = {"fooled_by_cppn@tau=0.99": ("evolution_cppn", "fooling_rate", {"tau": "0.99"})}
TABLES = (evolution,)
FIGURES = (figures.evolution_confidence, figures.evolution_champions)
