"""report.html from report.md."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

LARGE = 100_000  # bytes of an SVG, beyond which report.html may hold the PNG
TEMPLATES = Path(__file__).parents[1]  # the package: each stage has its own
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)


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
    return ENVIRONMENT.get_template("report/report.html.j2").render(body=body, title=title) + "\n"


def embedded(path: Path) -> Path:
    """The file of a figure that report.html holds: of a large SVG, as many curves make it, the PNG if it is smaller."""
    pixels = path.with_suffix(".png")
    return pixels if LARGE < path.stat().st_size > pixels.stat().st_size else path
