"""Tables over all stages of a study: budgets, verdicts, orderings of models, provenance, what is not measured yet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pandas as pd

from overgen.measures.bands import band_name, half_width
from overgen.measures.intervals import difference_interval, differs
from overgen.measures.verdicts import VERDICTS, by_chance, claim_verdict, reported_interval
from overgen.report import compare
from overgen.report.budgets import budget_text, of_model
from overgen.report.names import MAIN_SOURCE, MARKS, kind, metric_name, model_name, number, start_mark
from overgen.report.papers import paper
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Table, markdown_table, row_name, table


def orderings(study: Study) -> Table:
    """Orderings of models that the main paper's numbers show, and whether the measured ones show them too.

    A stage's ORDERINGS are of four: experiment, metric, a phrase for a model whose number is below another's, and the
    keys of the number that an adaptive attack gives at the same τ, {} for none. Shown are the pairs whose reported
    rates differ beyond their Wilson intervals, or reported fractions, which come without any spread, by more than their
    band of practical equality. An ordering can hold where the numbers do not: "direction only".
    """
    lines, used = [], []
    compared = [each for module in study.modules.values() for each in getattr(module, "ORDERINGS", ())]
    for experiment, metric, phrase, adaptive in compared:
        rows = study.rows(experiment=experiment, text=metric, source=MAIN_SOURCE)
        for tau in dict.fromkeys(rows.sort_values("tau", key=lambda taus: pd.to_numeric(taus), kind="stable")["tau"]):
            numbers = records(rows[(rows["tau"] == tau) & rows["low"].notna()].reset_index(names="place"))
            for low, high in product(numbers, numbers):
                if not reported_below(low, high, study.bands):
                    continue
                unit = " %" if low["unit"] == "percent" else ""
                attacked = [under_attack(study, row["model"], tau, adaptive) for row in (low, high) if adaptive]
                ours = (shown(row, unit) for row in (low, high))
                ordering = f"{model_name(low['model'])} {phrase} {model_name(high['model'])}"
                lines.append([
                    ordering + (f", τ = {tau}" if tau else ""),
                    f"{low['value']}{unit} < {high['value']}{unit}",
                    ", ".join(ours),
                    ordering_verdict(low, high),
                    ", ".join(attacked) or "–",
                ])  # fmt: skip
                used += [low["place"], high["place"]]
    header = ["ordering", "reported", "measured", "verdict", "by an attack on ỹ"]
    return table("orderings", lines, header, study.frame.iloc[list(dict.fromkeys(used))])


def shown(row: Row, unit: str) -> str:
    """A measured number with the sign that it hangs on the start of an attack."""
    return number(row["reproduced"], row["metric"], row["unit"]) + unit + start_mark(row["note"])


def under_attack(study: Study, model: str, tau: str, keys: Mapping[str, str]) -> str:
    """What an adaptive attack comes to on a model; "–" if there is none."""
    row = study.find(model=model, tau=tau, **keys)
    return "–" if row is None else f"{number(row['reproduced'], row['metric'], row['unit'])} %"


def reported_below(first: Row, second: Row, bands: Mapping[str, float | str]) -> bool:
    """Whether a reported number is below another beyond the intervals that can be had of them, or their band."""
    a, b = float(first["value"]), float(second["value"])
    if first["unit"] == "fraction":
        return a + half_width(bands[band_name(first["metric"])], b) < b
    low, high = (reported_interval(row["metric"], float(row["value"]), n=row["reported_n"]) for row in (first, second))
    return differs(a, low, b, high) < 0


def ordering_verdict(low: Row, high: Row) -> str:
    """What two measured numbers say of the reported order."""
    measured = [(row["reproduced"], (row["low"], row["high"])) for row in (low, high)]
    sign = differs(*measured[0], *measured[1])
    low_end, high_end = difference_interval(*measured[0], *measured[1])
    refuted = not low_end <= float(low["value"]) - float(high["value"]) <= high_end
    verdicts = [low["verdict"], high["verdict"]]
    reduced = any("reduced budget" in verdict for verdict in verdicts)
    return claim_verdict(sign, verdicts, at_paper_budget=not reduced, refuted=refuted)


def verdict_counts(study: Study) -> str:
    """How many reported numbers have which verdict, by which bands, and how many may differ by chance; "" for none."""
    verdicts = [verdict for verdict in study.frame["verdict"] if verdict]
    if not verdicts:
        return ""
    kinds = [kind(verdict) for verdict in verdicts]
    lines = [[MARKS[kind], kind, str(kinds.count(kind))] for kind in VERDICTS if kind in kinds]
    judged = study.frame[(study.frame["verdict"] != "") & ~study.frame["verdict"].str.startswith("not testable")]
    units = dict(zip(judged["metric"], judged["unit"], strict=True))
    bands = ", ".join(
        f"{metric_name(name)} {band_text(study.bands[band_name(name)], unit)}" for name, unit in units.items()
    )
    count, different, chance = by_chance(verdicts)
    text = (
        "Numbers are equal within a band, which was set by metric and not by number (`report.bands` in params.yaml; "
        f"{bands}). They agree where the whole 95 % interval of their difference lies inside it, differ where all of "
        "it lies outside, and else one cannot tell: the interval is too wide. "
        f"Of {count} such verdicts up to {chance:.1f} (5 %) would be called different by chance alone if all numbers "
        f"were equal; {different} are. What another training of the same network would change comes on top."
    )
    return f"{markdown_table(lines, ['', 'verdict', 'numbers'])}\n\n{text}"


def band_text(band: float | str, unit: str) -> str:
    """Half the width of a band, as "±5 percentage points", "±25 %" of the reported number, "±0.03"."""
    if isinstance(band, str):
        return f"±{band}"
    return f"±{band:g}" + {"percent": " percentage points", "fraction": ""}.get(unit, f" {unit}")


def not_testable(study: Study) -> str:
    """The reported numbers that were measured but cannot be compared, with the reason; "" for none."""
    rows = study.frame[study.frame["verdict"].str.startswith("not testable")]
    lines = [
        [model_name(r["model"]), row_name(r), r["tau"] or "–", f"{r['value']}, {paper(r['source'])}",
         r["verdict"].partition(": ")[2]]
        for r in records(rows)
    ]  # fmt: skip
    return markdown_table(lines, ["", "number", "τ", "reported", "why not testable"]) if lines else ""


def not_measured(study: Study) -> Table:
    """The papers' numbers on this data set that nothing here measures yet, counted by experiment."""
    rows = compare.not_measured(study.papers, study.frame, study.dataset)
    lines: list[list[str]] = [
        [", ".join(map(paper, group["source"].unique())), ", ".join(group["where"].unique()), str(experiment),
         ", ".join(model_name(m) for m in group["model"].unique()), str(len(group))]
        for experiment, group in rows.groupby("experiment", sort=False)
    ]  # fmt: skip
    header = ["source", "where", "experiment", "models", "numbers"]
    return Table("not_measured", markdown_table(lines, header) if lines else "", rows)


