"""The report of a data set: report.md, report.html, guided pages, reproduced.csv, summary.json, assumptions.md, tables/
and figures/."""

from __future__ import annotations

import gc
import inspect
import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from overgen.report import budgets, choices, claims, findings, glance, guided, index, modules, overview, seeds, style
from overgen.report.addresses import places
from overgen.report.html import ENVIRONMENT, html
from overgen.report.names import legend, model_name
from overgen.report.papers import bibliography, paper
from overgen.report.shown import folded, shown
from overgen.report.study import Study, as_reproduced
from overgen.report.tables import Table
from overgen.run import progress
from overgen.run.files import replace_directory, write_json


def build_report(study: Study, output: Path, *, dpi: int, audit: Any = None) -> None:
    """Write the report of a study into the folder `output`, whole or not at all.

    dpi: of the PNG figures. Equal cells give equal bytes. audit: see `params.Audited`.
    Raises OvergenError naming a missing or broken cell and the command that remakes it.
    """
    if audit is not None or not index.is_published(output):  # nothing of it is in Git
        study = replace(study, not_in_git={})
    tables = {stage: list(stage_tables(study, stage)) for stage in study.grid}
    tables["report"] = [
        glance.glance(study), overview.orderings(study), overview.not_measured(study),
        overview.provenance(study, commands=audit is None),
    ]  # fmt: skip
    with replace_directory(output) as folder:
        (folder / "figures").mkdir()
        drawn = draw(study, folder / "figures", dpi=dpi)
        write_further(study, folder)
        tables["report"].append(claims.claims(study, write_guided(study, tables, drawn, folder)))
        write_numbers(study, tables, folder)
        write_json(folder / "summary.json", metrics(study))
        asked = choices.choices(study, held=audit is not None)
        open_choices = text_of("report/choices.md.j2", study, tables, drawn, choices=asked, audit=audit)
        write(folder / "assumptions.md", open_choices)
        further = overall(study) | {"choices": open_choices.partition("\n")[2].strip(), "audit": audit}
        further |= {"guided": guided.pages(study)}
        text = text_of("report/report.md.j2", study, tables, drawn, **further)
        write_text(folder, findings.placed(text, study), output, guided.pages(study))


def build_page(study: Study, output: Path, *, dpi: int) -> None:
    """As `build_report`, of a study whose stages say all themselves: their openings, findings and sections alone."""
    tables: dict[str, list[Table]] = {stage: list(stage_tables(study, stage)) for stage in study.grid}
    with replace_directory(output) as folder:
        (folder / "figures").mkdir()
        write_numbers(study, tables, folder)
        drawn = draw(study, folder / "figures", dpi=dpi)
        of_page = seeds.of_page(cell for cells in study.grid.values() for cell in cells.values())
        text = text_of("report/page.md.j2", study, tables | {"report": []}, drawn, seeds=of_page)
        write_text(folder, findings.placed(text, study), output)


def write_numbers(study: Study, tables: Mapping[str, list[Table]], folder: Path) -> None:
    """reproduced.csv; tables/ and claims.json if there is any."""
    write(folder / "reproduced.csv", csv(as_reproduced(study.frame)))
    if tested := claims.listed(study):
        write_json(folder / "claims.json", tested)
    filled = [table for of_stage in tables.values() for table in of_stage if table.markdown]
    check_names("tables", [table.name for table in filled])
    for table in filled:
        (folder / "tables").mkdir(exist_ok=True)
        write(folder / "tables" / f"{table.name}.csv", csv(table.rows))
        write(folder / "tables" / f"{table.name}.md", table.markdown + "\n")


def write_further(study: Study, folder: Path) -> None:
    """The stages' own FILES."""
    for module in study.modules.values():
        for function in getattr(module, "FILES", ()):
            for name, text in function(study).items():
                write(folder / name, text)


def metrics(study: Study) -> dict[str, dict[str, float]]:
    """A few numbers by which studies are compared, by label, then by model: those that the stages name and have."""
    by_label: dict[str, dict[str, float]] = {}
    for module in study.modules.values():
        for label, (experiment, metric, keys) in getattr(module, "METRICS", {}).items():
            models = study.rows(experiment=experiment, metric=metric)["model"].unique()
            rows = {model: study.find(experiment=experiment, metric=metric, model=model, **keys) for model in models}
            values = {model: float(row["reproduced"]) for model, row in rows.items() if row}
            by_label |= {label: {model: value for model, value in values.items() if not math.isnan(value)}}
    return {label: values for label, values in by_label.items() if values}


def stage_tables(study: Study, stage: str) -> Iterator[Table]:
    """The tables of a stage, empty ones too."""
    for function in getattr(study.modules.get(stage), "TABLES", ()):
        tables = function(study)
        yield from [tables] if isinstance(tables, Table) else tables


def draw(study: Study, folder: Path, *, dpi: int) -> list[str]:
    """Draw every figure that the cells of a study allow into a folder, on all cores. Returns their names."""
    functions = [function for module in study.modules.values() for function in getattr(module, "FIGURES", ())]
    functions.sort(key=inspect.isgeneratorfunction, reverse=True)  # those that draw several begin
    workers = min(len(functions), cores())
    if workers < 2:
        told = progress.steps(functions, "figure")
        return check_names("figures", [name for function in told for name in drawn(function, study, folder, dpi)])
    gc.freeze()  # what is there is neither searched again nor copied
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: they are BLAS's
        with ProcessPoolExecutor(workers, get_context("fork")) as pool:
            parts = [pool.submit(drawn, function, study, folder, dpi) for function in functions]
            progress.follow(parts, "figure")
            names = [name for part in parts for name in part.result()]
    gc.unfreeze()
    return check_names("figures", names)


