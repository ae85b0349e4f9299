"""Networks at a temperature, in the report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pandas as pd

from overgen.measures.intervals import differs
from overgen.report.claims import QUESTIONS, Claim
from overgen.report.findings import Finding, how_often, known
from overgen.report.names import dataset_name, model_name
from overgen.report.study import Row, Study, rising
from overgen.report.tables import Table, at_tau, measured, table
from overgen.stages.evaluate_calibration import figures
from overgen.stages.evaluate_calibration.summary import AFTER, BEFORE, EXPERIMENT, TOP, TRAINING

START = "noise"  # of the attack that the questions are about
JUDGED = "cnn"  # the network of question 5a
HALF = 50.0  # percent
ACCURACY = "the share of test images that are right and above τ"
WORDS = {"uniform": "uniform noise", "silhouettes": "simple shapes"}
ATTACKS = {"fgn": "FGN on y", "fgn_scaled": "FGN on ỹ", "gradient": "gradients of ỹ", "evolution": "evolution"}


class Line(NamedTuple):
    """A line of a table: head, and of its numbers metric, τ and keys. at: the temperatures that it gives them at."""

    head: str
    metric: str
    tau: str = ""
    keys: dict[str, str] = {}  # noqa: RUF012  # a NamedTuple's default, never written to
    at: Sequence[str] = (BEFORE, AFTER)


def calibration(study: Study) -> Table:
    """What the study compares, before → after: a line a number, a column a network."""
    taus = rising(study.rows(experiment=EXPERIMENT, metric="accepted_accuracy")["tau"])
    kinds = [kind for kind in kinds_of(study) if kind.startswith("data_")]
    lines = [
        Line("temperature T", "temperature", keys={"fitted_on": "test"}, at=()),
        Line("calibration error", "calibration_error"),
        Line("… T by the top score", "calibration_error", at=(BEFORE, TOP)),
        *(Line(f"right and above {at_tau(tau)}, %", "accepted_accuracy", tau) for tau in taus),
        *(Line(f"… {at_tau(tau)}, T by the top score", "accepted_accuracy", tau, at=(BEFORE, TOP)) for tau in taus),
        *(Line(f"fooled by gradients, {at_tau(tau)}, %", "fooling_rate", tau, {"start": START}) for tau in taus),
        *(Line(f"{kind_name(kind)} accepted where 95 % of the known are, %", "fpr_at_95_tpr", keys={"kind": kind})
          for kind in kinds),
    ]  # fmt: skip
    return before_after(study, "calibration", lines)


def calibration_more(study: Study) -> Table:
    """All else that was measured before and after, in the same form."""
    taus = rising(study.rows(experiment=EXPERIMENT, metric="accepted_accuracy")["tau"])
    kinds = kinds_of(study)
    attacks = [attack for attack in ATTACKS if attack in set(column(study, "attack"))]
    made = [kind for kind in kinds if not kind.startswith("data_")]
    fitted_on = {"first_half": "one half", "second_half": "the other", "training": "training images",
                 "top_score": "all test images, by the top score"}  # fmt: skip
    lines = [
        *(Line(f"T of {text}", "temperature", keys={"fitted_on": name}, at=()) for name, text in fitted_on.items()),
        Line("accuracy, %", "accuracy"),
        Line("Brier score", "brier_score"),
        Line("mean top score", "mean_top_score"),
        Line("calibration error of a calibrated network, by chance", "calibration_error_by_chance"),
        Line("negative log-likelihood", "negative_log_likelihood"),
        Line("negative log-likelihood, with T of training images", "negative_log_likelihood", at=(BEFORE, TRAINING)),
        Line("calibration error, with T of training images", "calibration_error", at=(BEFORE, TRAINING)),
    ]  # fmt: skip
    for tau in taus:
        lines += [
            Line(f"test images above {at_tau(tau)}, %", "accepted", tau),
            Line("of these right, %", "right_of_accepted", tau),
            *(Line(f"{kind_name(kind)} above {at_tau(tau)}, %", "accepted", tau, {"kind": kind}) for kind in kinds),
            *(Line(f"what fooled still above {at_tau(tau)}, {ATTACKS[attack]}, %", "fooling_rate_of_kept", tau,
                   {"attack": attack}) for attack in attacks),
            Line(f"updates until fooled, {at_tau(tau)}", "mean_steps_to_fool", tau, {"start": START}),
        ]  # fmt: skip
    lines += [
        Line(f"{kind_name(kind)} accepted where 95 % of the known are, %", "fpr_at_95_tpr", keys={"kind": kind})
        for kind in made
    ]
    return before_after(study, "calibration_more", lines)


def before_after(study: Study, name: str, lines: Sequence[Line]) -> Table:
    """A table of lines, a column a network; a line that no network has is left out."""
    models, used, shown = list(study.cells("evaluate_calibration")), list[int](), list[list[str]]()
    for line in lines:
        texts = []
        for model in models:
            rows = [found(study, model, line.metric, line.tau, at, line.keys) for at in line.at or ("",)]
            used += [row["place"] for row in rows if row]
            texts.append("<br>→ ".join(measured(row) for row in rows) if any(rows) else "–")
        if set(texts) != {"–"}:
            shown.append([line.head, *texts])
    header = ["", *map(model_name, models)]
    return table(name, shown, header, study.frame.iloc[list(dict.fromkeys(used))])


def found(study: Study, model: str, metric: str, tau: str, temperature: str, keys: dict[str, str]) -> Row | None:
    of = keys | ({"temperature": temperature} if temperature else {})
    return study.find(experiment=EXPERIMENT, model=model, metric=metric, tau=tau, **of)


def column(study: Study, name: str) -> list[str]:
    """The different values of a key of the stage's numbers, in order."""
    rows = study.rows(experiment=EXPERIMENT)
    return [value for value in dict.fromkeys(rows[name]) if value] if name in rows else []


