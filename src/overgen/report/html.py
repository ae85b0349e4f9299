"""report.html from report.md: one file, with its figures inside, its contents beside it, and an address a section."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token

from overgen.report.addresses import addresses
from overgen.report.names import model_name
from overgen.report.pictures import Picture, picture

TEMPLATES = Path(__file__).parents[1]  # the package: each stage has its own
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)
ENVIRONMENT.filters["model_name"] = model_name
WIDE = 600  # CSS pixels of a figure, beyond which it keeps a width on a phone and scrolls
THUMBNAIL = 480  # pixels of the picture of a finding
NUMBER = re.compile(r"<td>(?=[\d–−](?:[^<&a-z]|&lt;|<br ?/?>| steps| %|over classes| to )*</td>)")
INTERVAL = re.compile(r"(\[[−\d][^\]<a-z]*(?: to [^\]<]*)?\])")
FINDING = re.compile(r"(?<=<li>\n<p>)<strong>.*?(?=</p>)")
Others = Sequence[tuple[str, str]]  # name and address of the other reports


def html(text: str, folder: Path, *, others: Others = (), screens: bool = False) -> str:
    """A Markdown page as HTML, with its figures inside. folder: where `figures/` lies.

    others: of the other pages, names and addresses; screens: each `##` fills a screen of its own.
    """
    tokens = renderer().parse(text)
    heads = headings(tokens)
    pictures = figures(tokens, folder)
    body = renderer().renderer.render(tokens, renderer().options, {"pictures": pictures})
    body = FINDING.sub(lambda text: INTERVAL.sub(r'<span class="interval">\1</span>', text[0]), tables(body))
    if screens:
        first, *further = re.split(r"(?=<h2)", body)
        body = first + "".join(f'<section class="screen">{part}</section>\n' for part in further)
    contents = [(head, name) for level, head, name in heads if level == "h2"]
    title = next((head for level, head, _ in heads if level == "h1"), "")
    page = ENVIRONMENT.get_template("report/report.html.j2")
    return page.render(body=body, title=title, contents=contents, others=others) + "\n"


def renderer() -> MarkdownIt:
    """What makes HTML of the Markdown of pages."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    markdown.renderer.rules["image"] = image  # type: ignore[attr-defined]
    markdown.renderer.rules["heading_close"] = permalink  # type: ignore[attr-defined]
    return markdown


def headings(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Tag, text and address of each heading, which are given to the tokens, too."""
    opened = [(token, tokens[i + 1]) for i, token in enumerate(tokens) if token.type == "heading_open"]
    names = addresses(inline.content for _, inline in opened)
    for (token, _), name in zip(opened, names, strict=True):
        token.attrs["id"] = name
    for token, name in zip((t for t in tokens if t.type == "heading_close"), names, strict=True):
        token.meta["address"] = name
    return [(token.tag, inline.content, name) for (token, inline), name in zip(opened, names, strict=True)]


def permalink(tokens: Sequence[Token], i: int, *_: Any) -> str:
    """The end of a heading, with a link to it unless it is the page's own."""
    if tokens[i].tag == "h1":
        return "</h1>\n"
    name = escape(tokens[i].meta["address"], quote=True)
    return f' <a class="permalink" href="#{name}" aria-label="Link to this section">#</a></{tokens[i].tag}>\n'


def figures(tokens: Sequence[Token], folder: Path) -> dict[tuple[str, bool], Picture]:
    """What the page holds of each figure, by its path and whether it is the thumbnail of a link."""
    wanted: dict[tuple[str, bool], None] = {}
    for token in tokens:
        children = token.children or []
        for i, child in enumerate(children):
            if child.type == "image":
                child.meta["thumbnail"] = i > 0 and children[i - 1].type == "link_open"
                wanted[str(child.attrs["src"]), child.meta["thumbnail"]] = None
    with ThreadPoolExecutor(2) as pool:
        held = pool.map(lambda key: picture(folder / key[0], THUMBNAIL if key[1] else 0), wanted)
        return dict(zip(wanted, held, strict=True))


def image(tokens: Sequence[Token], i: int, _: Any, env: dict[str, Any]) -> str:
    """A figure: a thumbnail inside its link, or a card that scrolls where it is wide and links to the whole figure."""
    source, alt = str(tokens[i].attrs["src"]), escape(tokens[i].content, quote=True)
    held: Picture = env["pictures"][source, tokens[i].meta["thumbnail"]]
    size = f'width="{held.width}" height="{held.height}"'
    if tokens[i].meta["thumbnail"]:
        return f'<img class="thumbnail" {size} alt="{alt}" src="{held.data}">'
    wide = " wide" if held.width > WIDE else ""
    return (
        f'<a class="figure scroll{wide}" style="--drawn: {held.width}px" href="{escape(source, quote=True)}" '
        f'title="Open the whole figure"><img {size} alt="{alt}" src="{held.data}"></a>'
    )


def tables(body: str) -> str:
    """HTML whose tables scroll by themselves, can be reached by keyboard, and keep their first column in sight."""
    number = iter(range(1, body.count("<table>") + 1))
    body = re.sub(r"<table>.*?</table>", lambda table: framed(table[0], next(number)), body, flags=re.DOTALL)
    body = body.replace('<p><a href="tables/', '<p class="links"><a href="tables/')
    return re.sub(r"<p><em>([^\n]*)</em></p>", r'<p class="caption">\1</p>', body)


def framed(table: str, number: int) -> str:
    """A table in a frame that scrolls, its numbers marked as such, its first column repeated where it is empty."""
    heads = ", ".join(filter(None, re.sub(r"<.*?>", " ", "|".join(re.findall(r"<th[ >].*?</th>", table))).split("|")))
    label = f"Table {number}: {re.sub(' +', ' ', heads).strip()[:120]}"
    table = repeated(table)
    table = NUMBER.sub('<td class="number">', table)
    table = re.sub(r"<td>(?=[^<]{25,}</td>)", '<td class="text">', table)
    table = INTERVAL.sub(r'<span class="interval">\1</span>', table)
    table = re.sub(r" (?=\(?[✓▲▼○?†]\)?)", "\u00a0", table)
    return f'<div class="scroll table" role="region" tabindex="0" aria-label="{label}">{table}</div>'


def repeated(table: str) -> str:
    """A table whose lines without a first cell get that of the line above, for who has scrolled sideways to see."""
    above = ""

    def fill(match: re.Match[str]) -> str:
        nonlocal above
        if match[1]:
            above = match[1]
            return match[0]
        return f'<tr>\n<td class="again" aria-hidden="true">{above}</td>'

    return re.sub(r"<tr>\n<td>(.*?)</td>", fill, table)