def check_names(kind: str, names: list[str]) -> list[str]:
    """The names of files that stages write into one folder. Raises ValueError where two would write the same."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{kind}: two stages have one called {', '.join(twice)}; give each a name of its own")
    return names


def cores() -> int:
    """How many figures to draw side by side: 1 where a process cannot safely be forked."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def drawn(function: Callable[[Study], Any], study: Study, folder: Path, dpi: int) -> list[str]:
    """Draw what one of a stage's FIGURES gives into a folder, one after another. Returns the figures' names."""
    figures, names = function(study), []
    for name, figure in [(function.__name__, figures)] if isinstance(figures, Figure) else figures or ():
        style.save(figure, folder, name, dpi=dpi)
        names.append(name)
    return names


def text_of(
    template: str,
    study: Study,
    tables: Mapping[str, list[Table]],
    drawn: list[str],
    *,
    audit: Any = None,
    **further: Any,
) -> str:
    """A template of the engine, which places those of the stages by `sections(name)`."""
    common = {
        "study": study,
        "drawn": drawn,
        "legend": legend(study.frame["verdict"], study.frame["note"]),
        "model_name": model_name,
        "audit": audit,
        "several_seeds": seeds.several(study),
    }
    common |= {"folded": folded, "table": shown, "paper": paper}

    def sections(name: str, page: str = "") -> list[str]:
        """The stages' templates of this name, in the order of dvc.yaml. page: the guided one that they stand on."""
        texts = []
        for stage in study.grid:
            if guided.page_of(study, stage) == page and (path := modules.template(stage, name)):
                own: dict[str, Any] = getattr(study.modules.get(stage), "context", lambda _: {})(study)
                own |= {table.name: shown(table) for table in tables[stage]}
                own |= {"tables": [shown(table) for table in tables[stage]]}
                tested = claims.of_stage(study, stage)
                own |= {"claims": {key: claims.block(claim) for key, claim in tested.items()}}
                text = ENVIRONMENT.get_template(path).render(own | common)
                texts.append(seeds.first_said(study, stage, text) if modules.of_first_seed(stage) else text)
                texts[-1] += published_text(study, stage)
        return texts

    overall = {table.name: table for table in tables["report"]}
    text = ENVIRONMENT.get_template(template).render(overall | common | further, sections=sections)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def published_text(study: Study, stage: str) -> str:
    """What Git holds of that on which a stage's section rests, as a paragraph to add; "" where that is all of it."""
    if not (makers := study.not_in_git.get(stage)):
        return ""
    names = " and ".join(f"`{maker}`" for maker in makers)
    return (
        f"\n\n*Published is what was measured here, but not the weights of {names} behind it: Git does not hold them. "
        "To measure again is to train again, where neither DVC's cache nor a remote has them.*"
    )


def overall(study: Study) -> dict[str, Any]:
    """What the opening and the end of a report say of all its cells."""
    cells = [cell for models in study.compared.values() for cell in models.values()]
    limits = [budgets.of_model(study.budget, cell.model) for cell in cells]
    judged = set(study.frame.loc[study.frame["verdict"] != "", "cell"])
    return {
        "counts": overview.verdict_counts(study),
        "reduced": not all(map(budgets.at_paper_budget, (cell.budget for cell in cells), limits)),
        "unbudgeted": any(
            cell.path in judged and not set(cell.budget) & set(limit) for cell, limit in zip(cells, limits, strict=True)
        ),
        "seeds": seeds.seeds_text(study),
        "budgets": overview.budgets(study),
        "not_testable": overview.not_testable(study),
        "glance_tau": glance.largest_tau(study),
        "bibliography": bibliography(),
    }


def csv(frame: pd.DataFrame) -> str:
    """A table as CSV, floats as their shortest exact decimal form."""
    return frame.to_csv(index=False, lineterminator="\n")


def write(path: Path, text: str) -> None:
    """Write into the report's temporary folder, which is renamed as a whole."""
    path.write_text(text, encoding="utf-8", newline="\n")


def write_text(folder: Path, text: str, output: Path, pages: Mapping[str, str] | None = None) -> None:
    """report.md and report.html of a report's folder, whose figures are drawn.

    output: where the folder will stand; pages: titles of the guided pages beside it, by the names of their files.
    """
    write(folder / "report.md", text)
    beside = [(title, f"{name}.html") for name, title in (pages or {}).items()]
    write(folder / "report.html", html(text, folder, others=[*beside, *index.others(output)]))
    if not index.is_published(output):
        write(folder / index.CARD, index.card_script(output.name, text))


def write_guided(study: Study, tables: Mapping[str, list[Table]], drawn: list[str], folder: Path) -> dict[str, str]:
    """The guided pages of a report's folder, whose figures are drawn, as Markdown and HTML.

    Returns the address of the screen that shows a figure or table, by its name.
    """
    titles, shown = guided.pages(study), dict[str, str]()
    for name, title in titles.items():
        of_page = {"title": title, "about": guided.PAGES[name][1], "page": name}
        text = text_of("report/guided.md.j2", study, tables, drawn, **of_page)
        write(folder / f"{name}.md", text)
        beside = [("Report", "report.html"), *((other, f"{key}.html") for key, other in titles.items() if key != name)]
        write(folder / f"{name}.html", html(text, folder, others=beside, screens=True))
        shown |= {key: f"{name}.html#{address}" for key, (_, address, _) in places(text).items()}
    return shown
