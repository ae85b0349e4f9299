"""Draw the report of a data set from its cells: report.md, report.html, reproduced.csv, tables/ and figures/.

    python -m overgen.stages.report --dataset mnist

Reads only the cells that the declared lists of models name, never weights or data, and computes no result.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from overgen import figures, reported, runtime, score_figures, score_tables, tables
from overgen.artifacts import replace_directory
from overgen.reported import Grid
from overgen.statistics import reported_interval

ONE_SEED = "One seed for each network: seed spread not measured; intervals are over images, trials or subsets."
LARGE = 100_000  # bytes of an SVG, beyond which report.html may hold the PNG
RETRAINED = ["lenet"]  # as in the matrix of retrain_on_fooling
TEMPLATES = Path(__file__).parent.parent / "templates"
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)


def main(dataset: str) -> None:
    """Write reports/<dataset>. Raises OvergenError naming a missing cell and the command that makes it."""
    with runtime.stage("report", compute=False, dataset=dataset) as stage:
        build_report(
            Path("reports/cells"),
            Path("reports", dataset),
            dataset,
            classifiers=stage.params("classifiers"),
            autoencoders=stage.params("autoencoders"),
            attacked=stage.params("attacked"),
            evolved=stage.params("evolved"),
            retrained=RETRAINED if dataset in stage.params("retrained_datasets") else [],
            openset_models=stage.params("openset_models"),
            variants=stage.params("variants") if dataset in stage.params("variant_datasets") else [],
            oneclass_models=stage.params("oneclass_models") if dataset in stage.params("oneclass_datasets") else [],
            searched=stage.params("searched_models") if dataset in stage.params("searched_datasets") else [],
            scored=stage.params("openset_models") if dataset in stage.params("scored_datasets") else [],
            perceptrons=["perceptrons"] if dataset in stage.params("szegedy_datasets") else [],
            dpi=stage.params("report").dpi,
            settings=stage.params.values(),
        )


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
    grid = reported.read_grid(
        cells, dataset, classifiers=classifiers, autoencoders=autoencoders, attacked=attacked, evolved=evolved,
        retrained=retrained, openset_models=openset_models, variants=variants, perceptrons=perceptrons,
        scored=scored, oneclass_models=oneclass_models,
    )  # fmt: skip
    papers, budget = reported.load(), reported.paper_budget(paper)
    frame = reported.compare(grid, papers, budget)
    searches = [reported.Cell(dataset, "search_choices", m, cells / dataset / "search_choices" / m) for m in searched]
    trained = [*classifiers, *autoencoders, *variants]
    shown = {
        "fooling": tables.fooling(frame, attacked),
        "orderings": tables.claims(frame, attacked),
        "robustness": tables.robustness(frame, attacked),
        "gradient": tables.gradient(frame, attacked),
        "witnesses": tables.witnesses(frame, attacked),
        "in_8_bits": tables.in_8_bits(frame, attacked),
        "variants": tables.variants(frame, attacked),
        "network_variants": tables.network_variants(frame, attacked, variants),
        "scaled_attack": tables.scaled_attack(frame, attacked),
        "other_alphas": tables.other_alphas(frame, attacked),
        "curvature": tables.curvature(frame, attacked),
        "confidence": tables.confidence(frame, attacked),
        "open_set": tables.open_set(frame, openset_models),
        "open_set_apart": tables.open_set_apart(frame, openset_models),
        "open_set_longer": tables.open_set_longer(frame, openset_models),
        "evolution": tables.evolution(frame, evolved),
        "retraining": tables.retraining(frame, retrained),
        "smallest": tables.smallest(frame),
        "transfer": tables.transfer(frame),
        "stability": tables.stability(frame),
        "scores": score_tables.scores(frame, scored),
        "score_kinds": score_tables.score_kinds(frame, scored),
        "fooling_images": score_tables.fooling_images(frame, attacked),
        "one_class": tables.one_class(frame, [*oneclass_models, *grid["evaluate_oneclass_scores"]]),
        "training": tables.training(frame, trained),
        "not_measured": tables.not_measured(reported.not_measured(papers, frame, dataset)),
        "provenance": tables.provenance(grid, searches),
        "counts": tables.verdict_counts(frame),
    }
    found = [tables.search(cell, settings or {}) for cell in searches]
    with replace_directory(output) as folder:
        for name in ("tables", "figures"):
            (folder / name).mkdir()
        write(folder / "reproduced.csv", csv(frame))
        for table in [*(table for name, table in shown.items() if name != "counts"), *found]:
            if table.markdown:
                write(folder / "tables" / f"{table.name}.csv", csv(table.rows))
                write(folder / "tables" / f"{table.name}.md", table.markdown + "\n")
        for name, figure in draw(grid, frame):
            figures.save(figure, folder / "figures", name, dpi=dpi)
        assumptions = ENVIRONMENT.get_template("assumptions.md.j2").render(
            name=tables.dataset_name(dataset),
            used=tables.assumptions(settings or {}, dataset),
            searches=[table.markdown for table in found],
        )
        write(folder / "assumptions.md", assumptions)
        text = markdown(grid, frame, shown, dataset, budget, assumptions)
        write(folder / "report.md", text)
        write(folder / "report.html", html(text, folder))


def draw(grid: Grid, frame: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """Every figure that the cells of a grid allow, with its name, one after another."""
    trained = {**grid["train_classifier"], **grid["train_autoencoder"]}
    fgn, evolution, openset = grid["fool_fgn"], grid["fool_evolution"], grid["evaluate_openset"]
    yield "training_curves", figures.training_curves(trained)
    if grid["train_autoencoder"]:
        yield "reconstructions", figures.reconstructions(grid["train_autoencoder"])
    if fgn:
        lengths = {model: cell.budget[f"fool_fgn.{cell.dataset}.updates"] for model, cell in fgn.items()}
        thresholds = tables.taus(frame, "fgn", "fooling_rate")
        rates = with_reported(frame, "fgn", "fooling_rate")
        yield "fooling_rates", figures.fooling_rates(rates, list(fgn), thresholds)
        yield "first_passage", figures.first_passage(fgn, thresholds, lengths)
        yield "fooling_images", figures.fooling_images(fgn)
    if grid["fool_gradient"]:
        cell = next(iter(grid["fool_gradient"].values()))
        updates = cell.budget[f"fool_gradient.{cell.dataset}.updates"]
        found = sorted({row["tau"] for _, row in frame[frame["experiment"] == "gradient"].iterrows()}, key=float)
        yield "gradient_passage", figures.gradient_passage(grid["fool_gradient"], found, updates)
        yield "gradient_images", figures.gradient_images(grid["fool_gradient"])
    if evolution:
        yield "evolution_confidence", figures.evolution_confidence(evolution)
        for model, cell in evolution.items():
            yield f"evolution_champions_{model}", figures.evolution_champions(cell)
    for model, cell in grid["retrain_on_fooling"].items():
        mine = frame["experiment"].str.startswith("retraining_") & (frame["model"] == model)
        yield f"retraining_{model}", figures.retraining(frame[mine])
        yield f"retraining_champions_{model}", figures.retraining_champions(cell)
    for cell in grid["fool_lbfgs"].values():
        yield "smallest_changes", figures.smallest_changes(cell)
        yield "transfer", figures.transfer(cell)
        yield "stability", figures.stability(cell)
    if grid["evaluate_confidence"]:
        yield "reliability", figures.reliability(grid["evaluate_confidence"])
    denoising = {m: cell for m, cell in grid["evaluate_confidence"].items() if m in grid["train_autoencoder"]}
    if denoising:
        known = {m: cell for m, cell in openset.items() if m in denoising}
        yield "distances", figures.distances(denoising, known)
    if openset:
        rows = with_reported(frame, "open_set", "f_measure")
        rows["known"] = rows["metric"].str.partition("=")[2].astype(int)
        trials = {m: cell.table("trials") for m, cell in openset.items()}
        first = next(iter(trials.values())).iloc[0]
        classes = round(first["known"] / (1 - first["openness"]) ** 2)  # openness = 1 − √(known / classes)
        yield "open_set", figures.open_set(rows, trials, classes=classes)
    if oneclass := grid["evaluate_oneclass"]:
        yield "one_class_roc", figures.one_class_roc(oneclass, with_reported(frame, "one_class", "auroc"))
        yield "one_class_aurocs", figures.one_class_aurocs(oneclass)
    yield from drawn_scores(grid["evaluate_scores"])


def drawn_scores(scores: Mapping[str, reported.Cell]) -> Iterator[tuple[str, Figure]]:
    """The figures of open-set scores that their cells allow."""
    drawn = {"score_ranking": score_figures.score_ranking(scores)}
    drawn |= {f"score_histograms_{model}": score_figures.score_histograms(cell) for model, cell in scores.items()}
    drawn |= {"score_extremes": score_figures.score_extremes(scores)}
    drawn |= {"score_confusion": score_figures.score_confusion(scores)}
    yield from ((name, figure) for name, figure in drawn.items() if figure is not None)


def with_reported(frame: pd.DataFrame, experiment: str, metric: str) -> pd.DataFrame:
    """The rows of one experiment and metric at the papers' α, with their value and interval as numbers."""
    rows = frame[(frame["experiment"] == experiment) & (frame["metric"].str.split("@").str[0] == metric)]
    rows = rows[~rows["metric"].str.contains("@alpha=") & rows["source"].isin([tables.MAIN_SOURCE, ""])]
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
    marks = {tables.mark(verdict) for verdict in frame["verdict"]}
    paper_table = tables.PAPER_TABLE.get(dataset)
    text = ENVIRONMENT.get_template("report.md.j2").render(
        {name: table.markdown for name, table in shown.items()},
        name=tables.dataset_name(dataset),
        dataset=dataset,
        has_reported=bool((frame["value"] != "").any()),
        reduced=any(not reported.at_paper_budget(cell.budget, reported.of_model(paper, cell.model)) for cell in every),
        seeds=ONE_SEED if seeds == {1} else f"Seeds for each network: {', '.join(map(str, sorted(seeds)))}.",
        budgets=tables.budgets(grid, paper),
        legend="; ".join(f"{sign} {kind}" for kind, sign in tables.MARKS.items() if sign in marks),
        paper_table=f"{paper_table} of the paper" if paper_table else "As Tables 1 and 2 of the paper",
        figure3="Figure 3" if paper_table else "As Figure 3",
        figure4="Figure 4" if paper_table else "As Figure 4",
        figure5="Figure 5" if paper_table else "As Figure 5",
        one_class_checks=tables.one_class_checks(frame),
        open_set_figure=bool(grid["evaluate_openset"]),
        few_subsets=max((int(n) for n in frame.loc[frame["experiment"] == "open_set", "n"]), default=10),
        longer_budget=next(iter(frame.loc[frame["experiment"] == "open_set_longer", "budget"]), ""),
        open_set_reported=bool((frame.loc[frame["experiment"] == "open_set", "value"] != "").any()),
        score_models=[
            (tables.model_name(m), m)
            for m, cell in grid["evaluate_scores"].items()
            if (cell.folder / "histograms.csv").is_file()
        ],
        score_ranking=score_tables.ranked(grid["evaluate_scores"]) is not None,
        distances=any(m in grid["train_autoencoder"] for m in grid["evaluate_confidence"]),
        evolution_figure=bool(grid["fool_evolution"]),
        champions=[(tables.model_name(m), f"evolution_champions_{m}") for m in grid["fool_evolution"]],
        retrained=[(tables.model_name(m), m) for m in grid["retrain_on_fooling"]],
        reconstructions=bool(grid["train_autoencoder"]),
        assumptions=assumptions.partition("\n")[2].strip(),
        not_testable=tables.not_testable(frame),
        not_measured_count=len(shown["not_measured"].rows),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def html(text: str, folder: Path) -> str:
    """report.html: the Markdown rendered, with its figures inside. folder: where `figures/` lies."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")

    def image(tokens: Any, i: int, options: Any, env: Any) -> str:
        path = embedded(folder / tokens[i].attrs["src"])
        kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        points = re.search(r'<svg[^>]* width="([\d.]+)pt"', path.with_suffix(".svg").read_text(encoding="utf-8"))
        width = round(float(points[1]) * 4 / 3) if points else 0  # CSS pixels: how wide the figure was drawn
        wide = ' class="wide"' if width > 600 else ""
        return (
            f'<span class="scroll"><img{wide} style="--drawn: {width}px" alt="{tokens[i].content}" '
            f'src="data:{kind};base64,{data}"></span>'
        )

    renderer.renderer.rules["image"] = image  # type: ignore[attr-defined]
    renderer.renderer.rules["table_open"] = lambda *_: '<div class="scroll"><table>\n'  # type: ignore[attr-defined]
    renderer.renderer.rules["table_close"] = lambda *_: "</table></div>\n"  # type: ignore[attr-defined]
    body = renderer.render(text)
    # Numbers stay on one line, longer texts keep a width; sections get an address for the list of contents.
    body = re.sub(r"<td>(?=[\d–](?:[^<&a-z]|&lt;|<br>| steps| %)*</td>)", '<td class="number">', body)
    body = re.sub(r"<td>(?=[^<]{25,}</td>)", '<td class="text">', body)
    heads = re.findall(r"<h2>(.*?)</h2>", body)
    for i, head in enumerate(heads):
        body = body.replace(f"<h2>{head}</h2>", f'<h2 id="s{i}">{head}</h2>', 1)
    entries = "".join(f'<li><a href="#s{i}">{head}</a></li>' for i, head in enumerate(heads))
    contents = f"<nav><details><summary>Contents</summary><ul>{entries}</ul></details></nav>"
    body = body.replace("</h1>", f"</h1>\n{contents}", 1)
    title = text.partition("\n")[0].lstrip("# ")
    return ENVIRONMENT.get_template("report.html.j2").render(body=body, title=title) + "\n"


def embedded(path: Path) -> Path:
    """The file of a figure that report.html holds: of a large SVG, as many curves make it, the PNG if it is smaller."""
    pixels = path.with_suffix(".png")
    return pixels if LARGE < path.stat().st_size > pixels.stat().st_size else path


def csv(frame: pd.DataFrame) -> str:
    """A table as CSV, floats as their shortest exact decimal form."""
    return frame.to_csv(index=False, lineterminator="\n")


def write(path: Path, text: str) -> None:
    """Write into the report's temporary folder, which is renamed as a whole."""
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    runtime.command(main)
