"""Controls in the report: what the confidence adds to the training."""

from __future__ import annotations

from overgen.models.params import base_of
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Table, at_tau, broken, measured, table

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


def _networks(study: Study, attacked: list[str]) -> list[tuple[str, str, str, str]]:
    """Of each line the model, the experiments of both attacks, and the model under which the FGN's rows stand."""
    lines = []
    for base in attacked:
        own = [model for model in study.cells("fool_controls") if base_of(model, attacked) == base]
        lines += [(base, "fgn", "gradient", base)] * bool(own)
        lines += [(model, f"fgn_{model.removeprefix(base + '_')}", "control_gradient", base) for model in own]
    return lines


TABLES = (controls,)
