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
from overgen.data.folders import read_folder

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


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_colour_and_size_are_kept_unless_another_shape_is_asked_for(tmp_path: Path) -> None:
    """Colour pictures of 32 × 32 became gray and 28 × 28 without a word."""
    for i in range(10):
        for name in "ab":
            write(tmp_path / f"c/{name}/{i}.png", noise(32, 20, 3, seed=i))
    dataset = sources.image_folder(tmp_path / "c")
    assert dataset.shape == (3, 32, 20)
    first = np.asarray(Image.open(tmp_path / "c/a/0.png")).transpose(2, 0, 1)
    assert any(np.array_equal(first, image) for image in torch.cat([dataset.train_images, dataset.test_images]).numpy())
    assert sources.image_folder(tmp_path / "c", shape=[1, 14, 10]).shape == (1, 14, 10)
    write(tmp_path / "c/b/last.png", noise(16, 24, 3))
    with pytest.raises(OvergenError) as caught:
        sources.image_folder(tmp_path / "c")
    assert "32 × 20 (20), 16 × 24 (1)" in str(caught.value)
    assert "`shape: [3, 32, 20]`" in str(caught.value)
    assert sources.image_folder(tmp_path / "c", shape=[3, 32, 20]).shape == (3, 32, 20)


def test_gray_in_a_colour_form_is_gray(tmp_path: Path) -> None:
    for i in range(10):
        for name in "ab":
            gray_pixels = noise(6, 6, seed=i)
            write(tmp_path / f"{name}/{i}.png", np.stack([gray_pixels] * 3, axis=-1) if i % 2 else gray_pixels)
    assert sources.image_folder(tmp_path).shape == (1, 6, 6)
    write(tmp_path / "b/last.png", noise(6, 6, 3))
    assert sources.image_folder(tmp_path).shape == (3, 6, 6)


def parts(folder: Path, **names: str) -> Path:
    """A folder of parts such as train="ab": two pictures of each class, whose first pixel is its letter."""
    for part, classes in names.items():
        for name in classes:
            for i in range(2):
                pixels = noise(4, 4, seed=len(part) + i)
                pixels[0, 0] = ord(name)
                write(folder / part / name / f"{i}.png", pixels)
    return folder


@pytest.mark.parametrize("root", ["", "letters/"])
@pytest.mark.parametrize("other", ["test", "Testing", "val"])
def test_train_and_test_folders_are_kept_apart(
    tmp_path: Path, root: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts(tmp_path / root, **{"train": "ab", other: "ab"})
    (tmp_path / root / "train/a/2.png").write_bytes((tmp_path / root / "train/a/1.png").read_bytes())
    dataset = sources.image_folder(tmp_path)
    assert dataset.classes == ("a", "b")
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1]
    assert dataset.test_labels.tolist() == [0, 0, 1, 1]
    assert dataset.train_images[:, 0, 0, 0].tolist() == [97, 97, 97, 98, 98]
    assert ("those for validation are taken" in capsys.readouterr().err) == (other == "val")


def test_validation_beside_test_is_left_out_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = sources.image_folder(parts(tmp_path, train="ab", test="ab", valid="ab"))
    assert len(dataset.train_labels) == len(dataset.test_labels) == 4
    assert "4 pictures for validation are left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        ({"train": "ab", "test": "abc"}, "", "class c has test pictures and none to train on"),
        ({"train": "ab", "test": "ab"}, "extra/c/0.png", "beside test, train lie extra"),
        ({"train": "ab", "test": "ab"}, "0.png", "beside test, train lie 0.png"),
        ({"train": "ab", "test": "ab"}, "test/0.png", "test/0.png lies in no class folder; test/<class>/0.png is"),
        ({}, "0.png", "its 1 pictures lie in no class folder"),
        ({"train": "a", "test": "a"}, "", "pictures of 1 classes; at least 2"),
    ],
)
def test_folders_that_do_not_fit_are_named(tmp_path: Path, names: dict[str, str], more: str, message: str) -> None:
    parts(tmp_path, **names)
    if more:
        write(tmp_path / more, noise(4, 4))
    with pytest.raises(OvergenError, match=message):
        sources.image_folder(tmp_path)


