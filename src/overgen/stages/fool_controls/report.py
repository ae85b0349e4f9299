"""Controls in the report: what the confidence adds to the training."""

from __future__ import annotations

from overgen.models.params import base_of
from overgen.report.findings import Finding, how_often, known
from overgen.report.glance import largest_tau
from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.seeds import by_seed
from overgen.report.study import Row, Study
from overgen.report.tables import Table, at_tau, broken, measured, table
from overgen.stages.fool_gradient.report import seed_rates
from overgen.stages.remove_gate.params import GATE_OFF

GRADIENTS = {"metric": "fooling_rate", "start": "noise"}


def controls(study: Study) -> Table:
    """Each control below the network from which it differs in one thing: accuracy, fooled by the FGN, by gradients.

    All fooling rates are at the threshold τ of the column, of the scaled output, which is y where nothing scales it.
    """
    attacked, taus = study.cells("fool_fgn"), study.taus("fgn", "fooling_rate")
    lines, used = [], []
    for model, fgn, gradient, of in _networks(study, list(attacked)):
        rows: list[Row | None] = []
        for tau in taus:
            rows += [
                study.find(experiment=fgn, model=of, metric="thresholded_accuracy", tau=tau),
                study.find(experiment=fgn, model=of, metric="fooling_rate", tau=tau),
                study.find(experiment=gradient, model=model, tau=tau, **GRADIENTS),
                study.find(experiment=gradient, model=model, tau=tau, metric="mean_steps_to_fool", start="noise"),
            ]
        used += [row["place"] for row in rows if row]
        shown = [measured(row) if i % 4 == 0 else broken(row) for i, row in enumerate(rows)]
        lines.append([f"**{model_name(model)}**", *shown])
    columns = ("accuracy %", "fooled by the FGN on y, %", "by gradients of ỹ from noise, %", "updates of these")
    header = ["", *(f"{head}, {at_tau(tau)}" for tau in taus for head in columns)]
    return table("controls", lines, header, study.frame.iloc[used])


def controls_by_seed(study: Study) -> Table:
    """The rates of the gradients of each seed's network, from each start."""
    return by_seed(study, "controls_by_seed", seed_rates(study, "fool_controls", "control_gradient"))


def _networks(study: Study, attacked: list[str]) -> list[tuple[str, str, str, str]]:
    """Of each line the model, the experiments of both attacks, and the model under which the FGN's rows stand."""
    lines = []
    for base in attacked:
        own = [model for model in study.cells("fool_controls") if base_of(model, attacked) == base]
        lines += [(base, "fgn", "gradient", base)] * bool(own)
        lines += [(model, f"fgn_{model.removeprefix(base + '_')}", "control_gradient", base) for model in own]
    return lines


def without_the_gate(study: Study) -> Finding | None:
    """What the paper's attack makes of a dAE whose confidence is left out, and of a CNN trained on the same noise."""
    at = {"metric": "fooling_rate", "tau": largest_tau(study)}
    for model, fgn, _, base in _networks(study, list(study.cells("fool_fgn"))):
        row = study.find(experiment=fgn, model=base, **at)
        if not model.endswith(GATE_OFF) or row is None or not known(row):
            continue
        says = f"The paper's attack {how_often(row)} fools {model_name(base)} once its confidence c̃ is left out."
        noise = records(study.rows(experiment="fgn_noise", **at))
        further = "".join(f"; {model_name(other['model'] + '_noise')}: {measured(other)}" for other in noise)
        return Finding(says, f"{{number}} of {{n}} trials at {at_tau(row['tau'])}{further}", row, "", "controls")
    return None


FINDINGS = (without_the_gate,)
TABLES = (controls, controls_by_seed)
