"""The report of a data set from its cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from overgen.measures.verdicts import reported_interval
from overgen.report import assumptions, budgets, compare, names, reported, style, tables
from overgen.report.grid import Cell, Grid, read_grid
from overgen.report.html import ENVIRONMENT, html
from overgen.run.files import replace_directory
from overgen.stages.evaluate_confidence import figures as evaluate_confidence_figures
from overgen.stages.evaluate_confidence import report as evaluate_confidence_report
from overgen.stages.evaluate_fooling import report as evaluate_fooling_report
from overgen.stages.evaluate_oneclass import figures as evaluate_oneclass_figures
from overgen.stages.evaluate_oneclass import report as evaluate_oneclass_report
from overgen.stages.evaluate_openset import figures as evaluate_openset_figures
from overgen.stages.evaluate_openset import report as evaluate_openset_report
from overgen.stages.evaluate_scores import figures as evaluate_scores_figures
from overgen.stages.evaluate_scores import tables as evaluate_scores_tables
from overgen.stages.fool_evolution import figures as fool_evolution_figures
from overgen.stages.fool_evolution import report as fool_evolution_report
from overgen.stages.fool_fgn import figures as fool_fgn_figures
from overgen.stages.fool_fgn import report as fool_fgn_report
from overgen.stages.fool_gradient import figures as fool_gradient_figures
from overgen.stages.fool_gradient import report as fool_gradient_report
from overgen.stages.fool_lbfgs import figures as fool_lbfgs_figures
from overgen.stages.fool_lbfgs import report as fool_lbfgs_report
from overgen.stages.fool_variants import report as fool_variants_report
from overgen.stages.report import tables as report_tables
from overgen.stages.retrain_on_fooling import figures as retrain_on_fooling_figures
from overgen.stages.retrain_on_fooling import report as retrain_on_fooling_report
from overgen.stages.search_choices import report as search_choices_report
from overgen.stages.train_autoencoder import figures as train_autoencoder_figures
from overgen.stages.train_classifier import figures as train_classifier_figures
from overgen.stages.train_classifier import report as train_classifier_report

ONE_SEED = "One seed for each network: seed spread not measured; intervals are over images, trials or subsets."
RETRAINED = ["lenet"]  # as in the matrix of retrain_on_fooling


def build_report(
    cells: Path,
    output: Path,
    dataset: str,
    *,
    classifiers: Sequence[str],
    autoencoders: Sequence[str],
    attacked: Sequence[str],
    evolved: Sequence[str],
    openset_models: Sequence[str],
    variants: Sequence[str] = (),
    retrained: Sequence[str] = (),
    oneclass_models: Sequence[str] = (),
    searched: Sequence[str] = (),
    perceptrons: Sequence[str] = (),
    scored: Sequence[str] = (),
    paper: Path = Path("budgets/paper.txt"),
    dpi: int = 150,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write the report of a data set, whole or not at all.

    cells: the folder that holds <dataset>/<stage>/<model>; output: the report's folder; the lists: the
    models of each group of stages; paper: the papers' budgets; dpi: of the PNG figures; settings: params.yaml
    values by dotted path, for what the papers leave open. Equal cells give equal bytes.
    Raises OvergenError naming a missing or broken cell and the command that remakes it.
    """
    grid = read_grid(
        cells, dataset, classifiers=classifiers, autoencoders=autoencoders, attacked=attacked, evolved=evolved,
        retrained=retrained, openset_models=openset_models, variants=variants, perceptrons=perceptrons,
        scored=scored, oneclass_models=oneclass_models,
    )  # fmt: skip
    papers, budget = reported.load(), budgets.paper_budget(paper)
    frame = compare.compare(grid, papers, budget)
    searches = [Cell(dataset, "search_choices", m, cells / dataset / "search_choices" / m) for m in searched]
    trained = [*classifiers, *autoencoders, *variants]
    shown = {
        "fooling": fool_fgn_report.fooling(frame, attacked),
        "orderings": report_tables.claims(frame, attacked),
        "robustness": fool_gradient_report.robustness(frame, attacked),
        "gradient": fool_gradient_report.gradient(frame, attacked),
        "witnesses": evaluate_fooling_report.witnesses(frame, attacked),
        "in_8_bits": fool_fgn_report.in_8_bits(frame, attacked),
        "variants": fool_fgn_report.variants(frame, attacked),
        "network_variants": fool_variants_report.network_variants(frame, attacked, variants),
        "scaled_attack": fool_fgn_report.scaled_attack(frame, attacked),
        "other_alphas": fool_fgn_report.other_alphas(frame, attacked),
        "curvature": evaluate_confidence_report.curvature(frame, attacked),
        "confidence": evaluate_confidence_report.confidence(frame, attacked),
        "open_set": evaluate_openset_report.open_set(frame, openset_models),
        "open_set_apart": evaluate_openset_report.open_set_apart(frame, openset_models),
        "open_set_longer": evaluate_openset_report.open_set_longer(frame, openset_models),
        "evolution": fool_evolution_report.evolution(frame, evolved),
        "retraining": retrain_on_fooling_report.retraining(frame, retrained),
        "smallest": fool_lbfgs_report.smallest(frame),
        "transfer": fool_lbfgs_report.transfer(frame),
        "stability": fool_lbfgs_report.stability(frame),
        "scores": evaluate_scores_tables.scores(frame, scored),
        "score_kinds": evaluate_scores_tables.score_kinds(frame, scored),
        "fooling_images": evaluate_scores_tables.fooling_images(frame, attacked),
        "one_class": evaluate_oneclass_report.one_class(frame, [*oneclass_models, *grid["evaluate_oneclass_scores"]]),
        "training": train_classifier_report.training(frame, trained),
        "not_measured": report_tables.not_measured(compare.not_measured(papers, frame, dataset)),
        "provenance": report_tables.provenance(grid, searches),
        "counts": report_tables.verdict_counts(frame),
    }
    found = [search_choices_report.search(cell, settings or {}) for cell in searches]
    with replace_directory(output) as folder:
        for name in ("tables", "figures"):
            (folder / name).mkdir()
        write(folder / "reproduced.csv", csv(frame))
        for table in [*(table for name, table in shown.items() if name != "counts"), *found]:
            if table.markdown:
                write(folder / "tables" / f"{table.name}.csv", csv(table.rows))
                write(folder / "tables" / f"{table.name}.md", table.markdown + "\n")
        for name, figure in draw(grid, frame):
            style.save(figure, folder / "figures", name, dpi=dpi)
        open_choices = ENVIRONMENT.get_template("assumptions.md.j2").render(
            name=names.dataset_name(dataset),
            used=assumptions.assumptions(settings or {}, dataset),
            searches=[table.markdown for table in found],
        )
        write(folder / "assumptions.md", open_choices)
        text = markdown(grid, frame, shown, dataset, budget, open_choices)
        write(folder / "report.md", text)
        write(folder / "report.html", html(text, folder))


