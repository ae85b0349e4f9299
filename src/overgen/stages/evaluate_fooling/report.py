"""Transfer between networks in the report."""

from __future__ import annotations

from overgen.report.findings import Finding, known
from overgen.report.glance import largest_tau
from overgen.report.names import ATTACK_NAMES, model_name
from overgen.report.reported import records
from overgen.report.study import Row, Study, rising
from overgen.report.tables import Labels, Table, at_tau, bold, broken, column, count_text, grouped, pivot, plain
from overgen.stages.fool_fgn.report import least_fooled  # of the attack with which all are compared


def transfer_between_networks(study: Study) -> Table:
    """What networks that were not attacked see in images that fooled: a row an attacked model, attack and τ."""
    models = study.cells("evaluate_fooling")
    rows, by = study.rows(experiment="transfer"), ("attacked", "attack", "tau")
    if rows.empty:  # one network alone is attacked: no number of the study need be of a network attacked
        return Table("transfer_between_networks", "", rows)
    images = rows.groupby(list(by))["n"].transform("max")
    rows = grouped(rows.assign(images=images)[images > 0], attacked=models, attack=(), tau=rising(rows["tau"]))
    labels: Labels = {
        "fooled": lambda row: bold(row["attacked"]),
        "by": lambda row: str(ATTACK_NAMES.get(row["attack"], row["attack"])),
        "τ": lambda row: row["tau"],
        "images": lambda row: count_text(row["images"]),
    }
    columns = [
        column(f"{model_name(model)} sees the target, %", "seen_as_target_rate", "accepted_as_target_rate",
               show=seen_and_accepted, model=model)
        for model in models
    ]  # fmt: skip
    return pivot(study, "transfer_between_networks", rows, by, labels, columns, once=0, of={"experiment": "transfer"})


def seen_and_accepted(seen: Row | None, accepted: Row | None) -> str:
    return "–" if seen is None or accepted is None else f"{broken(seen)}<br>accepts {plain(accepted)}"


def seen_by_another(study: Study) -> Finding | None:
    """Whether what fools the network that the paper's attack fools least is the class to one that took no part."""
    judges = list(study.cells("evaluate_fooling"))[:1]  # the plain network
    of = {"experiment": "transfer", "metric": "seen_as_target_rate", "attack": "gradient", "tau": largest_tau(study)}
    rows = records(study.rows(**of, attacked=least_fooled(study), model=judges))
    if not rows or not known(rows[0]):
        return None
    row = rows[0]
    share = "Most" if row["low"] > 50 else "Less than half" if row["high"] < 50 else "About half"
    attacked, judge = model_name(row["attacked"]), model_name(row["model"])
    says = f"{share} of what fools {attacked} by gradients is the wanted class to {judge}, too."
    return Finding(says, f"{{number}} of {{n}} images at {at_tau(row['tau'])}", row, "", "transfer_between_networks")


FINDINGS = (seen_by_another,)
TABLES = (transfer_between_networks,)
