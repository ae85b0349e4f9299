"""A denoiser's scores under attack, in the report."""

from __future__ import annotations

from typing import Any

from overgen.report import claims
from overgen.report.claims import QUESTIONS, Claim
from overgen.report.findings import known
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import Labels, Table, broken, column, measured, pivot
from overgen.stages.attack_denoiser import figures
from overgen.stages.attack_denoiser.names import (
    BESIDE,
    EXPERIMENT,
    HELD_BACK,
    LIKELIHOOD,
    MODEL,
    RESTORATION,
    SCALED,
    method_name,
)
from overgen.stages.attack_scores.figures import NORMS
from overgen.stages.attack_scores.report import HALF, HELD, KEEPS, SUCCESSES, attempts_text, blind

METHOD: Labels = {"score": lambda row: f"**{method_name(row['method'])}**"}
UNKNOWN = {"other_data": "other data", "noise": "noise"}
CHOICES = [
    (
        "The confidence of a denoiser that knows every level of noise",
        "the length of what it changes, at the level of the dAE's training",
    ),
]


def attacked_denoiser(study: Study) -> Table:
    """A row a score: how well it tells without an attack, how much it keeps, how often it is fooled, its areas."""
    rows = study.rows(experiment=EXPERIMENT, metric="kept")
    columns = [
        *(column(f"AUROC, {name}", "auroc", show=broken, unknown=kind) for kind, name in UNKNOWN.items()),
        column("keeps, %", "kept", show=broken),
        column("fooled, %", "fooled", show=broken, start=""),
        column("by its own attacks", "fooled_directly", show=broken, start=""),
        column("not of the class", "fooled_not_of_class", show=broken, start=""),
        *(
            column(f"{head}, {norm_name}", "area", show=broken, direction=direction, norm=norm)
            for direction, head in (("accept", "accepted"), ("reject", "rejected"))
            for norm, norm_name in NORMS.items()
        ),
    ]
    return pivot(study, "attacked_denoiser", rows, ("model", "method"), METHOD, columns, of={"experiment": EXPERIMENT})


def restored_levels(study: Study) -> Table:
    """How well held-out images are restored: a column a level of noise."""
    rows = study.rows(experiment="denoiser", metric="restored_psnr")
    levels = sorted(set(rows["sigma"]), key=float) if "sigma" in rows else []
    columns = [column(f"σ = {sigma}, dB", "restored_psnr", show=broken, sigma=sigma) for sigma in levels]
    labels: Labels = {"network": lambda row: model_name(row["model"])}
    rows = rows.drop_duplicates("model") if levels else rows
    return pivot(study, "restored_levels", rows, ("model",), labels, columns, of={"experiment": "denoiser"})


def restores_better(study: Study) -> Claim | None:
    """Question 7a."""
    row = study.find(experiment=EXPERIMENT, model=MODEL, metric="restored_psnr", network="difference")
    if not known(row):
        return None
    assert row is not None
    denoiser, beside = (
        study.first(experiment=EXPERIMENT, metric="restored_psnr", network=name) for name in ("denoiser", "beside")
    )
    return Claim(
        says="The denoiser restores noisy images better than dAE sym.",
        test="Test images under the noise of the training, restored by both. Holds if the mean difference of the PSNR, "
        "image by image, lies above 0 with its 95 % interval; contradicted if below; else it cannot be told.",
        verdict=claims.verdict(row, above=0),
        number=f"{measured(denoiser)} dB against {measured(beside)}: {{number}} over {{n}} images",
        row=row,
        figure="denoiser_restored",
        source=QUESTIONS,
    )


def counted(study: Study) -> list[Row]:
    """The rates in the cube of the scores that keep enough test images; the one that is judged by is one score,
    whether a gradient goes through the denoiser or not."""
    rows = study.select(experiment=EXPERIMENT, metric="fooled", start="")
    kept = {row["method"]: row for row in study.select(experiment=EXPERIMENT, metric="kept")}
    rows = [row for row in rows if known(row) and row["method"] != HELD_BACK and not row["method"].startswith(BESIDE)]
    return [row for row in rows if kept[row["method"]]["reproduced"] >= KEEPS]