def kinds_of(study: Study) -> list[str]:
    """The kinds of unknown images."""
    return column(study, "kind")


def kind_name(kind: str) -> str:
    return dataset_name(kind.removeprefix("data_")) if kind.startswith("data_") else WORDS.get(kind, kind)


def fooling_gets_rare(study: Study) -> Claim | None:
    """Question 5a."""
    of = {"experiment": EXPERIMENT, "metric": "fooling_rate", "start": START, "temperature": AFTER}
    rows = [row for row in study.select(**of, model=JUDGED) if known(row)]
    if not rows:
        return None
    verdict = "cannot tell"
    if all(row["high"] < HALF for row in rows):
        verdict = "holds"
    elif all(row["low"] > HALF for row in rows):
        verdict = "contradicted"
    last = max(rows, key=lambda row: float(row["tau"]))
    others = [f"{measured(row)} at {at_tau(row['tau'])}" for row in rows if row is not last]
    return Claim(
        says="A temperature fitted on held-out images makes fooling at a fixed τ rare.",
        test=f"The trials of the gradient attack from {START} on {model_name(JUDGED)}, made anew on the calibrated "
        f"score. Holds if the 95 % interval of the share that fools lies below {HALF:.0f} % at every τ; contradicted "
        f"if above {HALF:.0f} % at every τ; else it cannot be told.",
        verdict=verdict,
        number="; ".join([f"{{number}} of {{n}} trials at {at_tau(last['tau'])}", *others]),
        row=last,
        figure="calibrated_reliability",
        source=QUESTIONS,
    )


class Order(NamedTuple):
    """Two networks at one τ: the numbers of both before and after; signs: of first − second, 0 within the interval."""

    tau: str
    before: list[Row]
    after: list[Row]
    signs: tuple[int, int]


def orders(study: Study, metric: str, after: str, keys: dict[str, str]) -> list[Order]:
    """Of a number all pairs of networks that have it, at each τ. after: the temperature that it is compared at."""
    made = []
    for tau in dict.fromkeys(study.rows(experiment=EXPERIMENT, metric=metric, **keys)["tau"]):
        for pair in combinations(study.cells("evaluate_calibration"), 2):
            rows = [[found(study, model, metric, tau, at, keys) for model in pair] for at in (BEFORE, after)]
            before, then = ([row for row in two if row is not None and known(row)] for two in rows)
            if len(before) == len(then) == 2:
                made.append(Order(tau, before, then, (sign(*before), sign(*then))))
    return made


def sign(first: Row, second: Row) -> int:
    """Of first − second, 0 within the interval of the difference."""
    ends = [None if pd.isna(row["low"]) else (row["low"], row["high"]) for row in (first, second)]
    return differs(first["reproduced"], ends[0], second["reproduced"], ends[1])


def order_claim(
    study: Study, says: str, what: str, unit: str, metric: str, *, after: str = AFTER, added: str = "", **keys: str
) -> Claim | None:
    """Whether the order of the networks by a number changes; None without two networks.

    what: the number, in words; unit: what its n counts; after: the temperature that it is compared at; added: why it
    was asked after the first run, "" if it was asked before.
    """
    pairs = orders(study, metric, after, keys)
    if not pairs:
        return None
    turned = [pair for pair in pairs if pair.signs[0] * pair.signs[1] < 0]
    moved = [pair for pair in pairs if pair.signs[0] != pair.signs[1]]
    verdict = "holds" if turned else "cannot tell" if moved else "contradicted"
    shown = max(turned or moved or pairs, key=apart)
    first, second = (model_name(row["model"]) for row in shown.after)
    at = f" at {at_tau(shown.tau)}" if shown.tau else ""
    before = f"{measured(shown.before[0])} and {measured(shown.before[1])} before"
    return Claim(
        says=says,
        test=f"{added}By {what}. Two networks are in an order where the difference lies beyond its 95 % interval. "
        "Holds if some two are in one order before and in the opposite one after; contradicted if every two are as "
        "before, in the same order or in none; else it cannot be told.",
        verdict=verdict,
        number=f"{len(turned)} of {len(pairs)} pairs turned round, {len(moved) - len(turned)} gained or lost their "
        f"order; {first} and {second}{at}: {before}, {{number}} of {{n}} {unit} and {measured(shown.after[1])} after",
        row=shown.after[0],
        figure="calibrated_reliability",
        source=QUESTIONS,
        before=not added,
    )


