"""Addresses of a page's sections, made of the words of their headings as GitHub makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$")
SHOWN = re.compile(r"!\[([^]]*)\]\(figures/(\w+)\.\w+\)|\]\(tables/(\w+)\.csv\)")


def address(heading: str) -> str:
    """A heading as an address: lower case, hyphens for spaces, nothing but letters, digits, "_" and "-"."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def addresses(headings: Iterable[str]) -> list[str]:
    """Addresses of a page's headings, in order; one that is taken gets a number: "training", "training-1"."""
    taken: dict[str, int] = {}
    unique = []
    for heading in headings:
        wanted = name = address(heading)
        while name in taken:
            taken[wanted] += 1
            name = f"{wanted}-{taken[wanted]}"
        taken[name] = 0
        unique.append(name)
    return unique


def headings(text: str) -> list[tuple[int, str, str]]:
    """Line, text and address of each heading of a Markdown page."""
    found = [(i, match[1]) for i, line in enumerate(text.splitlines()) if (match := HEADING.match(line))]
    return [(i, head, name) for (i, head), name in zip(found, addresses(head for _, head in found), strict=True)]


def places(text: str) -> dict[str, tuple[str, str, str]]:
    """Where a Markdown page first shows each figure and table: heading, address, and what is said for the picture.

    By name; the last is "" for tables.
    """
    at = {i: (head, name) for i, head, name in headings(text)}
    shown: dict[str, tuple[str, str, str]] = {}
    section = ("", "")
    for i, line in enumerate(text.splitlines()):
        section = at.get(i, section)
        for match in SHOWN.finditer(line):
            shown.setdefault(match[2] or match[3], (*section, match[1] or ""))
    return shown
