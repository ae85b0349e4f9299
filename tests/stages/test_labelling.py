"""The page on which a person judges what fooled: it tells nothing, and keeps what is pressed."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from browser import browser, installed
from overgen.report.study import Study
from overgen.stages.attack_scores import labelling

COUNT = 6


def made(dataset: str = "mnist", count: int = COUNT, shape: tuple[int, ...] = (28, 28)) -> Study:
    """A study with the sheets of two networks."""
    draw = np.random.default_rng(0)
    real = {"real_image": draw.integers(0, 256, (COUNT, *shape), np.uint8), "real_label": np.arange(COUNT)}

    def examples(model: str) -> dict[str, np.ndarray]:
        return real | {
            "sheet_image": draw.integers(0, 256, (count, *shape), np.uint8),
            "sheet_method": np.array([f"{model}_score"] * count, dtype=str),
            "sheet_target": np.arange(count) % 10,
            "sheet_not_of_class": np.arange(count) % 2,
        }

    held = {model: examples(model) for model in ("cnn", "cool")}
    cells = {model: SimpleNamespace(examples=lambda model=model: held[model]) for model in held}
    return cast(Study, SimpleNamespace(dataset=dataset, name=dataset, cells=lambda stage: cells))


def held_by(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="held">(.*?)</script>', page, re.DOTALL)
    assert found
    return cast(dict[str, Any], json.loads(found[1]))


@pytest.mark.parametrize("shape", [(28, 28), (8, 9, 3)])
def test_the_page_holds_pixels_and_numbers_and_nothing_else_of_an_item(shape: tuple[int, ...]) -> None:
    study = made(shape=shape)
    images, table = labelling.sheet_of(study) or pytest.fail("no sheet")
    held = held_by(labelling.pages(study)["label.html"])
    assert set(held) == {"dataset", "items", "height", "width", "channels", "answers", "pixels"}
    assert held["answers"] == ["0", "1", "2", "3", "4", "5", "no class", "cannot tell"]
    pixels = np.frombuffer(base64.b64decode(held["pixels"]), np.uint8).reshape(images.shape)
    np.testing.assert_array_equal(pixels, images)
    assert [item.split("-")[1] for item in held["items"]] == [f"{i:03}" for i in range(1, 1 + 2 * COUNT)]
    assert len({item.split("-")[0] for item in held["items"]}) == 1
    assert not re.search(r"_score|real_|sheet_|cool", labelling.pages(study)["label.html"])
    assert sorted(table["kind"]) == ["fooled"] * COUNT + ["real"] * COUNT


def test_the_key_is_of_the_images_and_the_order_of_the_data_set() -> None:
    study = made()
    images, table = labelling.sheet_of(study) or pytest.fail("no sheet")
    for image, row in zip(images, table.to_dict("records"), strict=True):
        arrays = study.cells("attack_scores")[row["model"] or "cnn"].examples()
        part, number = ("real", "label") if row["kind"] == "real" else ("sheet", "target")
        (place,) = np.flatnonzero((arrays[f"{part}_image"] == image).all((1, 2)))
        assert arrays[f"{part}_{number}"][place] == row[number]
    assert labelling.pages(study) == labelling.pages(made())
    other = labelling.sheet_of(made("fashion_mnist")) or pytest.fail("no sheet")
    assert list(other[1]["kind"]) != list(table["kind"])
    assert len(set(table["kind"][:COUNT])) == 2  # mixed


def test_there_is_no_page_where_nothing_fooled() -> None:
    assert labelling.pages(made(count=0)) == {}


@pytest.mark.skipif(installed() is None, reason="no Chromium is installed")
def test_what_is_pressed_is_kept_and_exported(tmp_path: Path) -> None:
    path = tmp_path / "label.html"
    path.write_text(labelling.pages(made("fashion_mnist"))["label.html"], encoding="utf-8")
    items = held_by(path.read_text(encoding="utf-8"))["items"]
    (tmp_path / "profile").mkdir()
    with browser(tmp_path / "profile") as page:
        for width in (1400, 390):
            page.show(width)
            page.open(path)
            assert page.ask("document.documentElement.scrollWidth") == width
            bottom = page.ask("document.getElementById('save').getBoundingClientRect().bottom")
            assert bottom <= 844  # all within a thumb's reach
            assert page.ask("Math.min(...[...document.querySelectorAll('button')].map(b => b.offsetHeight))") >= 44

        def press(key: str) -> None:
            page.call("Input.dispatchKeyEvent", type="keyDown", key=key)
            page.call("Input.dispatchKeyEvent", type="keyUp", key=key)

        for key in ("3", "7", "Backspace", "n", "?"):
            press(key)
        page.open(path)
        assert page.ask("document.getElementById('progress').textContent") == "Image 4 of 12"
        page.ask("document.querySelector('[data-answer=bag]').click()")
        lines = page.ask("csv()").splitlines()
    assert lines[0] == "item,label,seconds"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [items[0], "dress"], [items[1], "no class"], [items[2], "cannot tell"], [items[3], "bag"],
    ]  # fmt: skip
    assert all(float(line.split(",")[2]) >= 0 for line in lines[1:])
