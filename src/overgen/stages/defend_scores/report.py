"""Open-set scores with a defence under attack, in the report."""

from __future__ import annotations

from typing import Any

import pandas as pd

from overgen.measures.smoothing import reach
from overgen.report.claims import QUESTIONS, Claim
from overgen.report.findings import known
from overgen.report.names import model_name
from overgen.report.reported import records
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, broken, column, measured, pivot, plain
from overgen.stages.attack_scores.report import KEEPS, attempts_text
from overgen.stages.defend_scores import figures, summary
from overgen.stages.defend_scores.params import ADVERSARIAL, ENSEMBLE, NONE, SMOOTHED
from overgen.stages.evaluate_scores.names import method_name

EXPERIMENT = summary.EXPERIMENT
DECIDES = ("linf", "l2")  # balls in which images of no class are moved: both have to say the same
CHOICES = [
    (
        "The threshold of a score with a defence, and of the same without",
        "keeps {evaluate_scores.keep:.0%} of test images that serve for nothing else",
    ),
]
SCORE: Labels = {
    "score": lambda row: f"{method_name(row['method'])}, **{model_name(row['model'])}**",
    "defence": lambda row: figures.DEFENCES[row["defence"]],
}


def with_change(area: Row | None, change: Row | None) -> str:
    """An area, and on a second line by how many percentage points of the radii it differs without the defence."""
    text = plain(area)
    return text if change is None else f"{text}<br>{measured(change)}"


def defended_scores(study: Study) -> Table:
    """A row a score and defence: its price, its areas within balls, and how often it is fooled in the cube."""
    rows = study.rows(experiment=EXPERIMENT, metric="kept")
    columns = [
        column("keeps, %", "kept", show=broken),
        column("other data accepted, %", "accepted", show=broken),
        column("passes", "passes", show=plain),
        *(
            column(
                f"{figures.DIRECTIONS[direction]}, {figures.NORMS[norm]}", "area", "area_change", show=with_change,
                direction=direction, norm=norm,
            )
            for direction, norm in summary.BALLS
        ),
        column("fooled, %", "fooled", show=broken, start=""),
        column("not of the class, %", "fooled_not_of_class", show=broken, start=""),
    ]  # fmt: skip
    return pivot(study, "defended_scores", rows, summary.SCORE, SCORE, columns, of={"experiment": EXPERIMENT})


def defended_certificates(study: Study) -> Table:
    """A row a smoothed score and direction: how many images are certified within each radius."""
    rows = study.rows(experiment=EXPERIMENT, metric="certified")
    radii = sorted(set(rows["radius"]), key=float) if "radius" in rows else []
    columns = [column(f"beyond {radius}, %", "certified", show=broken, radius=radius) for radius in radii]
    labels: Labels = {"score": SCORE["score"], "images": lambda row: STAY[row["direction"]]}
    rows = rows.drop_duplicates([*summary.SCORE, "direction"]) if radii else rows
    by = (*summary.SCORE, "direction")
    return pivot(study, "defended_certificates", rows, by, labels, columns, of={"experiment": EXPERIMENT})


STAY = {"accept": "of other data, stay rejected", "reject": "test images, stay accepted"}


def key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in summary.SCORE)


def name(row: Row) -> str:
    return f"{method_name(row['method'])} on {model_name(row['model'])}"


def changes(study: Study, defence: str) -> list[tuple[Row, Row]]:
    """By how much a defence changes the areas that decide, L∞ and L2, of each score that counts: with it and without
    it keeps enough test images."""
    rows = records(study.rows(experiment=EXPERIMENT, metric="kept", defence=(NONE, defence)))
    keeps = {key(row) for row in rows if row["reproduced"] >= KEEPS}
    pairs = []
    for row in rows:
        model, method, of = key(row)
        if of != defence or not {key(row), (model, method, NONE)} <= keeps:
            continue
        found = [
            study.find(experiment=EXPERIMENT, metric="area_change", model=model, method=method, defence=of,
                       direction="accept", norm=norm)
            for norm in DECIDES
        ]  # fmt: skip
        if all(each is not None for each in found):
            pairs.append((found[0], found[1]))
    return pairs  # type: ignore[return-value]


def side(pair: tuple[Row, Row]) -> int:
    """−1 where both changes lie below 0 with their intervals, 1 where above, else 0."""
    signs = {-1 if row["high"] < 0 else 1 if row["low"] > 0 else 0 for row in pair if pd.notna(row["low"])}
    return signs.pop() if len(signs) == 1 and all(pd.notna(row["low"]) for row in pair) else 0


TEST = (
    "The area under the curve of images of other data that are accepted within a ball of each radius, with the "
    "defence minus without, image by image, each attacked by what follows the score as it is. Holds if the mean over "
    "the images lies below 0 with its 95 % interval for L∞ and for L2 balls{every}; contradicted if above 0 for "
    "both{every}; else it cannot be told. A score that keeps fewer than {keeps:.0f} % of the test images, with or "
    "without, counts in no answer."
)