def confidence_holds(study: Study) -> Claim | None:
    """Question 7b."""
    rows = counted(study)
    if not rows:
        return None
    soon = fooled_as_soon(study)
    short = {LIKELIHOOD} if not sum(soon.values()) else set()
    held = [row for row in rows if row["reproduced"] == 0 and row["high"] < HELD and not blind(row)]
    held = [row for row in held if row["method"] not in short]
    least = min(held or rows, key=lambda row: (row["reproduced"], row["high"]))
    unfooled = [row for row in rows if row["reproduced"] == 0]
    verdict = "holds" if held else "cannot tell" if unfooled else "contradicted"
    return Claim(
        says="Some confidence of the denoiser is never fooled, when the attack goes for it.",
        test=f"Holds if a score that keeps {KEEPS:.0f} % of the test images or more is fooled in no trial, with the "
        f"upper end of its 95 % interval below {HELD:.0f} %, and had a gradient to follow; contradicted if all such "
        "are fooled; else it cannot be told. Added after the run: nor does it hold by the likelihood where no other "
        "score was fooled within as few updates as its attacks had.",
        verdict=verdict,
        number=f"{len(held)} of {len(rows)} scores keep 0 %; least fooled is {method_name(least['method'])}: "
        f"{{number}} of {{n}} trials{in_words(soon) if least['method'] == LIKELIHOOD else ''}",
        row=least,
        figure="denoiser_images",
        source=QUESTIONS,
    )


def fooled_as_soon(study: Study) -> dict[str, int]:
    """In how many trials each other score was fooled within as many updates as the attacks on the likelihood had."""
    (attempt,) = study.section(f"attack_denoiser.{study.dataset}.likelihood")["attempts"][:1]
    trials = study.cells("attack_denoiser")[MODEL].table("trials")
    soon = trials["own"] & (trials["attack"] == attempt["attack"]) & (trials["step"] <= attempt["updates"])
    others = [method for method in dict.fromkeys(trials["method"]) if method not in (LIKELIHOOD, HELD_BACK)]
    return {method: int((soon & (trials["method"] == method)).sum()) for method in others}


def first_attack(study: Study) -> dict[str, int]:
    """Of how many trials the first attack in turn alone fooled restoration, with its gradient and held back: what both
    had the same updates for. Nothing without a cell."""
    cell = study.cells("attack_denoiser").get(MODEL)
    if cell is None:
        return {}
    trials, attempts = cell.table("trials"), study.section(f"attack_denoiser.{study.dataset}")["attempts"]
    first = trials[trials["own"] & (trials["attack"] == attempts[0]["attack"])]
    return {kind: int((first["method"] == method).sum())
            for kind, method in (("whole", RESTORATION), ("held_back", HELD_BACK))}  # fmt: skip


def in_words(soon: dict[str, int]) -> str:
    """What the likelihood's attacks were, as the end of a sentence. soon: of `fooled_as_soon`."""
    counts = ", ".join(f"{method_name(method)} {count}" for method, count in soon.items())
    return (
        ". Its attacks were shorter, and it was not shown what was made against the others, of whose trials as few "
        f"updates fooled: {counts}"
    )


