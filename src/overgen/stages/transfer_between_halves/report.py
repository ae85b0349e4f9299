"""Networks on halves of the training images in the report."""

from __future__ import annotations

from overgen.report.claims import QUESTIONS, Claim, verdict
from overgen.report.names import model_name
from overgen.report.study import Study
from overgen.report.tables import MODEL, Labels, Table, column, entry, grouped, n_text, pivot
from overgen.stages.fool_lbfgs.report import over_two_lines
from overgen.stages.transfer_between_halves import figures
from overgen.stages.transfer_between_halves.summary import EXPERIMENT

CHOICES = [
    (
        "Networks on halves of the training images",
        "halves at random, anew for each of the seeds {transfer_between_halves.DATASET.seeds}; λ of each layer, "
        "{transfer_between_halves.DATASET.epochs} epochs, batches of {transfer_between_halves.DATASET.batch_size} and "
        "learning rate {transfer_between_halves.DATASET.learning_rate} as of FC100-100-10 on all images",
    ),
    (
        "Examples between halves",
        "{transfer_between_halves.DATASET.images} test images for each network and seed that it labels right, which "
        "the others may err on unchanged; noise: {transfer_between_halves.DATASET.noise_images} test images, right or "
        "wrong",
    ),
]
NUMBERS = {"test_error": "test error %", "mean_distortion": "smallest distortion", "fooling_rate": "succeeded %"}
ON = {"first-half": "error on the first half %", "second-half": "error on the second half %"}
DECIDING = "0.1"  # rms, as docs/questions.md has it, and the paper
NOISES = {"noise": "Gaussian noise, kept in [0, 1]", "free_noise": "Gaussian noise, not kept in it"}
NOISE = "0.06"  # rms of the paper's noise beside that


def halves(study: Study) -> Table:
    """Table 3 of Szegedy et al. 2013: a row a network."""
    rows = study.rows(experiment="lbfgs_halves")
    columns = [column(head, "error", on=on) for on, head in ON.items()]
    columns += [column(head, metric, show=entry) for metric, head in NUMBERS.items()]
    return pivot(study, "halves", rows, ("model",), MODEL, columns, of={"experiment": "lbfgs_halves"})


def halves_transfer(study: Study) -> Table:
    """Table 4: errors of each network on the examples made for each, and on noise."""
    return errors(study, "halves_transfer", paper=True)


def halves_further(study: Study) -> Table:
    """As `halves_transfer`, of images that are not changed and at distortions that the paper does not have."""
    return errors(study, "halves_further", paper=False)


def errors(study: Study, name: str, *, paper: bool) -> Table:
    """Errors, a row whom the examples were made for and a distortion. paper: those of the paper's table, or others."""
    rows = study.rows(experiment=EXPERIMENT, metric="error")
    judges = list(dict.fromkeys(rows["model"]))
    columns = [column(f"{model_name(judge)}, error %", "error", show=over_two_lines, model=judge) for judge in judges]
    columns.append(column("n", "error", show=n_text, model=next(iter(judges), "")))
    labels: Labels = {
        "made for": lambda row: NOISES.get(row["made_for"]) or model_name(row["made_for"]),
        "distortion": lambda row: {"": "smallest", "0": "none"}.get(row["rms"]) or row["rms"],
    }
    of_paper = rows["rms"].isin(["", DECIDING]) | (rows["made_for"].isin(NOISES) & (rows["rms"] == NOISE))
    rows = rows[of_paper == paper]
    sizes = sorted(set(rows["rms"]), key=lambda rms: (rms != "0", rms != "", float(rms or 0)))
    ordered = grouped(rows, made_for=[*judges, *NOISES], rms=sizes)
    by, of = ("made_for", "rms"), {"experiment": EXPERIMENT}
    return pivot(study, name, ordered, by, labels, columns, whole=True, of=of)


def passes_to_other_images(study: Study) -> Claim | None:
    """Question 8a."""
    row = study.first(experiment=EXPERIMENT, metric="more_than_noise", rms=DECIDING)
    if row is None:
        return None
    return Claim(
        says="What fools a network fools one that was trained on other images.",
        test="On examples made for the one, brought to rms 0.1, the other errs more often than on noise as large on "
        "the same images: holds if the difference lies above 0 (whole 95 % interval), contradicted if below.",
        verdict=verdict(row, above=0.0),
        number=f"{model_name(row['model'])} errs {{number}} percentage points more often, {{n}} pairs",
        row=row,
        figure="halves_errors",
        source=QUESTIONS,
    )


def images_over_architecture(study: Study) -> Claim | None:
    """Question 8b."""
    row = study.first(experiment=EXPERIMENT, metric="same_half_more", rms=DECIDING)
    if row is None:
        return None
    return Claim(
        says="The same training images count for more than the same architecture.",
        test="On examples made for a network, brought to rms 0.1, one of another architecture on the same half errs "
        "more often than one of the same architecture on the other half: holds if the difference lies above 0 (whole "
        "95 % interval), contradicted if below.",
        verdict=verdict(row, above=0.0),
        number=f"{model_name(row['model'])} errs {{number}} percentage points more often than "
        f"{model_name(row['other'])}, {{n}} pairs",
        row=row,
        figure="halves_errors",
        source=QUESTIONS,
    )


CLAIMS = (passes_to_other_images, images_over_architecture)
TABLES = (halves, halves_transfer, halves_further)
FIGURES = (figures.halves_errors,)