def budgets(study: Study) -> str:
    """What was spent, a line a stage; models that spent the same stand together.

    Below them what of the stage had a budget of its own.
    """
    lines = []
    for stage, cells in study.compared.items():
        name_of = getattr(study.modules.get(stage), "experiment_name", str)
        texts: dict[tuple[str, str], list[str]] = {}
        own: dict[tuple[str, str], list[str]] = {}
        for model, cell in cells.items():
            limits = of_model(study.budget, model)
            if cell.budget:  # else nothing was spent: images were only collected
                texts.setdefault((f"`{stage}`", budget_text(cell.budget, limits)), []).append(model_name(model))
            budgets = {row["experiment"]: row["budget"] for row in cell.summary["metrics"] if "budget" in row}
            for experiment, spent in budgets.items():
                place = f"`{stage}`, {name_of(experiment)}", budget_text(spent, limits)
                own.setdefault(place, []).append(model_name(model))
        lines += [[name, ", ".join(models), text] for (name, text), models in (texts | own).items()]
    return markdown_table(lines, ["stage", "models", "budget"])


def provenance(study: Study, *, commands: bool = True) -> Table:
    """Each cell with the MD5 of its folder and the command that remakes it, if DVC does; searches come last."""
    cells = [cell for models in (study.compared | study.grid).values() for cell in models.values()]
    rows = pd.DataFrame({
        "cell": [cell.path for cell in cells],
        **({"command": [cell.command for cell in cells]} if commands else {}),
        "md5": [cell.md5 for cell in cells],
    })  # fmt: skip
    lines = [[f"`{value}`" for value in row] for row in rows.itertuples(index=False)]
    return Table("provenance", markdown_table(lines, list(rows.columns)), rows)
