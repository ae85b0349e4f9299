"""Reports in a real browser, Chromium without a window: on a phone and a wide screen, light, dark and printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Page, browser, installed
from overgen.report import index
from report_study import MadeUp

from links import dead_links
from workspace import ROOT

pytestmark = pytest.mark.skipif(installed() is None, reason="no Chromium is installed")

PHONE, DESK = 390, 1400  # CSS pixels
LUMINANCE = """color => { const [r, g, b] = color.match(/[\\d.]+/g).map(Number); return (r + g + b) / 765 }"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(params=["report.html", "../index.html"])
def file(request: pytest.FixtureRequest, made_up: MadeUp) -> Path:
    return made_up.report / request.param


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_is_wider_than_the_screen_and_all_pictures_are_there(
    page: Page, file: Path, width: int, dark: bool
) -> None:
    page.show(width, dark=dark)
    page.open(file)
    assert page.ask("document.documentElement.scrollWidth") == width
    pictures = page.ask("[...document.images].map(image => [image.alt, image.naturalWidth])")
    assert pictures
    assert all(alt and pixels for alt, pixels in pictures)
    ground, ink = page.ask(
        f"[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].map({LUMINANCE})"
    )
    assert (ground < 0.2 < 0.8 < ink) if dark else (ink < 0.2 < 0.8 < ground)
    # Figures have dark ink, whatever the page's: their ground is light.
    cards = page.ask(f"[...document.images].map(i => getComputedStyle(i.closest('.figure') || i).backgroundColor)"
                     f".map({LUMINANCE})")  # fmt: skip
    assert min(cards) > 0.9


def test_the_first_screen_of_a_phone_holds_a_finding_and_a_picture(page: Page, made_up: MadeUp) -> None:
    page.show(PHONE, height=844)
    page.open(made_up.report / "report.html")
    text, picture = page.ask(
        "['ol > li strong', 'ol > li img'].map(what => document.querySelector(what).getBoundingClientRect().bottom)"
    )
    assert 0 < text < 844
    assert 0 < picture < 844
    assert page.ask("document.querySelector('ol > li img').getBoundingClientRect().height") > 80


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_contents_stay_in_sight_and_lead_to_the_sections(page: Page, made_up: MadeUp, width: int) -> None:
    page.show(width)
    page.open(made_up.report / "report.html", "#papers")
    assert page.ask("scrollY") > 844
    menu = ".bar" if width == PHONE else ".side"
    assert abs(page.ask(f"document.querySelector('{menu}').getBoundingClientRect().top")) < 1
    assert page.ask(f"document.querySelector('{menu}').getBoundingClientRect().height") > 20
    bottom = page.ask(f"document.querySelector('{menu}').getBoundingClientRect().bottom") if width == PHONE else 0
    top = page.ask("document.getElementById('papers').getBoundingClientRect().top")
    assert bottom <= top < 844
    dead = page.ask("""[...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href').slice(1))
                       .filter(name => !document.getElementById(decodeURIComponent(name)))""")
    assert dead == []


def test_a_table_that_scrolls_keeps_its_first_column_and_can_be_reached(page: Page, made_up: MadeUp) -> None:
    page.show(PHONE)
    page.open(made_up.report / "report.html")
    tables = page.ask("""[...document.querySelectorAll('main table')].map(table => {
        const frame = table.parentElement, details = table.closest('details');
        if (details) details.open = true;
        frame.scrollLeft = 60;
        const cell = table.querySelector('tbody td').getBoundingClientRect().left;
        return [frame.scrollLeft, cell - frame.getBoundingClientRect().left, frame.tabIndex, frame.role,
                frame.ariaLabel, table.querySelector('tbody td').offsetWidth / frame.clientWidth];
    })""")
    assert len(tables) > 10
    assert max(scrolled for scrolled, *_ in tables) == 60
    for _, left, tab, role, label, share in tables:
        assert (abs(left) < 1, tab, role) == (True, 0, "region")
        assert label.startswith("Table ")
        assert share < 0.6  # the rest is for numbers


def test_all_is_printed_and_nothing_hangs_over_it(page: Page, made_up: MadeUp, tmp_path: Path) -> None:
    page.show(794, media="print")  # A4
    page.open(made_up.report / "report.html")
    folded = page.ask("""[...document.querySelectorAll('main details')].map(details =>
        [...details.children].slice(1).reduce((sum, part) => sum + part.getBoundingClientRect().height, 0))""")
    assert folded
    assert min(folded) > 0
    hanging = page.ask("""[...document.querySelectorAll('*')].filter(part => part.getClientRects().length &&
        ['sticky', 'fixed'].includes(getComputedStyle(part).position)).map(part => part.outerHTML.slice(0, 80))""")
    assert hanging == []
    assert page.ask("document.documentElement.scrollWidth") <= 794
    page.print(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


COMMITTED = [ROOT / "reports/index.html", *sorted(
    path for path in ROOT.glob("reports/*/report.html") if index.is_published(path.parent)
)]  # fmt: skip


@pytest.mark.parametrize("file", COMMITTED, ids=lambda path: path.relative_to(ROOT / "reports").as_posix())
def test_committed_reports_fit_have_words_for_their_pictures_and_no_dead_links(page: Page, file: Path) -> None:
    """All that is folded is open; at both widths."""
    for width in (PHONE, DESK):
        page.show(width)
        page.open(file)
        page.ask("document.querySelectorAll('details').forEach(part => part.open = true)")
        wide = page.ask("""[...document.querySelectorAll('main *')].filter(part => !part.closest('.scroll') &&
            part.getBoundingClientRect().right > innerWidth + 1).map(part => part.outerHTML.slice(0, 120))""")
        assert (page.ask("document.documentElement.scrollWidth"), wide) == (width, [])
        bare = page.ask("""[...document.images].filter(image => !image.alt || !image.naturalWidth)
            .map(image => image.outerHTML.slice(0, 120))""")
        assert bare == []
    assert page.ask("document.images.length") > 0
    assert dead_links(file) == []
