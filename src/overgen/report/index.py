"""reports/index.html: the reports that are there, each with its title, a finding and a picture.

The page holds what Git holds. The report of a data set that .gitignore names brings a `CARD` of its own, a script that
adds it to the page on the machine where it lies: so the page has the same bytes with and without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from overgen.report.html import ENVIRONMENT
from overgen.report.names import dataset_name
from overgen.run.files import write_text

INDEX = "index.html"
CARD = "card.js"  # in the folder of a report that Git does not hold


class Card(NamedTuple):
    """A report in the page: its folder, its title, a finding in HTML, and a picture with what is said for it."""

    folder: str
    title: str
    finding: str
    picture: str
    alt: str


def write_index(reports: Path, datasets: Iterable[str]) -> None:
    """Write reports/index.html of those data sets that have a report, in their order.

    Where two reports are drawn side by side, each writes the page: again, until it holds what is there.
    """
    names, path = list(datasets), reports / INDEX
    while not path.is_file() or path.read_text(encoding="utf-8") != page(reports, names):
        write_text(path, page(reports, names))


def page(reports: Path, datasets: Iterable[str]) -> str:
    """The text of the page."""
    cards, scripts = [], []
    for dataset in datasets:
        if not is_published(reports / dataset):
            scripts.append(f"{dataset}/{CARD}")
        elif (path := reports / dataset / "report.md").is_file():
            cards.append(card(dataset, path.read_text(encoding="utf-8")))
    template = ENVIRONMENT.get_template("report/index.html.j2")
    return template.render(cards=[card_html(each) for each in cards], scripts=scripts) + "\n"


def is_published(output: Path) -> bool:
    """Whether Git holds a report's folder: .gitignore beside `reports` has no line of its own for it."""
    ignored = output.parent.parent / ".gitignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.is_file() else []
    return f"/{output.parent.name}/{output.name}/" not in lines


def others(output: Path) -> list[tuple[str, str]]:
    """Name and address, as seen from a report's folder, of the other data sets whose cells are there and in Git."""
    cells = output.parent / "cells"
    names = sorted(path.name for path in cells.iterdir() if path.is_dir()) if cells.is_dir() else []
    return [
        (dataset_name(name), f"../{name}/report.html")
        for name in names
        if name != output.name and is_published(output.parent / name)
    ]


def card(dataset: str, text: str) -> Card:
    """A report's card, from its report.md: the title, the first finding, or else the first paragraph; a picture."""
    tokens = MarkdownIt("commonmark").parse(text)
    title = next((tokens[i + 1].content for i, token in enumerate(tokens) if token.tag == "h1"), dataset)
    items = [i for i, token in enumerate(tokens) if token.type == "list_item_open"]
    found = re.search(r"^## What was found$", text, re.MULTILINE)
    start = items[0] if found and items else 0
    says = next((t for t in tokens[start:] if t.type == "inline" and t.content != title), None)
    shown = next(images(tokens[start:]), None)
    finding = MarkdownIt("commonmark").renderInline(re.sub(r" \[[^]]*\]\(#[^)]*\)$", "", says.content)) if says else ""
    source = str(shown.attrs["src"]) if shown else ""
    return Card(dataset, title, finding, source, shown.content if shown else "")


def images(tokens: Iterable[Token]) -> Iterator[Token]:
    return (child for token in tokens for child in token.children or () if child.type == "image")


def card_html(card: Card) -> str:
    """A card as HTML, its addresses as seen from reports/."""
    link = f"{card.folder}/report.html"
    picture = (
        f'<a href="{link}"><img alt="{escape(card.alt, quote=True)}" src="{card.folder}/{card.picture}"></a>'
        if card.picture
        else ""
    )
    return f'<article><h2><a href="{link}">{escape(card.title)}</a></h2><p>{card.finding}</p>{picture}</article>'


def card_script(dataset: str, text: str) -> str:
    """What adds a report's card to the page. text: its report.md."""
    html = json.dumps(card_html(card(dataset, text)), ensure_ascii=False)
    return f'document.currentScript.insertAdjacentHTML("beforebegin", {html});\n'
