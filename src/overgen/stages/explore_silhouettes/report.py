"""Silhouettes and letters, in the report."""

from __future__ import annotations

from typing import Any

from overgen.report.claims import Claim, verdict
from overgen.report.names import model_name
from overgen.report.study import Row, Study
from overgen.report.tables import MODEL, Labels, Table, broken, column, pivot
from overgen.stages.explore_silhouettes import figures, summary
from overgen.stages.explore_silhouettes.names import KIND_NAMES, SCORE_NAMES

PAGE = "manifold"
FIRST_SEED = True
CHOICES = [("Letters that look like digits", "B, D, G, I, O, Q, S, Z; numbers with and without them")]
EXPERIMENT = summary.EXPERIMENT
SURE = 5  # percent of images of no class: a network is sure of few below, of many above; set before the run
TEST = (
    "The share of {what} with {score} above 0.99. Holds if its 95 % interval over {groups} lies {where} {limit} %; "
    "contradicted if it lies {other}."
)


def silhouettes(study: Study) -> Table:
    """A row a network and kind: how many images are accepted by y and by ỹ at each τ."""
    rows = study.rows(experiment=EXPERIMENT, metric="accepted", alpha="")
    labels: Labels = MODEL | {"images": lambda row: KIND_NAMES[row["kind"]]}
    columns = [
        column(f"{head} > {tau}, %", "accepted", show=broken, score=score, tau=tau)
        for score, head in (("y", "y"), ("scaled", "ỹ"))
        for tau in study.taus(EXPERIMENT, "accepted")
    ]
    return pivot(study, "silhouettes", rows, ("model", "kind"), labels, columns, of={"experiment": EXPERIMENT})


def silhouettes_auroc(study: Study) -> Table:
    """A row a network and score: AUROC of test images against each kind."""
    rows = study.rows(experiment=EXPERIMENT, metric="auroc")
    labels: Labels = MODEL | {"score": lambda row: SCORE_NAMES[row["score"]]}
    columns = [column(KIND_NAMES[kind], "auroc", show=broken, kind=kind) for kind in dict.fromkeys(rows["kind"])]
    return pivot(study, "silhouettes_auroc", rows, ("model", "score"), labels, columns, of={"experiment": EXPERIMENT})


def accepted(study: Study, model: str, kind: str, score: str) -> Row | None:
    return study.find(experiment=EXPERIMENT, metric="accepted", model=model, kind=kind, score=score, tau="0.99")


def many(study: Study, model: str, kind: str, says: str, first: str = "") -> Claim | None:
    """The claim that a network's y is sure of many images of a kind."""
    row = accepted(study, model, kind, "y")
    if row is None:
        return None
    about = {"what": KIND_NAMES[kind], "score": "y", "groups": summary.over(kind), "where": "above", "other": "below"}
    test = TEST.format(**about, limit=SURE) + first
    number = f"{model_name(model)}: {{number}} of {{n}} images"
    return Claim(says, test, verdict(row, above=SURE), number, row, FIGURE, before=not first)


def few(study: Study, model: str, kind: str, says: str, first: str = "") -> Claim | None:
    """The claim that a network's ỹ is sure of few images of a kind."""
    row = accepted(study, model, kind, "scaled")
    if row is None:
        return None
    about = {"what": KIND_NAMES[kind], "score": "ỹ", "groups": summary.over(kind), "where": "below", "other": "above"}
    test = TEST.format(**about, limit=SURE) + first
    number = f"{model_name(model)}: {{number}} of {{n}} images"
    return Claim(says, test, verdict(row, below=SURE), number, row, FIGURE, before=not first)


FIGURE = "silhouettes_accepted"
LOOKED = " Set after a first look at animals on MNIST."


def a_cnn_sees_digits_in_animals(study: Study) -> Claim | None:
    return many(study, "cnn", "animals", "A classifier is sure of what it never saw: animals are digits to it.", LOOKED)


def cool_sees_few_digits_in_animals(study: Study) -> Claim | None:
    return few(study, "cool", "animals", "Competing units for each class leave few animals accepted.", LOOKED)


def a_dae_sees_few_digits_in_animals(study: Study) -> Claim | None:
    return few(study, "dae_sym", "animals", "A denoising autoencoder accepts few animals as digits.", LOOKED)


def a_cnn_sees_digits_in_letters(study: Study) -> Claim | None:
    return many(study, "cnn", summary.UNLIKE, "A classifier is sure of letters that look like no digit.")


def cool_sees_few_digits_in_letters(study: Study) -> Claim | None:
    return few(study, "cool", summary.UNLIKE, "Competing units for each class leave few such letters accepted.")


def a_dae_sees_few_digits_in_letters(study: Study) -> Claim | None:
    return few(study, "dae_sym", summary.UNLIKE, "A denoising autoencoder accepts few letters that look like no digit.")


def context(study: Study) -> dict[str, Any]:
    """What the section says of the images, and the commonest answers."""
    table = study.cell("explore_silhouettes").table("groups")
    model = table["model"].iloc[0]
    common = {
        kind: ", ".join(
            f"{name} {answer} ({100 * share:.0f} %)"
            for name, answer, share in of[["name", "answer", "answer_share"]].itertuples(index=False)
        )
        for kind, of in table[table["model"] == model].groupby("kind", sort=False)
    }
    return {
        "settings": study.section(f"explore_silhouettes.{study.dataset}"),
        "common": common,
        "common_model": model,
        "unlike": summary.UNLIKE_LETTERS,
    }


TABLES = (silhouettes, silhouettes_auroc)
FIGURES = (figures.silhouettes_accepted, figures.silhouettes_answers, figures.letters_answers)
CLAIMS = (
    a_cnn_sees_digits_in_animals, cool_sees_few_digits_in_animals, a_dae_sees_few_digits_in_animals,
    a_cnn_sees_digits_in_letters, cool_sees_few_digits_in_letters, a_dae_sees_few_digits_in_letters,
)  # fmt: skip