def apart(pair: Order) -> float:
    """How far the two numbers lie apart after calibration."""
    return float(abs(pair.after[0]["reproduced"] - pair.after[1]["reproduced"]))


def order_of_accuracy(study: Study) -> Claim | None:
    """Question 5b, of accuracies."""
    says = "Calibrated, the networks are in another order of accuracy at a fixed τ."
    return order_claim(study, says, ACCURACY, "test images", "accepted_accuracy")


def order_by_top_scores(study: Study) -> Claim | None:
    """Question 5d."""
    says = "Calibrated by their top scores, the networks are in another order of accuracy at a fixed τ."
    added = (
        "Added after the first run, in which the likelihood made COOL's calibration worse: at the T fitted here the "
        "log-loss of the top score being right is least. "
    )
    return order_claim(study, says, ACCURACY, "test images", "accepted_accuracy", after=TOP, added=added)


def order_of_fooling(study: Study) -> Claim | None:
    """Question 5b, of fooling rates."""
    says = "Calibrated, the networks are in another order of how often they are fooled at a fixed τ."
    what = f"the share of trials of the gradient attack from {START} that fool, made anew after calibration"
    return order_claim(study, says, what, "trials", "fooling_rate", start=START)


def order_without_tau(study: Study) -> Claim | None:
    """Question 5b, without a fixed τ."""
    kind = next((kind for kind in kinds_of(study) if kind.startswith("data_")), None)
    if kind is None:
        return None
    says = "Calibrated, the networks are in another order of what they accept at a threshold of their own."
    what = f"the share of images of {kind_name(kind)} that are accepted where 95 % of the test images are"
    return order_claim(study, says, what, "images", "fpr_at_95_tpr", kind=kind)


def training_images_will_not_do(study: Study) -> Claim | None:
    """Question 5c."""
    pairs: list[tuple[Row, Row]] = []
    for model in study.cells("evaluate_calibration"):
        training, test = (
            found(study, model, "temperature", "", "", {"fitted_on": name}) for name in ("training", "test")
        )
        if training is not None and test is not None and known(test):
            pairs.append((training, test))
    if not pairs:
        return None
    lower = [pair for pair in pairs if sign(*pair) < 0]
    verdict = "holds" if len(lower) == len(pairs) else "cannot tell" if lower else "contradicted"
    training, test = max(pairs, key=lambda pair: pair[0]["reproduced"] / pair[1]["reproduced"])
    return Claim(
        says="Training images give too low a temperature.",
        test="The temperature of images that the network was trained on and that of all test images. Holds if the "
        "first is lower for every network, beyond the 95 % interval of the difference; contradicted if for none; else "
        "it cannot be told in general.",
        verdict=verdict,
        number=f"lower for {len(lower)} of {len(pairs)} networks; nearest for {model_name(training['model'])}: "
        f"{{number}} on {{n}} training images, {measured(test)} on test images",
        row=training,
        figure="calibrated_reliability",
        source=QUESTIONS,
    )


def calibrated_and_fooled(study: Study) -> Finding | None:
    """The network that is fooled least when it is calibrated, at the largest τ."""
    of = {"experiment": EXPERIMENT, "metric": "fooling_rate", "start": START, "temperature": AFTER}
    rows = [row for row in study.select(**of) if known(row)]
    if not rows:
        return None
    tau = max((row["tau"] for row in rows), key=float)
    row = min((row for row in rows if row["tau"] == tau), key=lambda row: (row["reproduced"], row["high"]))
    alike = len({each["reproduced"] for each in rows if each["tau"] == tau}) == 1
    who = "every network" if alike else f"even the network that is fooled least, {model_name(row['model'])},"
    says = (
        f"Calibrated on held-out images, {who} is {how_often(row)} fooled by an attack that follows the calibrated "
        "score."
    )
    return Finding(says, f"{{number}} of {{n}} trials at {at_tau(tau)}", row, "calibrated_reliability", "calibration")


def context(study: Study) -> dict[str, Any]:
    """What the section says of what was done, and the networks that have no temperature."""
    rows = study.select(experiment=EXPERIMENT, metric="temperature", fitted_on="test")
    refused = [f"{model_name(row['model'])}: {row['note'].partition(': ')[2]}" for row in rows if not row["n"]]
    attack = study.section(f"evaluate_calibration.{study.dataset}.attack")
    return {"calibration_attack": attack, "calibration_refused": refused}


FIRST_SEED = True
CLAIMS = (fooling_gets_rare, order_of_accuracy, order_by_top_scores, order_of_fooling, order_without_tau,
          training_images_will_not_do)  # fmt: skip
FINDINGS = (calibrated_and_fooled,)
TABLES = (calibration, calibration_more)
FIGURES = (figures.calibrated_reliability,)