def test_three_pictures_in_a_class_are_enough(tmp_path: Path) -> None:
    for name, count in (("a", 30), ("b", 3), ("c", 2)):
        for i in range(count):
            write(tmp_path / f"{name}/{i}.png", noise(4, 4))
    dataset = sources.image_folder(tmp_path)
    assert dataset.train_labels.bincount().tolist() == [24, 2, 1]
    assert dataset.test_labels.bincount().tolist() == [6, 1, 1]


def test_more_classes_than_a_byte_holds(workplace: Path) -> None:
    for i in range(300):
        for k in range(2):
            write(workplace / f"many/{i:03}/{k}.png", np.array([[i % 256, i // 256]], np.uint8))
    sources.prepare("image_folder", "data/many", options={"path": "many"})
    dataset = data.load("many")
    assert dataset.classes == tuple(f"{i:03}" for i in range(300))
    for pixels, numbers in ((dataset.train_images, dataset.train_labels), (dataset.test_images, dataset.test_labels)):
        values = pixels[:, 0, 0].long()
        assert torch.equal(values[:, 0] + 256 * values[:, 1], numbers)
        assert numbers.tolist() == list(range(300))


def test_classes_of_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ["goldfish", "tiger shark", "Tabby", "owl"]
    for number, name in enumerate(("3", "tabby", "tiger_shark")):
        for i in range(2):
            write(tmp_path / "a" / name / f"{i}.png", np.array([[number, 0, 1]], np.uint8))
    dataset = sources.image_folder(tmp_path / "a", classes=network)
    assert dataset.classes == tuple(network)
    of_picture = {0: 3, 1: 2, 2: 1}  # 3, tabby, tiger_shark
    for images, labels in ((dataset.train_images, dataset.train_labels), (dataset.test_images, dataset.test_labels)):
        assert [of_picture[int(pixels[0, 0, 0])] for pixels in images] == labels.tolist()
    assert "no pictures of 1 of 4 classes, such as goldfish" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("\n".join(network))
    assert sources.image_folder(tmp_path / "a", classes=tmp_path / "names.txt").classes == tuple(network)
    write(tmp_path / "a/goldfisch/0.png", noise(4, 4))
    with pytest.raises(OvergenError, match="folder goldfisch is none of the 4 classes; did you mean goldfish"):
        sources.image_folder(tmp_path / "a", classes=network)
    (tmp_path / "a/goldfisch").rename(tmp_path / "a/owl")
    with pytest.raises(OvergenError, match="folders 3 and owl are both class owl"):
        sources.image_folder(tmp_path / "a", classes=network)
    with pytest.raises(OvergenError, match="classes: owl: named twice"):
        sources.image_folder(tmp_path / "a", classes=[*network, "owl"])
    with pytest.raises(OvergenError, match=r"none\.txt: no text with the name of a class on each line"):
        sources.image_folder(tmp_path / "a", classes=tmp_path / "none.txt")


def test_a_network_is_judged_on_one_picture_of_a_class(tmp_path: Path) -> None:
    for i, name in enumerate("abcdef"):
        write(tmp_path / name / "0.png", noise(4, 4, seed=i))
    with pytest.raises(OvergenError, match=r"class a, b, c, d, e, f has 1 picture\(s\)"):
        sources.image_folder(tmp_path)
    dataset = sources.image_folder(tmp_path, classes=list("abcdefg"))
    both = torch.cat([dataset.train_labels, dataset.test_labels])
    assert sorted(both.tolist()) == list(range(6))
    assert len(dataset.test_labels) == 1
    parts(tmp_path / "two", train="ab", test="bc")
    assert sources.image_folder(tmp_path / "two", classes=list("abc")).test_labels.tolist() == [1, 1, 2, 2]


def test_a_limit_draws_pictures_by_their_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(100):
        write(tmp_path / f"{'ab'[i % 2]}/{i:02}.png", np.array([[i, 0]], np.uint8))
    whole = sources.image_folder(tmp_path)
    some = sources.image_folder(tmp_path, limit=15)
    assert "15 of 80 train, 15 of 20 test pictures are taken" in capsys.readouterr().err
    for part in ("train", "test"):
        images, labels = getattr(some, f"{part}_images"), getattr(some, f"{part}_labels")
        first = [int(pixels[0, 0, 0]) for pixels in images]
        assert len(set(first)) == 15
        assert labels.tolist() == [i % 2 for i in first]
        assert set(first) < {int(pixels[0, 0, 0]) for pixels in getattr(whole, f"{part}_images")}
        assert max(first) > 50  # not the first of them
    assert torch.equal(sources.image_folder(tmp_path, limit=15).train_images, some.train_images)
    assert torch.equal(sources.image_folder(tmp_path, limit=80).train_images, whole.train_images)


def test_ink_that_the_ground_hides_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(4):
        for name in "ab":
            clear = np.zeros((6, 6, 4), np.uint8)
            clear[2, : i + 1, 3] = 255
            write(tmp_path / f"{name}/{i}.png", clear)
    sources.image_folder(tmp_path)
    assert "8 of 8 pictures are of one colour" in capsys.readouterr().err
    sources.image_folder(tmp_path, invert=True)
    sources.image_folder(tmp_path, ground="white", invert=False)
    assert capsys.readouterr().err == ""


def test_pictures_without_labels(workplace: Path) -> None:
    for i in range(10):
        write(workplace / f"flat/{i}.png", noise(4, 4, seed=i))
    options = {"path": "flat", "labelled": False}
    with pytest.raises(OvergenError, match="need the names of the classes; give `classes`"):
        sources.prepare("image_folder", "data/flat", options=options)
    sources.prepare("image_folder", "data/flat", options=options | {"classes": ["cat", "dog"]})
    dataset = data.load("flat")
    assert dataset.classes == ("cat", "dog")
    assert dataset.train_labels.tolist() == [-1] * 8
    assert dataset.test_labels.tolist() == [-1] * 2


@pytest.mark.parametrize("size", [(8, 8), (8, 20)])
def test_ink_on_paper_is_kept_with_a_word(
    tmp_path: Path, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4):
        for name in "ab":
            paper = np.full(size, 250, np.uint8)
            paper[3:5, 3:5] = i
            write(tmp_path / f"{name}/{i}.png", paper)

    def said(**options: bool) -> bool:
        sources.image_folder(tmp_path, shape=[1, 8, 8], **options)
        return "100% of the pictures have a bright ground" in capsys.readouterr().err

    assert said()
    assert not said(invert=True)
    assert not said(invert=False)


def test_a_folder_of_unknown_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(30):
        write(tmp_path / f"{'' if i % 2 else 'deeper/'}{i:02}.png", np.full((5, 7), i, np.uint8))
    (tmp_path / "readme.txt").write_text("no picture")
    pixels, names = read_folder(tmp_path, (3, 4, 6))
    assert pixels.shape == (30, 3, 4, 6)
    assert names == sorted(names)
    assert capsys.readouterr().err == ""
    for name, picture in zip(names, pixels, strict=True):
        assert picture[0, 1, 2] == int(name[-6:-4])
    some, chosen = read_folder(tmp_path, (3, 4, 6), limit=7, seed=1)
    assert "7 of its 30 pictures, drawn by seed 1" in capsys.readouterr().err
    assert len(set(chosen)) == 7
    assert [names.index(name) for name in chosen] == sorted(names.index(name) for name in chosen)
    assert np.array_equal(some, pixels[[names.index(name) for name in chosen]])
    assert read_folder(tmp_path, (3, 4, 6), limit=7, seed=1)[1] == chosen
    assert read_folder(tmp_path, (3, 4, 6), limit=7, seed=2)[1] != chosen
    assert read_folder(tmp_path, (3, 4, 6), limit=30)[1] == names
    (tmp_path / "empty").mkdir()
    with pytest.raises(OvergenError, match=r"empty: holds no picture in a form that is read \(PNG, JPEG"):
        read_folder(tmp_path / "empty", (1, 2, 2))
    with pytest.raises(OvergenError, match="nowhere: missing"):
        read_folder(tmp_path / "nowhere", (1, 2, 2))
    cut(tmp_path / "01.png")
    with pytest.raises(OvergenError, match=r"01\.png: cannot be read as a picture"):
        read_folder(tmp_path, (1, 2, 2))
