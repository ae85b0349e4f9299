"""Open-set scores under attack, in the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overgen.report import claims
from overgen.report.claims import QUESTIONS, Claim
from overgen.report.findings import known
from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, broken, column, measured, pivot
from overgen.stages.attack_scores import figures, labelling, summary
from overgen.stages.evaluate_scores.names import method_name

EXPERIMENT = summary.EXPERIMENT
# Of docs/questions.md, set before the run:
KEEPS = 90.0  # percent of the test images that a score has to keep to count
HELD = 5.0  # percent, below which the upper end of a rate of 0 has to lie
SUCCESSES = 20  # that a share of them is spoken of
HALF = 50.0
NEIGHBOURS = ("cnn", "knn_normalised")
CHOICES = [
    (
        "What “fooled” means for a score",
        "accepted, at the threshold that keeps {evaluate_scores.keep:.0%} of held-out images, as the target",
    ),
]
METHOD: Labels = {
    "network": lambda row: f"**{model_name(row['model'])}**",
    "score": lambda row: method_name(row["method"]),
}


def attacked_scores(study: Study) -> Table:
    """A row a score: how much it keeps, how often it is fooled in the cube and by what, and its areas within balls."""
    rows = study.rows(experiment=EXPERIMENT, metric="fooled", start="")
    columns = [
        column("keeps, %", "kept", show=broken),
        column("fooled, %", "fooled", show=broken),
        column("by its own gradient", "fooled_directly", show=broken),
        column("not of the class", "fooled_not_of_class", show=broken),
        *(
            column(f"{head}, {norm_name}", "area", show=broken, direction=direction, norm=norm)
            for direction, head in (("accept", "accepted"), ("reject", "rejected"))
            for norm, norm_name in figures.NORMS.items()
        ),
    ]
    return pivot(study, "attacked_scores", rows, ("model", "method"), METHOD, columns, of={"experiment": EXPERIMENT})


def attacked_starts(study: Study) -> Table:
    """A row a score: how often it is fooled from each start."""
    rows = study.rows(experiment=EXPERIMENT, metric="fooled")
    starts = [start for start in dict.fromkeys(rows["start"]) if start] if "start" in rows else []
    columns = [column(f"from {START_NAMES[start]}, %", "fooled", show=broken, start=start) for start in starts]
    rows = rows[rows["start"] == ""] if starts else rows
    return pivot(study, "attacked_starts", rows, ("model", "method"), METHOD, columns, of={"experiment": EXPERIMENT})


START_NAMES = {"noise": "noise", "other_data": "other data"}


def counted(study: Study) -> list[Row]:
    """The rates in the cube of the scores that keep enough test images to count, on all networks."""
    rows = records(study.rows(experiment=EXPERIMENT, metric="fooled", start="").reset_index(names="place"))
    kept = {key(row): row for row in records(study.rows(experiment=EXPERIMENT, metric="kept"))}
    return [row for row in rows if known(row) and kept[key(row)]["reproduced"] >= KEEPS]


def key(row: Row) -> tuple[str, str]:
    return str(row["model"]), str(row["method"])


def name(row: Row) -> str:
    return f"{method_name(row['method'])} on {model_name(row['model'])}"


def blind(row: Row) -> bool:
    """Whether attacks on a score had nothing to follow, in some trial or at all: that they failed says little."""
    return "black box alone" in row["note"] or "gradient was 0" in row["note"]


def some_score_holds(study: Study) -> Claim | None:
    """Question 1."""
    rows = counted(study)
    if not rows:
        return None
    held = [row for row in rows if row["reproduced"] == 0 and row["high"] < HELD and not blind(row)]
    least = min(held or rows, key=lambda row: (row["reproduced"], row["high"]))
    unfooled = [row for row in rows if row["reproduced"] == 0]
    verdict = "holds" if held else "cannot tell" if unfooled else "contradicted"
    named = f"; so do {', '.join(name(row) for row in held if row is not least)}" if len(held) > 1 else ""
    share = f"{len(held)} of {len(rows)} scores keep 0 %"
    return Claim(
        says="Some open-set score is never fooled, when the attack goes for that score.",
        test=f"Holds if a score that keeps {KEEPS:.0f} % of the test images or more is fooled in no trial, with the "
        f"upper end of its 95 % interval below {HELD:.0f} %, and had a gradient to follow; contradicted if all such "
        "are fooled; else it cannot be told.",
        verdict=verdict,
        number=f"{share}; least fooled is {name(least)}: {{number}} of {{n}} trials{named}",
        row=least,
        figure="attacked_rates",
        source=QUESTIONS,
    )


def fooled_is_no_class(study: Study) -> Claim | None:
    """Question 2, of all scores together."""
    counts = {key(row) for row in counted(study)}
    rows = study.select(experiment=EXPERIMENT, metric="not_of_class")
    every = [row for row in rows if known(row) and key(row) in counts and row["n"] >= SUCCESSES]
    if not every:
        return None
    verdicts = [claims.verdict(row, above=HALF) for row in every]
    more, less, neither = (verdicts.count(verdict) for verdict in claims.VERDICTS)
    least = min(every, key=lambda row: row["reproduced"])
    return Claim(
        says="What fools a score does not look like the class.",
        test=f"Of each score with {SUCCESSES} or more successes: no class if the 95 % interval of the share that the "
        f"judge finds not of the class lies above {HALF:.0f} %. Holds if so for all scores; contradicted if the whole "
        "interval lies below for all; else it cannot be told in general; how many fall on each side is said.",
        verdict=claims.of_all(verdicts),
        number=f"{more} scores above half, {less} below, {neither} neither; the least share is that of "
        f"{name(least)}: {{number}} of {{n}} successes",
        row=least,
        figure="attacked_rates",
        source=QUESTIONS,
    )


def neighbours_beat_the_dae(study: Study) -> Claim | None:
    """Question 3."""
    pairs = compared_areas(study, "accept")
    if len(pairs) < 2:
        return None
    (mine, other), (mine_l2, other_l2) = pairs
    counts = {key(row) for row in counted(study)}
    left_out = [name(row) for row in (mine, other) if key(row) not in counts]
    verdict = "cannot tell" if left_out else claims.of_all([claims.lower(*pair) for pair in pairs])
    why = f". {' and '.join(left_out)} keeps fewer than {KEEPS:.0f} % of the test images" if left_out else ""
    return Claim(
        says="Nearest neighbours on the CNN's features keep more than the dAE's ỹ under attack, too.",
        test="The area under the curve of images of other data that are accepted within a ball of each radius. Holds "
        "if that of normalised nearest neighbours is below that of ỹ of dAE sym, at the α of the largest τ, beyond the "
        "interval of the difference, for L∞ and for L2 balls; contradicted if above for both; else, and where one of "
        f"the two keeps fewer than {KEEPS:.0f} % of the test images, it cannot be told.",
        verdict=verdict,
        number=f"L∞: {{number}} over {{n}} images, against {measured(other)}; L2: {measured(mine_l2)}, against "
        f"{measured(other_l2)}{why}",
        row=mine,
        figure="attacked_balls",
        source=QUESTIONS,
    )


def compared_areas(study: Study, direction: str) -> list[tuple[Row, Row]]:
    """The areas of nearest neighbours and of the dAE's ỹ, for each norm that has both."""
    _, alpha = max((pair["tau"], pair["alpha"]) for pair in study.settings[f"confidence.{study.dataset}.thresholds"])
    pairs = []
    for norm in figures.NORMS:
        of: dict[str, Any] = {"experiment": EXPERIMENT, "metric": "area", "direction": direction, "norm": norm}
        mine = study.find(**of, model=NEIGHBOURS[0], method=NEIGHBOURS[1])
        other = study.find(**of, model="dae_sym", method=f"scaled_output_alpha{alpha:g}")
        if known(mine) and known(other):
            pairs.append((mine, other))
    return pairs  # type: ignore[return-value]