def draw(grid: Grid, frame: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """Every figure that the cells of a grid allow, with its name, one after another."""
    trained = {**grid["train_classifier"], **grid["train_autoencoder"]}
    fgn, evolution, openset = grid["fool_fgn"], grid["fool_evolution"], grid["evaluate_openset"]
    yield "training_curves", train_classifier_figures.training_curves(trained)
    if grid["train_autoencoder"]:
        yield "reconstructions", train_autoencoder_figures.reconstructions(grid["train_autoencoder"])
    if fgn:
        lengths = {model: cell.budget[f"fool_fgn.{cell.dataset}.updates"] for model, cell in fgn.items()}
        thresholds = tables.taus(frame, "fgn", "fooling_rate")
        rates = with_reported(frame, "fgn", "fooling_rate")
        yield "fooling_rates", fool_fgn_figures.fooling_rates(rates, list(fgn), thresholds)
        yield "first_passage", fool_fgn_figures.first_passage(fgn, thresholds, lengths)
        yield "fooling_images", fool_fgn_figures.fooling_images(fgn)
    if grid["fool_gradient"]:
        cell = next(iter(grid["fool_gradient"].values()))
        updates = cell.budget[f"fool_gradient.{cell.dataset}.updates"]
        found = sorted({row["tau"] for _, row in frame[frame["experiment"] == "gradient"].iterrows()}, key=float)
        yield "gradient_passage", fool_gradient_figures.gradient_passage(grid["fool_gradient"], found, updates)
        yield "gradient_images", fool_gradient_figures.gradient_images(grid["fool_gradient"])
    if evolution:
        yield "evolution_confidence", fool_evolution_figures.evolution_confidence(evolution)
        for model, cell in evolution.items():
            yield f"evolution_champions_{model}", fool_evolution_figures.evolution_champions(cell)
    for model, cell in grid["retrain_on_fooling"].items():
        mine = frame["experiment"].str.startswith("retraining_") & (frame["model"] == model)
        yield f"retraining_{model}", retrain_on_fooling_figures.retraining(frame[mine])
        yield f"retraining_champions_{model}", retrain_on_fooling_figures.retraining_champions(cell)
    for cell in grid["fool_lbfgs"].values():
        yield "smallest_changes", fool_lbfgs_figures.smallest_changes(cell)
        yield "transfer", fool_lbfgs_figures.transfer(cell)
        yield "stability", fool_lbfgs_figures.stability(cell)
    if grid["evaluate_confidence"]:
        yield "reliability", evaluate_confidence_figures.reliability(grid["evaluate_confidence"])
    denoising = {m: cell for m, cell in grid["evaluate_confidence"].items() if m in grid["train_autoencoder"]}
    if denoising:
        known = {m: cell for m, cell in openset.items() if m in denoising}
        yield "distances", evaluate_confidence_figures.distances(denoising, known)
    if openset:
        rows = with_reported(frame, "open_set", "f_measure")
        rows["known"] = rows["metric"].str.partition("=")[2].astype(int)
        trials = {m: cell.table("trials") for m, cell in openset.items()}
        first = next(iter(trials.values())).iloc[0]
        classes = round(first["known"] / (1 - first["openness"]) ** 2)  # openness = 1 − √(known / classes)
        yield "open_set", evaluate_openset_figures.open_set(rows, trials, classes=classes)
    if oneclass := grid["evaluate_oneclass"]:
        yield (
            "one_class_roc",
            evaluate_oneclass_figures.one_class_roc(oneclass, with_reported(frame, "one_class", "auroc")),
        )
        yield "one_class_aurocs", evaluate_oneclass_figures.one_class_aurocs(oneclass)
    yield from drawn_scores(grid["evaluate_scores"])


def drawn_scores(scores: Mapping[str, Cell]) -> Iterator[tuple[str, Figure]]:
    """The figures of open-set scores that their cells allow."""
    drawn = {"score_ranking": evaluate_scores_figures.score_ranking(scores)}
    drawn |= {
        f"score_histograms_{model}": evaluate_scores_figures.score_histograms(cell) for model, cell in scores.items()
    }
    drawn |= {"score_extremes": evaluate_scores_figures.score_extremes(scores)}
    drawn |= {"score_confusion": evaluate_scores_figures.score_confusion(scores)}
    yield from ((name, figure) for name, figure in drawn.items() if figure is not None)


def with_reported(frame: pd.DataFrame, experiment: str, metric: str) -> pd.DataFrame:
    """The rows of one experiment and metric at the papers' α, with their value and interval as numbers."""
    rows = frame[(frame["experiment"] == experiment) & (frame["metric"].str.split("@").str[0] == metric)]
    rows = rows[~rows["metric"].str.contains("@alpha=") & rows["source"].isin([names.MAIN_SOURCE, ""])]
    values = pd.to_numeric(rows["value"])
    intervals = [
        (value, value) if pd.isna(value) else reported_interval(metric, value, n=reported.FGN_TRIALS)
        for value in values
    ]
    low, high = zip(*intervals, strict=True) if intervals else ((), ())
    return rows.assign(reported=values, reported_low=low, reported_high=high)


def markdown(
    grid: Grid,
    frame: pd.DataFrame,
    shown: Mapping[str, tables.Table],
    dataset: str,
    paper: Mapping[str, int],
    assumptions: str,
) -> str:
    """The text of report.md. assumptions: that of assumptions.md, which stands in it."""
    every = [cell for models in grid.values() for cell in models.values()]
    seeds = {spent for cell in every for key, spent in cell.budget.items() if key.endswith(".seeds")}
    marks = {names.mark(verdict) for verdict in frame["verdict"]}
    paper_table = names.PAPER_TABLE.get(dataset)
    text = ENVIRONMENT.get_template("report.md.j2").render(
        {name: table.markdown for name, table in shown.items()},
        name=names.dataset_name(dataset),
        dataset=dataset,
        has_reported=bool((frame["value"] != "").any()),
        reduced=any(not budgets.at_paper_budget(cell.budget, budgets.of_model(paper, cell.model)) for cell in every),
        seeds=ONE_SEED if seeds == {1} else f"Seeds for each network: {', '.join(map(str, sorted(seeds)))}.",
        budgets=report_tables.budgets(grid, paper),
        legend="; ".join(f"{sign} {kind}" for kind, sign in names.MARKS.items() if sign in marks),
        paper_table=f"{paper_table} of the paper" if paper_table else "As Tables 1 and 2 of the paper",
        figure3="Figure 3" if paper_table else "As Figure 3",
        figure4="Figure 4" if paper_table else "As Figure 4",
        figure5="Figure 5" if paper_table else "As Figure 5",
        one_class_checks=evaluate_oneclass_report.one_class_checks(frame),
        open_set_figure=bool(grid["evaluate_openset"]),
        few_subsets=max((int(n) for n in frame.loc[frame["experiment"] == "open_set", "n"]), default=10),
        longer_budget=next(iter(frame.loc[frame["experiment"] == "open_set_longer", "budget"]), ""),
        open_set_reported=bool((frame.loc[frame["experiment"] == "open_set", "value"] != "").any()),
        score_models=[
            (names.model_name(m), m)
            for m, cell in grid["evaluate_scores"].items()
            if (cell.folder / "histograms.csv").is_file()
        ],
        score_ranking=evaluate_scores_tables.ranked(grid["evaluate_scores"]) is not None,
        distances=any(m in grid["train_autoencoder"] for m in grid["evaluate_confidence"]),
        evolution_figure=bool(grid["fool_evolution"]),
        champions=[(names.model_name(m), f"evolution_champions_{m}") for m in grid["fool_evolution"]],
        retrained=[(names.model_name(m), m) for m in grid["retrain_on_fooling"]],
        reconstructions=bool(grid["train_autoencoder"]),
        assumptions=assumptions.partition("\n")[2].strip(),
        not_testable=report_tables.not_testable(frame),
        not_measured_count=len(shown["not_measured"].rows),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def csv(frame: pd.DataFrame) -> str:
    """A table as CSV, floats as their shortest exact decimal form."""
    return frame.to_csv(index=False, lineterminator="\n")


def write(path: Path, text: str) -> None:
    """Write into the report's temporary folder, which is renamed as a whole."""
    path.write_text(text, encoding="utf-8", newline="\n")
