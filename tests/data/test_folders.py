"""Folders and archives of images as data sets."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from overgen import OvergenError, data
from overgen.data import sources

from data_mirror import cut


def tensors_of(dataset: data.Dataset) -> tuple[torch.Tensor, ...]:
    return dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels


def gray(image: Image.Image, folder: Path, *, invert: bool = False, suffix: str = ".png") -> np.ndarray:
    """What `image_folder` makes of one image, beside a class of black ones."""
    for name in "ab":
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(10):
            Image.new("L", (3, 3)).save(folder / name / f"{i}.png")
    image.save(folder / "b" / f"image{suffix}")
    dataset = sources.image_folder(folder, shape=(1, 28, 28), invert=invert)
    ground = 255 if invert else 0
    found = [
        pixels[0].numpy()
        for images in (dataset.train_images, dataset.test_images)
        for pixels in images
        if not (pixels == ground).all()
    ]
    assert len(found) <= 1
    return found[0] if found else np.full((28, 28), ground, np.uint8)


def test_images_of_all_sizes_and_colours(tmp_path: Path) -> None:
    wide = gray(Image.new("RGB", (56, 28), "white"), tmp_path / "wide")
    assert (wide[7:21] == 255).all()
    assert wide.sum() == 255 * 14 * 28

    thin = gray(Image.new("1", (1, 300), 1), tmp_path / "thin")
    assert (thin[:, 13] == 255).all()
    assert thin.sum() == 255 * 28

    red = gray(Image.new("RGB", (9, 9), (255, 0, 0)), tmp_path / "red", suffix=".bmp")
    assert (red == 76).all()  # 0.299 · 255

    palette = gray(Image.new("RGB", (28, 28), (0, 0, 255)).convert("P"), tmp_path / "palette", suffix=".gif")
    assert (palette == 29).all()  # 0.114 · 255

    deep = gray(Image.fromarray(np.full((28, 28), 0x8040, np.uint16)), tmp_path / "deep")
    assert (deep == 0x80).all()

    clear = gray(Image.new("RGBA", (28, 28), (255, 255, 255, 0)), tmp_path / "clear")
    assert (clear == 0).all()
    half = gray(Image.new("LA", (28, 28), (255, 128)), tmp_path / "half")
    assert (half == 128).all()


def test_dark_ink_on_paper_is_inverted(tmp_path: Path) -> None:
    paper = Image.new("RGBA", (28, 28), (0, 0, 0, 0))  # a transparent sheet with a black line
    paper.paste((0, 0, 0, 255), (0, 10, 28, 12))
    pixels = gray(paper, tmp_path / "paper", invert=True)
    assert (pixels[10:12] == 255).all()
    assert pixels.sum() == 255 * 2 * 28


def letters(folder: Path, count: int = 10) -> Path:
    random = np.random.default_rng(2)
    for name in ("alpha", "beta", "gamma"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(folder / name / f"{i}.png")
    return folder


def test_image_folder_as_a_source(tmp_path: Path) -> None:
    folder = letters(tmp_path / "letters")
    (folder / "alpha" / "readme.txt").write_text("not an image")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "0.png").write_bytes(b"broken")

    sources.prepare("image_folder", "data/letters", options={"path": str(folder)})
    dataset = data.load("letters")
    assert dataset.classes == ("alpha", "beta", "gamma")
    assert dataset.train_labels.bincount().tolist() == [8, 8, 8]
    assert dataset.test_labels.bincount().tolist() == [2, 2, 2]
    originals = {
        (label, np.asarray(Image.open(path)).tobytes())
        for label, name in enumerate(dataset.classes)
        for path in (folder / name).glob("*.png")
    }
    stored = {
        (int(label), image.numpy().tobytes())
        for images, labels in (
            (dataset.train_images, dataset.train_labels),
            (dataset.test_images, dataset.test_labels),
        )
        for image, label in zip(images, labels, strict=True)
    }
    assert stored == originals


def test_zip_gives_what_its_folder_gives(tmp_path: Path) -> None:
    folder = letters(tmp_path / "letters")
    with zipfile.ZipFile(tmp_path / "letters.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
        archive.writestr("__MACOSX/alpha/._0.png", b"junk")
    for one, other in zip(
        tensors_of(sources.image_folder(folder)),
        tensors_of(sources.image_folder(tmp_path / "letters.zip")),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_image_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(OvergenError, match="nowhere: missing"):
        sources.image_folder(tmp_path / "nowhere")
    (tmp_path / "half.zip").write_bytes(b"PK")
    with pytest.raises(OvergenError, match=r"half.zip: neither a folder nor a whole zip"):
        sources.image_folder(tmp_path / "half.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OvergenError, match="pictures of 0 classes"):
        sources.image_folder(tmp_path / "empty")
    few = letters(tmp_path / "few", count=20)
    for path in list((few / "beta").iterdir())[1:]:
        path.unlink()
    with pytest.raises(OvergenError, match=r"class beta has 1 picture\(s\)"):
        sources.image_folder(few)
    broken = letters(tmp_path / "broken")
    cut(broken / "gamma" / "3.png")
    with pytest.raises(OvergenError, match=r"gamma/3.png: cannot be read as a picture"):
        sources.image_folder(broken)