def context(study: Study) -> dict[str, Any]:
    """What the section says of how much was tried."""
    rows = study.rows(experiment=EXPERIMENT, metric="fooled", start="")
    tried = [row for row in records(rows) if known(row)]
    black = [name(row) for row in tried if "black box alone" in row["note"]]
    flat = [f"{name(row)} ({row['note'].rpartition('in ')[2]})" for row in tried if "gradient was 0" in row["note"]]
    refused = [
        f"{name(row)}: {row['note'].partition(': ')[2]}" for row in records(rows) if "not testable" in row["note"]
    ]
    prefix = f"attack_scores.{study.dataset}."
    settings = {key.removeprefix(prefix): value for key, value in study.settings.items() if key.startswith(prefix)}
    return {
        "attacked": settings,
        "attacked_sheet": labelling.sheet_of(study) is not None,
        "keep": study.settings["evaluate_scores.keep"],
        "attacked_tried": len(tried),
        "attacked_trials": max((int(row["n"]) for row in tried), default=0),
        "attacked_black": black,
        "attacked_flat": flat,
        "attacked_refused": refused,
        "attempt_texts": {part: attempts_text(settings.get(part, [])) for part in ("attempts", "ball_attempts")},
    }


def attempts_text(attempts: Sequence[Any]) -> str:
    """Attempts in words, in order."""
    names = {"autopgd": "AutoPGD, {updates} updates", "square": "Square, {updates} queries, without a gradient",
             "adam": "Adam at rate {learning_rate:g}, {updates} updates"}  # fmt: skip
    return "; then ".join(names[each["attack"]].format(**each) for each in attempts)


FIRST_SEED = True
CLAIMS = (some_score_holds, fooled_is_no_class, neighbours_beat_the_dae)
TABLES = (attacked_scores, attacked_starts)
FIGURES = (figures.attacked_rates, figures.attacked_balls, figures.attacked_images)
FILES = (labelling.pages,)