def keeps_more_than_the_dae(study: Study) -> Claim | None:
    """Question 7c."""
    pairs = compared(study)
    if len(pairs) < 2:
        return None
    (mine, other), (mine_l2, other_l2) = pairs
    few = [
        name
        for name, of in (("the denoiser's", mine), ("dAE sym's", other))
        if (row := study.find(**of_score(of), metric="kept")) is None or row["reproduced"] < KEEPS
    ]
    verdict = "cannot tell" if few else claims.of_all([claims.lower(*pair) for pair in pairs])
    why = f". {' and '.join(few)} keeps fewer than {KEEPS:.0f} % of the test images" if few else ""
    return Claim(
        says="ỹ with the denoiser keeps more than ỹ of dAE sym under attack.",
        test="The area under the curve of images of other data that are accepted within a ball of each radius, at the "
        "α of the largest τ, both under the same attacks. Holds if that with the denoiser is below that of dAE sym "
        "beyond the interval of the difference, for L∞ and for L2 balls; contradicted if above for both; else, and "
        f"where one of the two keeps fewer than {KEEPS:.0f} % of the test images, it cannot be told.",
        verdict=verdict,
        number=f"L∞: {{number}} over {{n}} images, against {measured(other)}; L2: {measured(mine_l2)}, against "
        f"{measured(other_l2)}{why}",
        row=mine,
        figure="denoiser_balls",
        source=QUESTIONS,
    )


def of_score(row: Row) -> dict[str, Any]:
    """Where the rows of a score stand. row: one of them."""
    return {"experiment": EXPERIMENT, "model": MODEL, "method": row["method"]}


def compared(study: Study) -> list[tuple[Row, Row]]:
    """The areas of ỹ with the denoiser and of dAE sym's, for each norm that has both."""
    pairs = []
    for norm in NORMS:
        rows = study.select(experiment=EXPERIMENT, metric="area", direction="accept", norm=norm)
        of = {row["method"].partition("_alpha")[0]: row for row in rows if known(row)}
        if SCALED in of and BESIDE in of:
            pairs.append((of[SCALED], of[BESIDE]))
    return pairs


def fools_by_no_class(study: Study) -> Claim | None:
    """Question 7d."""
    counts = {row["method"] for row in counted(study)}
    rows = study.select(experiment=EXPERIMENT, metric="not_of_class")
    enough = [row for row in rows if known(row) and row["method"] in counts and row["n"] >= SUCCESSES]
    if not enough:
        return None
    verdicts = [claims.verdict(row, above=HALF) for row in enough]
    least = min(enough, key=lambda row: row["reproduced"])
    return Claim(
        says="What fools the denoiser's confidence does not look like the class.",
        test=f"Of each score with {SUCCESSES} or more successes: no class if the 95 % interval of the share that the "
        f"judge finds not of the class lies above {HALF:.0f} %. Holds if so for all; contradicted if the whole "
        "interval lies below for all; else it cannot be told in general.",
        verdict=claims.of_all(verdicts),
        number=f"{verdicts.count('holds')} of {len(enough)} scores above half, {verdicts.count('contradicted')} below; "
        "the least share is that of "
        f"{method_name(least['method'])}: {{number}} of {{n}} successes",
        row=least,
        figure="denoiser_images",
        source=QUESTIONS,
    )


def context(study: Study) -> dict[str, Any]:
    """What the section says of how much was tried."""
    own = study.section(f"attack_denoiser.{study.dataset}")
    likelihood = study.section(f"attack_denoiser.{study.dataset}.likelihood")
    rates = {
        kind: {row["method"]: row["reproduced"] for row in study.select(experiment=EXPERIMENT, metric=kind, start="")}
        for kind in ("fooled", "fooled_directly")
    }
    weak = [method for method, rate in rates["fooled_directly"].items() if rate < rates["fooled"][method]]
    return {
        "denoiser_weakly_attacked": [method_name(method) for method in weak],
        "denoiser_first": first_attack(study),
        "denoiser_own": own,
        "denoiser_likelihood": likelihood,
        "denoiser_starts": study.settings.get(f"attack_scores.{study.dataset}.starts", []),
        "denoiser_attempts": {
            f"{of}{part}": attempts_text(values.get(part, []))
            for of, values in (("", own), ("likelihood_", likelihood))
            for part in ("attempts", "ball_attempts")
        },
    }


FIRST_SEED = True
CLAIMS = (restores_better, confidence_holds, keeps_more_than_the_dae, fools_by_no_class)
TABLES = (attacked_denoiser, restored_levels)
FIGURES = (figures.denoiser_restored, figures.denoiser_balls, figures.denoiser_images)
