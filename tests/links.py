"""What a page refers to, and what of it is not there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote


class Page(HTMLParser):
    """The addresses of a page, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        self.names += [of["id"] or ""] if "id" in of else []
        self.references += [of["href"] or ""] if "href" in of else []


def dead_links(path: Path) -> list[str]:
    """The links of an HTML file to what is not there: its own addresses, and files beside it."""
    pages = {path: Page(path.read_text(encoding="utf-8"))}  # read once, however many links lead there
    dead = []
    for reference in pages[path].references:
        file, _, name = unquote(reference).partition("#")
        if not file.startswith("https://"):
            target = path.parent / file if file else path
            if name and target.exists() and target not in pages:
                pages[target] = Page(target.read_text(encoding="utf-8"))
            there = target.exists() and (not name or name in pages[target].names)
            dead += [] if there else [reference]
    return dead
