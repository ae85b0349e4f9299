"""How tables stand in a page: folded where they are long, with links to their numbers."""

from __future__ import annotations

from overgen.report.names import model_name
from overgen.report.tables import Table

LONG = 10  # lines, beyond which a table is folded
FEW = 2  # stages, beyond which the links to their cells are folded


def shown(table: Table) -> str:
    """A table's Markdown, folded if it is long, and links to its CSV and the cells behind it; "" for none."""
    if not table.markdown:
        return ""
    lines = table.markdown.count("\n") - 1
    text = folded(f"All {lines} rows", table.markdown) if lines > LONG else table.markdown
    return f"{text}\n\n{links(table)}"


def folded(summary: str, text: str) -> str:
    """Markdown that a reader unfolds."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text.strip()}\n\n</details>"


def links(table: Table) -> str:
    """Links to a table's rows as CSV, and to each cell that they come from: "CSV · fool_fgn: CNN, COOL"."""
    stages: dict[str, list[str]] = {}
    for cell in dict.fromkeys(table.rows["cell"]) if "cell" in table.rows else ():
        _, _, dataset, stage, model = cell.split("/")
        stages.setdefault(stage, []).append(f"[{model_name(model)}](../cells/{dataset}/{stage}/{model}/metrics.json)")
    cells = " · ".join(f"`{stage}`: {', '.join(of)}" for stage, of in stages.items())
    source = f"[CSV](tables/{table.name}.csv)"
    return f"{source}\n\n{folded('Cells', cells)}" if len(stages) > FEW else " · ".join(filter(None, [source, cells]))
