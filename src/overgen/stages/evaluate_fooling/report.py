"""Transfer between networks in the report."""

from __future__ import annotations

from overgen.report.names import ATTACK_NAMES, model_name
from overgen.report.study import Row, Study, rising
from overgen.report.tables import Labels, Table, bold, broken, column, count_text, grouped, pivot, plain


def transfer_between_networks(study: Study) -> Table:
    """What networks that were not attacked see in images that fooled: a row an attacked model, attack and τ."""
    models = study.cells("evaluate_fooling")
    rows, by = study.rows(experiment="transfer"), ("attacked", "attack", "tau")
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


TABLES = (transfer_between_networks,)
