"""Guided pages: one idea a screen, for a lecturer to put before students.

A stage whose report.py has a PAGE says its section there, and not in the report of the data set. Its screens are the
`##` headings of its section.md.j2.
"""

from __future__ import annotations

from overgen.report.study import Study

PAGES = {  # title, and what the page is about
    "manifold": (
        "The data manifold",
        "Images of a kind fill almost none of the space of all images.",
    ),
    "autoencoder": (
        "The autoencoder",
        "An autoencoder learns to copy images through a narrow code.",
    ),
    "features": (
        "What single units like",
        "An image is changed until one unit of a network, or one class, likes it most.",
    ),
}


def page_of(study: Study, stage: str) -> str:
    """The guided page of a stage's section; "" for the report itself."""
    return str(getattr(study.modules.get(stage), "PAGE", ""))


def pages(study: Study) -> dict[str, str]:
    """The titles of a study's guided pages, by the names of their files, in the order of PAGES."""
    there = {page_of(study, stage) for stage in study.grid}
    return {name: title for name, (title, _) in PAGES.items() if name in there}