def smoothing_buys(study: Study) -> Claim | None:
    """Question 4, of smoothing: of all scores together."""
    pairs = changes(study, SMOOTHED)
    if not pairs:
        return None
    sides = [side(pair) for pair in pairs]
    verdict = "holds" if set(sides) == {-1} else "contradicted" if set(sides) == {1} else "cannot tell"
    linf, l2 = max(pairs, key=lambda pair: max(row["reproduced"] for row in pair))
    counts = f"{sides.count(-1)} of {len(pairs)} scores that count are lower, {sides.count(1)} higher"
    says = "Smoothing by the median lowers how far an attack that knows it gets, with every score."
    worst = (
        f"the least favourable is {name(linf)}, L∞: {{number}} percentage points over {{n}} images, L2: {measured(l2)}"
    )
    return claim(says, SMOOTHED, verdict, linf, f"{counts}; {worst}", every=", with every score that counts")


def ensemble_buys(study: Study) -> Claim | None:
    """Question 4, of the ensemble."""
    return of_one(study, ENSEMBLE, "The least ỹ of several dAEs lowers how far an attack on all of them gets.")


def further_training_buys(study: Study) -> Claim | None:
    """Question 4, of further training."""
    return of_one(
        study, ADVERSARIAL, "Training the dAE further on images that are moved lowers how far an attack gets."
    )


def of_one(study: Study, defence: str, says: str) -> Claim | None:
    """What is claimed of a defence of ỹ alone. Without the score counting it cannot be told."""
    of = {"experiment": EXPERIMENT, "metric": "area_change", "defence": defence, "direction": "accept"}
    linf, l2 = (study.first(**of, norm=norm) for norm in DECIDES)
    if linf is None or l2 is None:
        return None
    counts = changes(study, defence)
    verdict = {-1: "holds", 1: "contradicted", 0: "cannot tell"}[side(counts[0])] if counts else "cannot tell"
    why = "" if counts else f". It keeps fewer than {KEEPS:.0f} % of the test images, with the defence or without"
    number = f"L∞: {{number}} percentage points over {{n}} images, L2: {measured(l2)}{why}"
    return claim(says, defence, verdict, linf, number)


def claim(says: str, defence: str, verdict: str, row: Row, number: str, every: str = "") -> Claim:
    test = TEST.format(every=every, keeps=KEEPS)
    return Claim(says, test, verdict, number, row, figure="defended_balls", source=QUESTIONS)


def certificates_agree(study: Study) -> Claim | None:
    """Question 4, of certificates and attacks."""
    row = study.first(experiment=EXPERIMENT, metric="confirmed_within")
    moved = study.first(experiment=EXPERIMENT, metric="moved_within")
    if row is None or moved is None:
        return None
    tried = known(row)
    verdict = "cannot tell" if not tried else "holds" if row["reproduced"] == 0 else "contradicted"
    few = f"; the draws that decide, which are fewer, say so of {measured(moved, ' %')}"
    number = f"confirmed in {{number}} of {{n}} certified images{few}"
    return Claim(
        says="No attack succeeds within a certificate of smoothing.",
        test="Each image that is certified is attacked within its own radius. Holds if fresh draws, as many as the "
        "certificate has, confirm no success; contradicted if they confirm one; without a certified image it cannot be "
        "told.",
        verdict=verdict,
        number=number if tried else "no image is certified: {number}",
        row=row,
        figure="defended_balls",
        source=QUESTIONS,
    )


def context(study: Study) -> dict[str, Any]:
    """What the section says of how much was tried."""
    key = f"defend_scores.{study.dataset}"
    settings = {name: value for name, value in study.section(key).items() if "." not in name}
    for part in ("smoothing", "adversarial"):
        settings[part] = study.section(f"{key}.{part}")
    of = {"experiment": EXPERIMENT, "metric": "right_when_moved"}
    learnt = [study.first(**of, when=when) for when in ("before", "after")]
    return {
        "defended": settings,
        "defended_reach": reach(smoothing["certificate_draws"], smoothing["sigma"], smoothing["error"])
        if (smoothing := settings["smoothing"])
        else None,
        "defended_members": [model_name(model) for model in settings.get("ensemble", [])],
        "defended_attempts": {part: attempts_text(settings.get(part, [])) for part in ("attempts", "ball_attempts")},
        "defended_learnt": [measured(row, " %") for row in learnt if known(row)],
    }


FIRST_SEED = True
CLAIMS = (smoothing_buys, ensemble_buys, further_training_buys, certificates_agree)
TABLES = (defended_scores, defended_certificates)
FIGURES = (figures.defended_balls, figures.defended_images)
